"""Claims about an ordering, and what the runs say about them: supported, contradicted or undecided, with the numbers.

A claim of `claims.yaml` names an ordering, a metric, the runs that it is about, and its margins. Below, d is the mean
difference left - right of a relation, paired by seed, with its sign turned so that positive is better. A relation is

    sign    supported: with confidence     contradicted: with confidence
    a > b   d > 0                          d < 0
    a >= b  d > -about                     d < -about
    a >> b  d > far                        d < far
    a ≈ b   -about < d < about (TOST)      d < -about or d > about

where "with confidence" is by a one-sided t-test at 5 %, so the bounds to look at are the ends of the 90 % interval that
is shown. Holm's correction over the relations of a claim keeps the chance that any of its verdicts is wrong at 5 %.
Everything else is undecided, with the reason and, where it can be computed, with the number of seeds that would settle
it with a power of 80 % for the whole claim. A claim's verdict is that of its weakest relation: contradicted if one is
contradicted, otherwise undecided if one is undecided, otherwise supported.

If you add seeds until you like the verdict, more than 5 % of verdicts will be wrong: add the recommended number, once.
It is a cautious number (`stats.seeds_needed`): from three seeds a difference near its margin can often not be told from
one that is far from it, and then up to 1000 seeds are advised. In simulations, 500 studies for each kind of difference,
the advice settled all studies with clear differences, 86 to 96 % of those with a difference 0.001 inside its margin
(noise of a difference: 0.006; 2, 3 and 5 seeds before the advice), and 94 to 97 % of those with random differences. The
number in brackets would be enough if the true difference were the observed one, which is seldom so near a margin. Where
even that number is over 1000, there is no advice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import stats
from analysis.claims.claim import Claim
from analysis.claims.ordering import ABOUT, ABOVE, AT_LEAST, Relation, names_of
from analysis.claims.scale import OUT_OF_REACH, out_of_reach
from analysis.compare.confounds import Donors, require_comparable, setup_warnings
from analysis.compare.finished import BUDGET, EVAL, LOSS, MEASURES, TEST, measured
from analysis.compare.panels import covering_notes
from coatlab.errors import InputError

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
WEAKEST_FIRST = (CONTRADICTED, OUT_OF_REACH, UNDECIDED, SUPPORTED)
LEVEL, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Finding:
    """A relation's verdict and its numbers; a number that the seeds do not give is NaN.

    Attributes:
        relation: which one.
        verdict: supported, contradicted or undecided.
        seeds: the number of seeds that both sides have; only these are compared, in pairs.
        left, right: mean metric over these seeds.
        difference, low, high: left - right, positive where left is better, and its 90 % interval.
        p: of the verdict or, if undecided, of the verdict that is nearer; corrected for the claim's relations (Holm).
        improvement: chance that a run of left beats one of right, with its 95 % bootstrap interval.
        needed: the total number of seeds that would settle an undecided relation.
        reason: why it is undecided; empty otherwise.
    """

    relation: Relation
    verdict: str
    seeds: int = 0
    left: float = stats.NAN
    right: float = stats.NAN
    difference: float = stats.NAN
    low: float = stats.NAN
    high: float = stats.NAN
    p: float = stats.NAN
    needed: int | None = None
    reason: str = ""
    improvement: tuple[float, float, float] = (stats.NAN, stats.NAN, stats.NAN)


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict, the findings for its relations, and what a reader must know about them."""

    claim: Claim
    verdict: str
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)

    @property
    def needed(self) -> int | None:
        """Return the total number of seeds that would settle all undecided relations; None if it is unknown for one."""
        undecided = [finding.needed for finding in self.findings if finding.verdict == UNDECIDED]
        known = [needed for needed in undecided if needed is not None]
        return max(known) if known and len(known) == len(undecided) else None


def judge(
    claim: Claim,
    runs: pd.DataFrame,
    histories: pd.DataFrame,
    generator: np.random.Generator,
    donors: Donors | None = None,
    allow: Sequence[str] = (),
) -> Judgement:
    """Judge a claim by the complete runs that it is about.

    Args:
        claim: what is claimed, about which runs.
        runs: one row per run, index `fingerprint`; columns `status`, `seed`, those that the claim names, and the final
            metrics.
        histories: one row per evaluation, with `fingerprint`; used by the rule of `analysis.claims.scale` alone.
        generator: resamples for the interval of the probability of improvement; verdicts do not depend on it.
        donors: configs of runs that others start from, by fingerprint.
        allow: keys in which the runs may differ besides the one that the claim names; a note says so.

    Raises:
        InputError: the runs lack a column that the claim names.
    """
    about, notes = _runs_about(claim, runs)
    budgets = [BUDGET] if claim.metric in MEASURES else []
    try:
        if len(about):
            notes += require_comparable(about, [claim.names.removesuffix(".name"), *budgets], donors, allow)
            notes += [*setup_warnings(about), *(note.removeprefix("* ") for note in covering_notes(about))]
    except InputError as error:
        return undecided(claim, str(error), notes)
    twice = about[about.duplicated(["name", "seed", *budgets], keep=False)]
    if len(twice):
        name, seed = twice.iloc[0][["name", "seed"]]
        several = ", ".join(str(run) for run in twice.index[(twice["name"] == name) & (twice["seed"] == seed)])
        return undecided(
            claim, f"runs {several} are all {name} with seed {seed:.0f}, so they differ in something else", notes
        )
    found = measured(claim.metric, about, claim.losses)
    names = names_of(claim.relations)
    table = found.table(names)
    cells = {name: table[name].to_numpy(float) for name in names}
    missing = {name: f"no complete run of {name}" for name in names if name not in set(about["name"])}
    findings = [_with_improvement(finding, claim, cells, generator) for finding in decide(claim, cells, missing)]
    notes += found.notes
    if reason := out_of_reach(claim, about, histories):
        findings = [replace(finding, verdict=OUT_OF_REACH, needed=None, reason=reason) for finding in findings]
    return Judgement(claim, weakest([finding.verdict for finding in findings]), findings, notes)


def decide(claim: Claim, cells: Mapping[str, stats.Floats], missing: Mapping[str, str] | None = None) -> list[Finding]:
    """Decide the relations of a claim from the metric of each name, one number per seed.

    Args:
        claim: relations, margins, and which way is better.
        cells: the numbers of each name, in the same order of seeds for all; NaN where a seed has none.
        missing: the reason for each name that has no numbers.
    """
    sides = [(cells[relation.left], cells[relation.right]) for relation in claim.relations]
    turned = -1.0 if claim.better == "lower" else 1.0
    differences = [turned * stats.paired(left_S, right_S) for left_S, right_S in sides]
    tests = [_tests(r.sign, d_S, claim) for r, d_S in zip(claim.relations, differences, strict=True)]
    corrected = stats.holm([float(np.fmin(*both)) for both in tests])
    noise = stats.pooled(differences)
    found = []
    for relation, (left_S, right_S), d_S, (supports, contradicts), p in zip(
        claim.relations, sides, differences, tests, corrected, strict=True
    ):
        finding = Finding(relation, UNDECIDED, len(d_S), p=p)
        if len(d_S):
            left, right = np.array([left_S, right_S])[:, ~np.isnan(left_S - right_S)].mean(axis=1)
            low, high = stats.bounds(d_S)
            finding = replace(finding, left=left, right=right, difference=d_S.mean(), low=low, high=high)
        if p <= LEVEL:
            finding = replace(finding, verdict=SUPPORTED if supports <= contradicts else CONTRADICTED)
        else:
            needed, likely = (_needed(relation.sign, d_S, claim, noise, sure) for sure in (stats.CAUTION, 0.5))
            clear = bool(np.fmin(supports, contradicts) <= LEVEL)
            reason = _reason(relation, d_S, (needed, likely), clear, missing or {})
            finding = replace(finding, needed=needed, reason=reason)
        found.append(finding)
    return found


def undecided(claim: Claim, reason: str, notes: Sequence[str] = ()) -> Judgement:
    """Judge every relation of a claim undecided, for one and the same reason."""
    findings = [Finding(relation, UNDECIDED, reason=reason) for relation in claim.relations]
    return Judgement(claim, UNDECIDED, findings, list(notes))


def weakest(verdicts: Sequence[str]) -> str:
    """Return a claim's verdict from those of its relations."""
    return min(verdicts, key=WEAKEST_FIRST.index)


def _tests(sign: str, differences_S: stats.Floats, claim: Claim) -> tuple[float, float]:
    """Return the p-values for and against a relation."""
    if sign == ABOUT:
        return stats.equivalent(differences_S, claim.about), stats.different(differences_S, claim.about)
    threshold = _threshold(sign, claim)
    return stats.exceeds(differences_S, threshold), stats.falls_short(differences_S, threshold)


def _threshold(sign: str, claim: Claim) -> float:
    """Return the threshold above which the difference lies where a relation other than ≈ holds."""
    return {AT_LEAST: -claim.about, ABOVE: 0.0}.get(sign, claim.far)


def _needed(
    sign: str, differences_S: stats.Floats, claim: Claim, noise: tuple[float, int], confidence: float
) -> int | None:
    """Return the number of seeds that would settle a relation the way it leans, at the strictest level of Holm's.

    The chance of failure is divided among the relations, so that the claim as a whole has the stated power.
    """
    level, power = LEVEL / len(claim.relations), 1 - (1 - POWER) / len(claim.relations)
    mean = float(differences_S.mean()) if len(differences_S) else stats.NAN
    low, high = -np.inf, np.inf
    if sign != ABOUT:
        threshold = _threshold(sign, claim)
        low, high = (threshold, high) if mean > threshold else (low, threshold)
    elif abs(mean) < claim.about:
        low, high = -claim.about, claim.about
    else:  # the test against ≈ has two sides
        level /= 2
        low, high = (claim.about, high) if mean > 0 else (low, -claim.about)
    return stats.seeds_needed(differences_S, low, high, level, power, noise, confidence)


def _reason(
    relation: Relation,
    differences_S: stats.Floats,
    seeds: tuple[int | None, int | None],
    clear: bool,
    missing: Mapping[str, str],
) -> str:
    """Say why a relation is undecided.

    Args:
        relation: which one.
        differences_S: left - right, one per seed.
        seeds: how many would settle it, by the cautious estimate and if the true difference is the observed one.
        clear: it would be decided if it were the only relation of the claim.
        missing: the reason for each name that has no numbers.
    """
    absent = [missing[name] for name in (relation.left, relation.right) if name in missing]
    if absent:
        return "; ".join(absent)
    if len(differences_S) < 2:
        return f"{len(differences_S) or 'no'} seed in common; a verdict needs two or more"
    if not stats.testable(differences_S):
        return f"all {len(differences_S)} differences are equal, which says nothing about the noise"
    inside = "the interval includes differences on both sides of the threshold"
    why = "clear by itself, but not as one of several relations" if clear else inside
    needed, likely = seeds
    if not needed:
        return f"{why}; more than {stats.MOST_SEEDS} seeds would settle it"
    number = f"about {needed}" if needed < stats.MOST_SEEDS else f"up to {needed}"
    return f"{why}; {number} seeds would settle it ({likely} if the true difference is the observed one)"


def _with_improvement(
    finding: Finding, claim: Claim, cells: Mapping[str, stats.Floats], generator: np.random.Generator
) -> Finding:
    """Add the probability of improvement to a finding, from the runs of the seeds that both sides have."""
    sides = np.array([cells[name] for name in (finding.relation.left, finding.relation.right)])
    sides = sides[:, ~np.isnan(sides).any(axis=0)]
    left_S, right_S = sides[::-1] if claim.better == "lower" else sides
    return replace(finding, improvement=stats.improvement(left_S, right_S, generator))


def _runs_about(claim: Claim, runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the complete runs that a claim is about, with a column `name`, and notes on its other runs."""
    if not len(runs) or not (runs["status"] == "complete").any():  # there may be no metrics yet
        return pd.DataFrame(columns=["name", "seed"]), []
    metrics = [LOSS, EVAL, TEST, BUDGET] if claim.metric in MEASURES else [claim.metric]
    for column in ["status", "seed", claim.names, *metrics]:
        if column not in runs:
            raise InputError(
                f"claim {claim.key}: the runs have no column {column}; they have {', '.join(runs.columns)}"
            )
    chosen = claim.rows_of(runs)
    names = runs[claim.names].map(lambda value: claim.called.get(claim_value(value), claim_value(value)))
    chosen &= names.isin(names_of(claim.relations))
    about = runs.assign(name=names)[chosen]
    complete = about["status"] == "complete"
    notes = [
        f"left out: {run['name']} seed {run['seed']:.0f}, {run['status']}" for _, run in about[~complete].iterrows()
    ]
    return about[complete], notes


def claim_value(value: Any) -> str:
    """Write a value as claims name it: a list of blocks, or the text of one, as 2-1-2-5-1."""
    text = str(np.asarray(value).tolist() if isinstance(value, list | tuple | np.ndarray) else value)
    return text.strip("[]").replace(", ", "-") if text.startswith("[") else text
