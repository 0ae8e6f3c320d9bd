"""What the runs say about a claim, before it is judged: one number per name and seed, and what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.claims.claim import Claim
from analysis.claims.ordering import Relation
from analysis.compare.finished import Lack
from analysis.stats import Floats
from analysis.stats.looks import MOST_SEEDS, Looks, take_looks

DIVERGED, ABSENT = "diverged", "without a number"


@dataclass(frozen=True)
class Evidence:
    """The numbers about a claim. S seeds, in the same order for all names; N test images.

    Attributes:
        claim: what is claimed.
        cells: the metric of each name, (S,); NaN where a seed has none.
        seeds: their numbers, ascending; 0, 1, ... by default.
        scores: of each name, (S, N): the metric is their mean over images. None where images are not known.
        gaps: why a name and seed has no number: the status of its run.
        missing: why a name has no numbers at all.
        refused: why nothing may be decided; empty if that is not so.
        out_of_reach: it is refused since the scale of its runs cannot speak about the claim (`analysis.claims.scale`).
        seconds: what one more seed of all names takes; NaN if it is not known.
        notes: what a reader must know about the runs.
        lacks: the trainings without which some of the seeds have no number.
    """

    claim: Claim
    cells: Mapping[str, Floats]
    seeds: Sequence[int] = ()
    scores: Mapping[str, Floats] | None = None
    gaps: Mapping[tuple[str, int], str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    out_of_reach: bool = False
    seconds: float = float("nan")
    notes: Sequence[str] = ()
    lacks: Sequence[Lack] = ()


@dataclass(frozen=True)
class Pair:
    """The evidence about a relation: paired by seed, in the order of seeds, less the seeds that a side lacks.

    Attributes:
        left, right: the metric of both sides, (S,).
        differences: left - right, (S,), turned so that positive is better.
        looks: what the planned looks at them saw.
        images: how many test images their scores have; 0 if they are not known.
        gaps: for each seed that a side lacks within the last look, which side and why.
        complete, left_fine, right_fine: the seeds before the first gap, before the left side diverged, and the right.
    """

    left: Floats
    right: Floats
    differences: Floats
    looks: Looks
    images: int = 0
    gaps: Sequence[str] = ()
    complete: int = MOST_SEEDS
    left_fine: int = MOST_SEEDS
    right_fine: int = MOST_SEEDS

    @property
    def used(self) -> int:
        """Return the number of seeds of the last look; 0 before the first."""
        return max(self.looks.seeds, default=0)


def pair(relation: Relation, evidence: Evidence) -> Pair:
    """Pair the numbers of a relation's two sides by seed."""
    left, right = evidence.cells[relation.left], evidence.cells[relation.right]
    known = ~np.isnan(left - right)
    turned = -1.0 if evidence.claim.better == "lower" else 1.0
    scores = None
    if evidence.scores and {relation.left, relation.right} <= set(evidence.scores):
        both = evidence.scores[relation.left] - evidence.scores[relation.right]
        scores = turned * both[known] if not np.isnan(both[known]).any() else None
    differences = turned * (left - right)[known]
    looks = take_looks(differences, scores)
    gaps, limits = _gaps(relation, evidence, known, max(looks.seeds, default=0))
    images = 0 if scores is None else scores.shape[1]
    return Pair(left[known], right[known], differences, looks, images, gaps, *limits)


def _gaps(
    relation: Relation, evidence: Evidence, known: np.ndarray, used: int
) -> tuple[list[str], tuple[int, int, int]]:
    """Name the seeds that are missing within the first `used` common ones, and count the seeds before them."""
    before = known.cumsum()  # how many common seeds there are up to each one
    seeds = list(evidence.seeds) or list(range(len(known)))
    words, limits = [], [MOST_SEEDS] * 3
    for place in np.flatnonzero(~known & (before < used)):
        for side, name in enumerate((relation.left, relation.right)):
            if not np.isnan(evidence.cells[name][place]):
                continue
            why = evidence.gaps.get((name, seeds[place]), ABSENT)
            words.append(f"seed {seeds[place]:.0f} of {name} is {why}")
            limits[0] = min(limits[0], int(before[place]))
            if why == DIVERGED:
                limits[1 + side] = min(limits[1 + side], int(before[place]))
    return words, (limits[0], limits[1], limits[2])
