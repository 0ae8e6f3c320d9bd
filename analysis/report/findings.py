"""The findings of a report in a few lines, for the end of the terminal's output: what was found, and how sure it is."""

from collections.abc import Iterable, Sequence

import numpy as np

from analysis.claims.advice import advice
from analysis.claims.decide import CONTRADICTED, SUPPORTED, UNDECIDED, Finding
from analysis.claims.judge import NO_RUN, Judgement
from analysis.claims.scale import OUT_OF_REACH
from analysis.claims.variants import agreement


def findings(judgements: Sequence[Judgement]) -> list[str]:
    """Say of each claim which of its relations hold, which do not, and what would settle the rest.

    A claim about which there is no run yet is only named, with the others of its kind in one line.
    """
    lines, silent = [], []
    for judgement in judgements:
        if judgement.seeds or any(not one.reason.startswith(NO_RUN) for one in judgement.findings):
            lines += [f"{judgement.claim.key}, {judgement.claim.says}: {judgement.verdict}", *_of(judgement)]
        else:
            silent.append(judgement.claim.key)
    lines += agreement(judgements)
    return [*lines, *([f"without runs, so not judged: {', '.join(silent)}"] if silent else [])]


def _of(judgement: Judgement) -> list[str]:
    found, lossy = judgement.findings, judgement.claim.metric.endswith("loss")
    if judgement.verdict == OUT_OF_REACH:
        return [f"  {found[0].reason}"]
    kinds = ((SUPPORTED, "holds"), (CONTRADICTED, "does not hold"), (UNDECIDED, "open"))
    parts = [(word, [one for one in found if one.verdict == verdict]) for verdict, word in kinds]
    lines = [f"  {word}: {_listed(some, lossy)}" for word, some in parts if some]
    told = advice(judgement)
    if not told and (reasons := dict.fromkeys(one.reason for one in found if one.verdict == UNDECIDED)):
        told = "; ".join(reasons)
    return [*lines, *([f"  {told}"] if told else [])]


def _listed(found: Iterable[Finding], lossy: bool) -> str:
    return ", ".join(f"{one.relation}{_difference(one, lossy)}" for one in found)


def _difference(finding: Finding, lossy: bool) -> str:
    """Write a difference in points of accuracy, or in nats, with its sign turned so that positive is better."""
    if np.isnan(finding.difference):
        return ""
    size = f"{finding.difference:+.2f} nats" if lossy else f"{100 * finding.difference:+.1f} points"
    return f" ({size}, {finding.used} seed{'s' * (finding.used != 1)})"
