"""Judgements as tables: one table per claim, one row per relation, with the numbers that its verdict rests on."""

from collections.abc import Sequence

from analysis.claims.judge import Finding, Judgement
from analysis.stats import MOST_SEEDS
from analysis.tabular import Cell, Column, Mean, Table

BRACKETS = "In brackets: the 90 % interval of the difference, and the 95 % bootstrap interval of the chance."
HOW_TO_READ = (
    "In the verdicts, left and right are means over the seeds that both have, so they may differ from those in the "
    "tables; difference is left minus right, paired by seed, with its sign turned so that positive is better; chance "
    "is the chance that a run of left beats one of right; p is one-sided, for the verdict or, if undecided, for the "
    "nearer verdict, and corrected for the number of relations in the claim (Holm)."
)


def verdict_table(judgement: Judgement) -> Table:
    """Show a claim's verdict, what it says, and each relation with its numbers."""
    claim = judgement.claim
    form = ".3f" if claim.metric.endswith("loss") else ".1%"
    columns = [
        Column("relation"),
        Column("verdict"),
        Column("left", form),
        Column("right", form),
        Column("difference", f"+{form}"),
        Column("chance", ".0%"),
        Column("p", ".2g"),
        Column("seeds", "d"),
        Column("why undecided"),
    ]
    margins = [f"{sign}: {size:{form}}" for sign, size in (("≈ and >=", claim.about), (">>", claim.far)) if size]
    says = f"{judgement.verdict}: {'; '.join(claim.ordering)} in {claim.metric}, sec. {claim.section}"
    caption = f"{says}; margins {', '.join(margins)}" if margins else says
    rows = [_row(finding) for finding in judgement.findings]
    notes = [*filter(None, [advice(judgement)]), *judgement.notes]
    return Table(f"Claim {claim.key}: {claim.says}", columns, rows, caption, notes, BRACKETS)


def advice(judgement: Judgement) -> str:
    """Say how many seeds would settle what is undecided in a claim; empty if that is unknown."""
    if judgement.needed is None:
        return ""
    number = f"{'About' if judgement.needed < MOST_SEEDS else 'Up to'} {judgement.needed}"
    return f"{number} seeds in all would settle what is undecided."


def _row(finding: Finding) -> Sequence[Cell]:
    return [
        str(finding.relation),
        finding.verdict,
        finding.left,
        finding.right,
        Mean(finding.seeds, finding.difference, finding.low, finding.high),
        Mean(finding.seeds, *finding.improvement),
        finding.p,
        finding.seeds,
        finding.reason,
    ]
