"""Measurements: one algorithm a file, each a pure function on arrays."""
