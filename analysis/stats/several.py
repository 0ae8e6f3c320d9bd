"""Several tests with one error: the relations of a claim, and the claims of a report.

Relations of a claim: Hochberg's step-up procedure (1988). With m relations, the smallest p-value must be at most
level / m, the next level / (m - 1), and so on; but if even the largest is at most the level, all are decided. The last
is the union-intersection principle: to say that a whole claim holds, each relation must pass, so nothing is corrected;
to contradict it, one suffices, and that is corrected for their number. The procedure is valid where Simes' inequality
holds (Sarkar 1998); for the pairs of a chain, which depend on each other, `tests/analysis/claims/planted.py` shows it.

Claims of a report: each has a share of the report's error, stated before there are runs. Once all relations of a claim
are decided, its share goes to the other claims in proportion to theirs (Holm's procedure with weights: Holm 1979,
Bretz et al. 2009).
"""

from collections.abc import Sequence

import numpy as np

from analysis.stats.samples import Floats

LEVEL = 0.05  # the chance that any verdict of a report is wrong
PRIMARY = 0.8  # of the error is for the primary claims of a report, if there are others


def hochberg(p: Floats) -> Floats:
    """Correct p-values (..., m) for their number, along the last axis."""
    m = p.shape[-1]
    order = np.argsort(-p, axis=-1)  # the largest first: it is multiplied by 1, the next by 2, ...
    steps = np.take_along_axis(p, order, axis=-1) * np.arange(1, m + 1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.minimum.accumulate(steps, axis=-1), axis=-1)
    return corrected


def shares(primary: Sequence[bool]) -> Floats:
    """Return each claim's share of a report's error: the primary ones have 80 % of it, in equal parts.

    All parts are equal if all claims are primary, or none.
    """
    first = np.array(primary, dtype=bool)
    if first.all() or not first.any():
        return np.full(len(first), 1 / max(len(first), 1))
    return np.where(first, PRIMARY / first.sum(), (1 - PRIMARY) / (~first).sum())


def levels(largest: Floats, share: Floats, level: float = LEVEL) -> Floats:
    """Return the level (..., C) at which each claim of a report is judged, after shares were passed on.

    Args:
        largest: (..., C), the largest p-value of each claim's relations: all are decided if it is at most its level.
        share: (C,), of the error.
        level: the error of the report.
    """
    found = np.broadcast_to(level * share, largest.shape)
    decided = np.zeros(largest.shape, dtype=bool)
    while (more := ~decided & (largest <= found)).any():
        decided |= more
        waiting = np.where(decided, 0.0, share).sum(axis=-1, keepdims=True)
        found = np.where(waiting > 0, level * share / np.where(waiting > 0, waiting, 1.0), found)
    return found
