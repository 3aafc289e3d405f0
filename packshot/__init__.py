"""Packshot: any product photo into a marketplace-ready main image."""
