"""Photo-like product scenes with exact mattes, built from code and seeds and rendered with Mitsuba 3."""
