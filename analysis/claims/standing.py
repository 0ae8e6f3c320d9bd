"""Where a relation stands, in a word or two for people: whether it holds, or what keeps it from being decided.

What is undecided has different reasons, which ask for different things: runs that are not there, more seeds before a
first look, or more seeds because the differences vary too much. A relation that is undecided leans to one side.
"""

import numpy as np

from analysis.claims.claim import Claim
from analysis.claims.decide import CONTRADICTED, SUPPORTED, Finding, threshold_of
from analysis.claims.judge import NO_RUN
from analysis.claims.ordering import ABOUT, ABOVE, AT_LEAST
from analysis.claims.scale import OUT_OF_REACH
from analysis.stats.looks import PLANNED

HOLDS, FAILS = "holds", "does not hold"
NOT_RUN, NO_NUMBER, TOO_FEW, TOO_NOISY = "not run", "no number", "too few seeds", "too noisy"
INCOMPARABLE = "not comparable"
OPEN = (NOT_RUN, NO_NUMBER, TOO_FEW, TOO_NOISY, INCOMPARABLE)


def standing(finding: Finding) -> str:
    """Return where a relation stands, one of the words above.

    `not run`: a side has no complete run. `no number`: there are runs, but none gives a number of the claim's metric in
    a seed that both sides have. `too few seeds`: fewer than the first look needs. `too noisy`: a look was had.
    """
    if finding.verdict in (SUPPORTED, CONTRADICTED):
        return HOLDS if finding.verdict == SUPPORTED else FAILS
    if finding.verdict == OUT_OF_REACH:
        return OUT_OF_REACH
    if NO_RUN in finding.reason:
        return NOT_RUN
    if finding.seeds:
        return TOO_NOISY if finding.used >= PLANNED[0] else TOO_FEW
    return NO_NUMBER if "in common" in finding.reason else INCOMPARABLE


def leaning(finding: Finding, claim: Claim) -> str:
    """Return `leans yes` or `leans no` for an undecided relation whose mean difference is known; else nothing."""
    if standing(finding) not in (TOO_FEW, TOO_NOISY) or np.isnan(finding.difference):
        return ""
    sign = finding.relation.sign
    if sign == ABOUT:
        return "leans yes" if abs(finding.difference) < claim.about else "leans no"
    return "leans yes" if finding.difference > threshold_of(sign, claim) else "leans no"


def difference_words(finding: Finding, claim: Claim) -> str:
    """Write the mean difference in points of accuracy, or in nats; positive is better for the left name."""
    if np.isnan(finding.difference):
        return ""
    return f"{finding.difference:+.2f} nats" if in_nats(claim) else f"{100 * finding.difference:+.1f} points"


def in_nats(claim: Claim) -> bool:
    """Tell whether the claim's metric is a loss; otherwise it is an accuracy."""
    return claim.metric.endswith("loss")


def said(finding: Finding, claim: Claim) -> str:
    """Say a relation in plain words with its number, as it was decided, or as it is so far."""
    left, right = finding.relation.left, finding.relation.right
    holds = finding.verdict == SUPPORTED or leaning(finding, claim) == "leans yes"
    size, unit = (finding.difference, "nats") if in_nats(claim) else (100 * finding.difference, "points")
    form = ".2f" if in_nats(claim) else ".1f"
    by = f"{abs(size):{form}} {unit}"
    if not any(digit in by for digit in "123456789"):
        return f"{left} and {right} are level"
    better, worse = (left, right) if size > 0 else (right, left)
    if finding.relation.sign == ABOUT:
        return f"{left} and {right} are about equal" if holds else f"{better} beats {worse} by {by}"
    if finding.relation.sign == AT_LEAST and holds:
        return f"{left} is not worse than {right}"
    if finding.relation.sign == ABOVE or holds or size < 0:
        return f"{better} beats {worse} by {by}"
    return f"{left} beats {right} by only {by}"
