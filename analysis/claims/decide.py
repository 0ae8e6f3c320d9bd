"""Relations of claims, decided: supported, contradicted or undecided, with one error for all claims of a report.

Below, d is the mean difference left - right of a relation, paired by seed, with its sign turned so that positive is
better. A relation is

    sign    supported: with confidence     contradicted: with confidence
    a > b   d > 0                          d < 0
    a >= b  d > -about                     d < -about
    a >> b  d > far                        d < far
    a ≈ b   -about < d < about (TOST)      d < -about or d > about

The relations of a chain are those that it writes and the implied ones (`analysis.claims.ordering`). "With confidence"
means: the chance that any verdict of a report is wrong, on any relation or claim, whenever one looks, is at most 5 %.
That error is divided as follows, so that nothing needs to be remembered and nothing may be chosen afterwards.

    claims      primary claims share 80 % of it, the others 20 %; fully decided claims pass on theirs (stats.several)
    relations   of one claim: Hochberg's procedure; if all pass at the claim's level, all are decided
    directions  half for a verdict that is too good, half for one that is too bad: at a margin both would be wrong
    looks       3, 5, 10, 20, 40 and 80 seeds, in the order of their numbers; further seeds wait (stats.looks)

A seed that a side lacks within the seeds of a look, because its run diverged, failed or is missing, may be missing for
what it would have shown. Then no relation is supported at that look. It can be contradicted, but not in the direction
that a diverged run made more likely: a side whose bad seeds are left out is not shown to be the better one.

Measured with 10,000 planted reports of three claims like G for each of 66 kinds of study (`python -m
tests.analysis.claims.planted`): any wrong verdict at any look up to 20 seeds in at most 4.6 % of reports. The kinds are
11 of noise (normal with correlations of 0 to 0.9 and three sizes, t with 3 degrees, Laplace, names whose noise differs
by 10 times, one seed that fails by 3, 8 or 100 deviations) and 6 of truth (all equal, or relations on their thresholds,
where no verdict is right). The price is power, in percent of right verdicts on the primary claim of such a report, with
differences of 0, 0.005, 0.02 and 0.07 and a deviation of 0.006 between seeds; in brackets plain t-tests at 5 %, which
are wrong far more often:

    seeds    ≈           >=          >           >>          the whole claim
    3        0 (28)      1 (75)      2 (90)      8 (100)     0 (21)
    5        13 (66)     45 (98)     68 (100)    99 (100)    10 (65)
    10       73 (99)     99 (100)    100 (100)   100 (100)   73 (99)
    20       100 (100)   100 (100)   100 (100)   100 (100)   100 (100)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.claims.claim import Claim
from analysis.claims.evidence import Evidence, Pair, pair
from analysis.claims.ordering import ABOUT, ABOVE, AT_LEAST, Relation
from analysis.stats import NAN, Floats, deviation, pooled
from analysis.stats.looks import MOST_SEEDS, PLANNED, Looks, above, below, bounds
from analysis.stats.planning import future
from analysis.stats.several import LEVEL, hochberg, levels, shares
from coatlab.output.text import duration

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
POWER = 0.8  # the chance with which a look should settle a relation
HOPELESS = 0.5  # no look is advised that is more likely to leave a relation undecided
ALMOST = 0.8  # of the best chance: nearly as good, with fewer seeds


@dataclass(frozen=True)
class Plan:
    """What would settle a relation.

    Attributes:
        seeds: the look that may; None if the chance is small at every look.
        chance: that it does.
        images: no look may, but one would if test images were without number.
    """

    seeds: int | None = None
    chance: float = NAN
    images: bool = False


@dataclass(frozen=True)
class Finding:
    """A relation's verdict and its numbers; a number that the seeds do not give is NaN.

    Attributes:
        relation: which one.
        verdict: supported, contradicted or undecided.
        seeds: the number of seeds that both sides have; only these are compared, in pairs.
        used: the number of seeds of the last look, on which verdict, means and interval rest; all, before a first look.
        left, right: mean metric over these seeds.
        difference, low, high: left - right, positive where left is better, and its 90 % interval, at this look alone.
        p: of the verdict or, if undecided, of the verdict that is nearer; corrected so that it is compared with 5 %.
        level: the share of the report's error with which its claim was judged.
        seed_error, image_error: the parts of the difference's standard error: of seeds, and of test images.
        needed, chance: the planned number of seeds that may settle an undecided relation, and the chance that it does.
        reason: why it is undecided; empty otherwise.
        improvement: chance that a run of left beats one of right, with its 95 % bootstrap interval.
    """

    relation: Relation
    verdict: str
    seeds: int = 0
    used: int = 0
    left: float = NAN
    right: float = NAN
    difference: float = NAN
    low: float = NAN
    high: float = NAN
    p: float = NAN
    level: float = NAN
    seed_error: float = NAN
    image_error: float = NAN
    needed: int | None = None
    chance: float = NAN
    reason: str = ""
    improvement: tuple[float, float, float] = (NAN, NAN, NAN)


def decide(
    claim: Claim,
    cells: Mapping[str, Floats],
    missing: Mapping[str, str] | None = None,
    scores: Mapping[str, Floats] | None = None,
) -> list[Finding]:
    """Decide the relations of the only claim of a report; `Evidence` describes the arguments."""
    return decide_together([Evidence(claim, cells, scores=scores, missing=missing or {})])[0]


def decide_together(evidence: Sequence[Evidence]) -> list[list[Finding]]:
    """Decide the relations of all claims of a report, which share one error."""
    if not evidence:
        return []
    pairs = [[pair(relation, one) for relation in one.claim.relations] for one in evidence]
    sides = [
        np.array([p_values(r.sign, p.looks, one.claim, p) for r, p in zip(one.claim.relations, own, strict=True)])
        for one, own in zip(evidence, pairs, strict=True)
    ]
    sides = [np.ones_like(side) if one.refused else side for one, side in zip(evidence, sides, strict=True)]
    corrected, level = judge_p(sides, [one.claim.primary for one in evidence])
    return [
        _findings(one, own, side, p, float(share))
        for one, own, side, p, share in zip(evidence, pairs, sides, corrected, level, strict=True)
    ]


def judge_p(sides: Sequence[Floats], primary: Sequence[bool]) -> tuple[list[Floats], Floats]:
    """Correct the p-values of all claims of a report.

    Args:
        sides: of each claim, (..., m, 2): the p-values for and against each of its m relations.
        primary: which claims are.

    Returns:
        each claim's corrected p-values, (..., m), and the levels (..., C) that they must not exceed.
    """
    both = [np.minimum(1.0, 2 * side.min(axis=-1)) for side in sides]
    largest = np.stack([p.max(axis=-1) for p in both], axis=-1)
    return [hochberg(p) for p in both], levels(largest, shares(primary))


def p_values(sign: str, looks: Looks, claim: Claim, limits: Pair | None) -> tuple[Floats, Floats]:
    """Return the p-values (...) for and against a relation.

    Args:
        sign: of the relation.
        looks: at its differences, (..., K).
        claim: its margins.
        limits: from which seed on a gap forbids a verdict; None if there is no gap.
    """
    complete, left, right = (limits.complete, limits.left_fine, limits.right_fine) if limits else [MOST_SEEDS] * 3
    if sign == ABOUT:
        supports = np.maximum(above(looks, -claim.about, complete), below(looks, claim.about, complete))
        return supports, np.minimum(above(looks, claim.about, left), below(looks, -claim.about, right))
    threshold = threshold_of(sign, claim)
    return above(looks, threshold, complete), below(looks, threshold, right)


def threshold_of(sign: str, claim: Claim) -> float:
    """Return the threshold above which the difference lies where a relation other than ≈ holds."""
    return {AT_LEAST: -claim.about, ABOVE: 0.0}.get(sign, claim.far)


def _findings(evidence: Evidence, pairs: Sequence[Pair], sides: Floats, p: Floats, level: float) -> list[Finding]:
    """Turn p-values into findings."""
    decided = p <= level
    noise = pooled([one.differences for one in pairs])
    found = []
    for place, (relation, own) in enumerate(zip(evidence.claim.relations, pairs, strict=True)):
        finding = _numbers(relation, own, float(min(1.0, p[place] * LEVEL / level)), level)
        if decided[place]:
            verdict = SUPPORTED if sides[place, 0] <= sides[place, 1] else CONTRADICTED
            found.append(replace(finding, verdict=verdict))
            continue
        waiting = int((~decided).sum())
        settling = Plan() if evidence.refused else _plan(relation.sign, own, evidence.claim, noise, level, waiting)
        reason = evidence.refused or _reason(relation, own, evidence, settling)
        found.append(replace(finding, needed=settling.seeds, chance=settling.chance, reason=reason))
    return found


def _numbers(relation: Relation, own: Pair, p: float, level: float) -> Finding:
    """Return the numbers of the last look, or of all seeds where there was none."""
    finding = Finding(relation, UNDECIDED, len(own.differences), level=level)
    used = own.used or finding.seeds
    if used:
        left, right, difference = (float(numbers[:used].mean()) for numbers in (own.left, own.right, own.differences))
        finding = replace(finding, used=used, left=left, right=right, difference=difference)
    if not own.used or np.isnan(own.looks.of_seeds).all():
        return finding
    low, high = bounds(own.looks)
    seed_error, image_error = np.sqrt([own.looks.of_seeds[-1], own.looks.of_images[-1]])
    finding = replace(finding, p=p, low=low, high=high, seed_error=float(seed_error))
    return replace(finding, image_error=float(image_error)) if own.images else finding


def _plan(sign: str, own: Pair, claim: Claim, noise: tuple[float, int], level: float, waiting: int) -> Plan:
    """Plan the look that settles a relation, if `waiting` relations of its claim are undecided.

    It is the first look with a chance of 80 %. Where no look has that, it is the first one whose chance is almost that
    of the best, unless even that is small. The level is the strictest that Hochberg's procedure may still ask for.
    """
    if not own.used or np.isnan(own.looks.of_seeds[-1]) or _gaps_matter(sign, own, claim):
        return Plan()
    sd, freedom = noise
    sd = max(sd, deviation(own.differences))

    def chance(seeds: int, of_images: float) -> float:
        later = future(own.differences, (sd, freedom), of_images, seeds)
        return float((2 * np.minimum(*p_values(sign, later, claim, None)) <= level / waiting).mean())

    of_images, chances = float(own.looks.of_images[-1]), {}
    for seeds in (seeds for seeds in PLANNED if seeds > own.used):
        chances[seeds] = chance(seeds, of_images)
        if chances[seeds] >= POWER:
            return Plan(seeds, chances[seeds])
    best = max(chances.values(), default=0.0)
    if best < HOPELESS:
        return Plan(images=of_images > 0 and bool(chances) and chance(MOST_SEEDS, 0.0) >= POWER)
    seeds = next(seeds for seeds, found in chances.items() if found >= ALMOST * best)
    return Plan(seeds, chances[seeds])


def _gaps_matter(sign: str, own: Pair, claim: Claim) -> bool:
    """Tell whether the verdict that a relation leans to is one that a gap forbids."""
    mean = float(own.looks.mean[-1])
    if sign == ABOUT and abs(mean) > claim.about:
        return (own.left_fine if mean > 0 else own.right_fine) < own.used
    holds = sign == ABOUT or mean > threshold_of(sign, claim)
    return (own.complete if holds else own.right_fine) < own.used


def _reason(relation: Relation, own: Pair, evidence: Evidence, settling: Plan) -> str:
    """Say why a relation is undecided, and what would settle it."""
    absent = [evidence.missing[name] for name in (relation.left, relation.right) if name in evidence.missing]
    if absent:
        return "; ".join(absent)
    common = len(own.differences)
    if not own.used:
        return f"{common or 'no'} seed{'s' * (common > 1)} in common; the first look needs {PLANNED[0]}"
    if np.isnan(own.looks.of_seeds[-1]):
        return f"all {own.used} differences are equal, which says nothing about the noise"
    if own.gaps and _gaps_matter(relation.sign, own, evidence.claim):
        return f"{own.gaps[0]}, which may not be by chance: without it this cannot be decided"
    return settling_words(settling, common, own.images, evidence.seconds)


def settling_words(settling: Plan, seeds: int, images: int, seconds: float) -> str:
    """Say what would settle a relation, in seeds and minutes, or what cannot.

    Args:
        settling: the look that would.
        seeds: how many there are.
        images: how many test images there are.
        seconds: that one more seed takes; NaN if it is not known.
    """
    if settling.seeds is None:
        limit = f": the {images:,} test images are the limit" if settling.images else ""
        return f"even {MOST_SEEDS} seeds would probably not settle it{limit}"
    more = settling.seeds - seeds
    time = "" if np.isnan(seconds) else f" (about {duration(more * seconds)})"
    return f"{more} more seeds{time} settle it with a chance of {settling.chance:.0%}"
