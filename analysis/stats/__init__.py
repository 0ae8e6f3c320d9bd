"""Statistics of few seeds, as pure functions on arrays: numbers of one cell, tests at planned looks, several claims."""

from analysis.stats.samples import NAN, Floats, Summary, deviation, improvement, paired, pooled, summarize

__all__ = ["NAN", "Floats", "Summary", "deviation", "improvement", "paired", "pooled", "summarize"]
