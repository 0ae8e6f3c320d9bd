"""Judgements as tables: one table per claim, one row per relation, with the numbers that its verdict rests on."""

from collections.abc import Sequence

import numpy as np

from analysis.claims.advice import advice
from analysis.claims.decide import Finding
from analysis.claims.judge import Judgement
from analysis.compare.finished import metric_words
from analysis.stats.looks import PLANNED, SHARES
from analysis.stats.several import LEVEL
from analysis.tabular import Cell, Column, Mean, Table

BRACKETS = (
    "In brackets: the 90 % interval of the difference, and the 95 % bootstrap interval of the chance, "
    "which is too narrow for few seeds, as those of means are."
)
HOW_TO_READ = (
    "All verdicts of a report share one error: the chance that any of them is wrong is at most 5 %, whenever one looks "
    f"and however often. They look at the first {', '.join(map(str, PLANNED))} seeds, which spend "
    f"{', '.join(f'{100 * share:.0f}' for share in SHARES)} % of the error; further seeds wait for the next look. Left "
    "and right are means over the seeds of the last look that both have, so they may differ from those in the tables; "
    "difference is left minus right, paired by seed, with its sign turned so that positive is better; chance is the "
    "chance that a run of left beats one of right; p is for the verdict or, if undecided, for the nearer verdict, and "
    "corrected for looks, relations and claims, so that it is compared with 0.05, while the interval is of one "
    "difference at one look. Where it is known which test images each run has right, the interval includes the "
    "sampling of images, so it is about images like these; elsewhere it is about these images only."
)


def verdict_table(judgement: Judgement) -> Table:
    """Show a claim's verdict, what it says, and each relation with its numbers."""
    claim = judgement.claim
    form = ".3f" if claim.metric.endswith("loss") else ".1%"
    waiting = any(finding.seeds > finding.used for finding in judgement.findings)
    images = not all(np.isnan(finding.image_error) for finding in judgement.findings)
    columns = [
        Column("relation"),
        Column("verdict"),
        Column("left", form),
        Column("right", form),
        Column("difference", f"+{form}"),
        *(
            [Column("error of seeds", form.replace("1", "2")), Column("error of images", form.replace("1", "2"))]
            * images
        ),
        Column("chance", ".0%"),
        Column("p", ".2g"),
        Column("looks"),
        Column("seeds", "d"),
        *([Column("seeds waiting", "d")] * waiting),
        Column("why undecided"),
    ]
    margins = [f"{sign}: {size:{form}}" for sign, size in (("≈ and >=", claim.about), (">>", claim.far)) if size]
    says = f"{judgement.verdict}: {'; '.join(claim.ordering)} in {metric_words(claim.metric)}, sec. {claim.section}"
    caption = f"{says}; margins {', '.join(margins)}" if margins else says
    rows = [_row(finding, images, waiting) for finding in judgement.findings]
    notes = [*filter(None, [advice(judgement), _spent(judgement.findings)]), *judgement.notes]
    return Table(f"Claim {claim.key}: {claim.says}", columns, rows, caption, notes, BRACKETS)


def _spent(findings: Sequence[Finding]) -> str:
    """Say how much of the report's error a claim has, and how much of that its looks have spent."""
    looks = max(_looks(finding) for finding in findings)
    if not looks:
        return ""
    seeds, spent = PLANNED[:looks], sum(SHARES[:looks])
    return (
        f"It has {findings[0].level / LEVEL:.0%} of the report's error; {looks} of {len(PLANNED)} planned looks, at "
        f"{', '.join(map(str, seeds))} seeds, have spent {spent:.0%} of that."
    )


def _looks(finding: Finding) -> int:
    return sum(finding.used >= seeds for seeds in PLANNED)


def _row(finding: Finding, images: bool, waiting: bool) -> Sequence[Cell]:
    relation = f"{finding.relation} (implied)" if finding.relation.implied else str(finding.relation)
    return [
        relation,
        finding.verdict,
        finding.left,
        finding.right,
        Mean(finding.used, finding.difference, finding.low, finding.high),
        *([finding.seed_error, finding.image_error] * images),
        Mean(finding.used, *finding.improvement) if finding.used > 1 else None,  # of one seed it is 0 or 1
        finding.p,
        f"{_looks(finding)} of {len(PLANNED)}",
        finding.used,
        *([finding.seeds - finding.used] * waiting),
        finding.reason,
    ]
