"""Benchmarks and the scenes they are measured on; never part of the tests."""
