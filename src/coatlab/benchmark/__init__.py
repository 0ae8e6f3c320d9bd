"""Measure speed and memory: `python -m coatlab.benchmark --help`. Times are measured by commands, never by tests."""
