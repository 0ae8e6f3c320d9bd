"""Where the dots and intervals of the page's own small plots stand, in percent of their width.

The page draws them itself, as lines and circles in its own colours, so that they follow its light and its dark variant
and keep the size of its text at any width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.claims.claim import Claim
from analysis.claims.decide import Finding, threshold_of
from analysis.claims.ordering import ABOUT
from analysis.tables.dots import Dots

ROOM = 0.06  # of the range, left and right of what is drawn


@dataclass(frozen=True)
class Track:
    """A row of a plot: a dot, its interval, a shaded band and a line, in percent from the left; None: there is none."""

    dot: float | None
    interval: tuple[float, float] | None = None
    band: tuple[float, float] | None = None
    zero: float | None = None


@dataclass(frozen=True)
class Scale:
    """A range of numbers that fills a plot's width."""

    low: float
    high: float

    def place(self, number: float) -> float:
        """Return where a number stands, in percent."""
        return round(100 * (number - self.low) / (self.high - self.low), 2)


def scale_of(numbers: Iterable[float]) -> Scale:
    """Return the scale that holds all numbers, with room at both ends; NaN do not count."""
    known = [float(number) for number in numbers if np.isfinite(number)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = ROOM * (high - low) or 0.5
    return Scale(low - room, high + room)


def dot_tracks(plot: Dots) -> list[Track]:
    """Return a track per row of a dot plot."""
    scale = scale_of(number for dot in plot.dots for number in (dot.value.mean, dot.value.low, dot.value.high))
    return [_track(scale, dot.value.mean, dot.value.low, dot.value.high) for dot in plot.dots]


def forest(claim: Claim, findings: Sequence[Finding]) -> list[Track]:
    """Return a track per relation: its difference and interval, a line at 0, and a band over where it holds."""
    ends = [number for one in findings for number in (one.difference, one.low, one.high)]
    margins = [edge for one in findings for edge in _holds(one, claim)]
    scale = scale_of([*ends, 0.0, *margins])
    tracks = []
    for one in findings:
        low, high = (
            scale.place(edge) if np.isfinite(edge) else end
            for edge, end in zip(_holds(one, claim), (0.0, 100.0), strict=True)
        )
        track = _track(scale, one.difference, one.low, one.high)
        tracks.append(Track(track.dot, track.interval, (low, high), scale.place(0.0)))
    return tracks


def _holds(finding: Finding, claim: Claim) -> tuple[float, float]:
    """Return the differences between which a relation holds."""
    if finding.relation.sign == ABOUT:
        return -claim.about, claim.about
    return threshold_of(finding.relation.sign, claim), np.inf


def _track(scale: Scale, mean: float, low: float, high: float) -> Track:
    dot = scale.place(mean) if np.isfinite(mean) else None
    return Track(dot, (scale.place(low), scale.place(high)) if np.isfinite(low + high) else None)
