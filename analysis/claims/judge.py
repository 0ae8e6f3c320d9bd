"""Claims about an ordering, judged by runs: which runs, which numbers, and then one verdict for each claim.

A claim of `claims.yaml` names an ordering, a metric, the runs that it is about, and its margins. `gather` collects the
numbers of one claim, and `judge` decides all claims of a report together, as `analysis.claims.decide` says. A claim's
verdict is that of its weakest relation: contradicted if one is contradicted, otherwise undecided if one is undecided,
otherwise supported.

What is undecided comes with the planned number of seeds that may settle it, the chance that it does, and how long these
seeds take; or with a sentence that even 80 seeds, the last look, would probably not settle it. One may follow this
advice, or not, and look again, as often as one likes: the error stays the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import stats
from analysis.claims.claim import Claim
from analysis.claims.crossed import diagonal, sources
from analysis.claims.decide import CONTRADICTED, SUPPORTED, UNDECIDED, Finding, decide_together
from analysis.claims.evidence import DIVERGED, Evidence
from analysis.claims.ordering import names_of
from analysis.claims.scale import OUT_OF_REACH, out_of_reach, unlooked
from analysis.compare.confounds import Donors, require_comparable, setup_warnings
from analysis.compare.finished import BUDGET, EVAL, LOSS, MEASURES, TEST, Lack, Measured, measured
from analysis.compare.order import COVERING
from analysis.compare.panels import covering_notes
from analysis.stats.looks import MOST_SEEDS
from coatlab.errors import InputError

NO_RUN = "no complete run"  # begins the reason of a name without any
WEAKEST_FIRST = (CONTRADICTED, OUT_OF_REACH, UNDECIDED, SUPPORTED)


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict, the findings for its relations, and what a reader must know about them.

    Attributes:
        claim, verdict, findings, notes, lacks: as they are called.
        seeds: the numbers of the seeds that were judged, ascending.
        seconds: what one more seed of all names takes; NaN if it is not known.
    """

    claim: Claim
    verdict: str
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)
    seeds: Sequence[int] = ()
    seconds: float = stats.NAN
    lacks: Sequence[Lack] = ()

    @property
    def needed(self) -> int | None:
        """Return the total number of seeds that would settle all undecided relations; None if it is unknown for one."""
        undecided = [finding.needed for finding in self.findings if finding.verdict == UNDECIDED]
        known = [needed for needed in undecided if needed is not None]
        return max(known) if known and len(known) == len(undecided) else None


def judge(
    cases: Iterable[tuple[Claim, pd.DataFrame]],
    histories: pd.DataFrame,
    generator: np.random.Generator,
    donors: Donors | None = None,
    allow: Sequence[str] = (),
) -> list[Judgement]:
    """Judge all claims of a report, which share its error.

    Args:
        cases: each claim with the runs to judge it by; a claim about several panels is a case per panel.
        histories, donors, allow: as `gather` has them.
        generator: resamples for the interval of the probability of improvement; verdicts do not depend on it.
    """
    known: dict[Any, list[str]] = {}  # several claims are about the same runs, which are compared once
    evidence, judged = [gather(claim, runs, histories, donors, allow, known) for claim, runs in cases], []
    for one, found in zip(evidence, decide_together(evidence), strict=True):
        verdict = OUT_OF_REACH if one.out_of_reach else None
        found = [replace(finding, verdict=verdict or finding.verdict) for finding in found]
        findings = [_with_improvement(finding, one, generator) for finding in found]
        verdict = weakest([finding.verdict for finding in findings])
        judged.append(Judgement(one.claim, verdict, findings, list(one.notes), one.seeds, one.seconds, one.lacks))
    return judged


def gather(
    claim: Claim,
    runs: pd.DataFrame,
    histories: pd.DataFrame,
    donors: Donors | None = None,
    allow: Sequence[str] = (),
    known: dict[Any, list[str]] | None = None,
) -> Evidence:
    """Collect the numbers of one claim.

    Args:
        claim: what is claimed, about which runs.
        runs: one row per run, index `fingerprint`; columns `status`, `seed`, those that the claim names, and the final
            metrics; `seconds` and `correct`, which images of the test files were right, if they are known.
        histories: one row per evaluation, with `fingerprint`; used by the rule of `analysis.claims.scale` alone.
        donors: configs of runs that others start from, by fingerprint.
        allow: keys in which the runs may differ besides the one that the claim names; a note says so.
        known: notes of comparisons that were made before, for the claims of one report.

    Raises:
        InputError: the runs lack a column that the claim names.
    """
    every, notes = _runs_about(claim, runs)
    notes += sources(claim, every[every["status"] == "complete"])
    every = diagonal(every)
    about, names = every[every["status"] == "complete"], names_of(claim.relations)
    budgets = [BUDGET] if claim.metric in MEASURES else []
    try:
        if len(about):
            factors, known = [claim.names.removesuffix(".name"), *budgets], {} if known is None else known
            asked = (*factors, *about.index)
            if asked not in known:
                known[asked] = require_comparable(about, factors, donors, allow)
            notes += known[asked]
            notes += [*setup_warnings(about), *(note.removeprefix(f"{COVERING} ") for note in covering_notes(about))]
        refused = _refusal(about, budgets)
    except InputError as error:
        refused = str(error)
    if refused:
        return Evidence(claim, {name: np.empty(0) for name in names}, refused=refused, notes=notes)
    found, beyond = measured(claim.metric, about, claim.losses), out_of_reach(claim, about, histories)
    notes += [] if beyond else unlooked(claim, about, histories)
    gaps = {(run["name"], run["seed"]): run["status"] for _, run in every.iterrows() if run["status"] != "complete"}
    table = found.table(names).reindex(index=sorted(every["seed"].unique()))
    for (name, seed), why in gaps.items():  # a seed of several runs has no number if one of them diverged
        if why == DIVERGED:
            table.loc[seed, name] = np.nan
    return Evidence(
        claim,
        {name: table[name].to_numpy(float) for name in names},
        seeds=table.index.tolist(),
        scores=_scores(found, about, table) if claim.metric in (TEST, *MEASURES) else None,
        gaps=gaps,
        missing={name: f"{NO_RUN} of {name}" for name in names if name not in set(about["name"])},
        refused=beyond or "",
        out_of_reach=beyond is not None,
        seconds=seconds_per_seed(about, names),
        notes=[*notes, *found.notes],
        lacks=found.lacks,
    )


def seconds_per_seed(runs: pd.DataFrame, names: Sequence[str]) -> float:
    """Return what one seed of all names takes: the mean of each name's seeds, over all runs of a seed; NaN if unknown.

    Args:
        runs: complete runs; columns `name`, `seed`, and `seconds`, if they are known.
        names: those of the claim; one without runs counts as the mean of the others.
    """
    if "seconds" not in runs or not len(runs):
        return stats.NAN
    known = runs.dropna(subset=["seconds"])
    each = known.groupby(["name", "seed"])["seconds"].sum().groupby("name").mean()
    return float(each.mean() * len(names))


def weakest(verdicts: Sequence[str]) -> str:
    """Return a claim's verdict from those of its relations."""
    return min(verdicts, key=WEAKEST_FIRST.index)


def names_in(claim: Claim, runs: pd.DataFrame) -> pd.Series:
    """Return what a claim calls each run."""
    return runs[claim.names].map(lambda value: claim.called.get(claim_value(value), claim_value(value)))


def claim_value(value: Any) -> str:
    """Write a value as claims name it: a list of blocks, or the text of one, as 2-1-2-5-1."""
    text = str(np.asarray(value).tolist() if isinstance(value, list | tuple | np.ndarray) else value)
    return text.strip("[]").replace(", ", "-") if text.startswith("[") else text


def _with_improvement(finding: Finding, evidence: Evidence, generator: np.random.Generator) -> Finding:
    """Add the probability of improvement to a finding, from the runs of the seeds that were looked at."""
    sides = np.array([evidence.cells[name] for name in (finding.relation.left, finding.relation.right)])
    sides = sides[:, ~np.isnan(sides).any(axis=0)][:, : finding.used or MOST_SEEDS]
    left_S, right_S = sides[::-1] if evidence.claim.better == "lower" else sides
    return replace(finding, improvement=stats.improvement(left_S, right_S, generator))


def _refusal(about: pd.DataFrame, budgets: Sequence[str]) -> str:
    """Say why runs cannot be told apart by name and seed, and budget if there are several; empty if they can."""
    twice = about[about.duplicated(["name", "seed", *budgets], keep=False)]
    if twice.empty:
        return ""
    name, seed = twice.iloc[0][["name", "seed"]]
    several = ", ".join(str(run) for run in twice.index[(twice["name"] == name) & (twice["seed"] == seed)])
    return f"runs {several} are all {name} with seed {seed:.0f}, so they differ in something else"


def _runs_about(claim: Claim, runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the runs that a claim is about, of any status, with a column `name`, and notes on incomplete ones."""
    if not len(runs) or not (runs["status"] == "complete").any():  # there may be no metrics yet
        return pd.DataFrame(columns=["name", "seed", "status"]), []
    metrics = [LOSS, EVAL, TEST, BUDGET] if claim.metric in MEASURES else [claim.metric]
    for column in ["status", "seed", claim.names, *metrics]:
        if column not in runs:
            raise InputError(
                f"claim {claim.key}: the runs have no column {column}; they have {', '.join(runs.columns)}"
            )
    chosen, names = claim.rows_of(runs), names_in(claim, runs)
    chosen &= names.isin(names_of(claim.relations))
    about = runs.assign(name=names)[chosen]
    incomplete = about[about["status"] != "complete"]
    return about, [
        f"left out: {run['name']} seed {run['seed']:.0f}, {run['status']}" for _, run in incomplete.iterrows()
    ]


def _scores(found: Measured, about: pd.DataFrame, table: pd.DataFrame) -> dict[str, stats.Floats] | None:
    """Return each name's score per test image, (seeds, images), NaN for seeds without; None if images are not known."""
    scores: dict[str, stats.Floats] = {}
    for name in table.columns:
        if own := found.scores(about, name):
            seeds, numbers = own
            scores[name] = np.full((len(table), numbers.shape[1]), np.nan)
            scores[name][table.index.get_indexer(seeds)] = numbers
    return scores if len({len(one[0]) for one in scores.values()}) == 1 else None
