"""Whether a verdict depends on how a claim is measured, or on the learning rate: claims beside a primary one.

A claim may stand beside another (`beside` in claims.yaml): it has the same ordering, but another measure of the same
thing, or runs at other rates. A report says whether their verdicts agree, relation by relation.
"""

from collections.abc import Sequence

from analysis.claims.judge import Judgement


def agreement(judgements: Sequence[Judgement]) -> list[str]:
    """Say, for each claim that others stand beside, on which relations they have other verdicts.

    Claims without complete runs are left out; where no other claim is left, nothing is said.
    """
    said = []
    for main in judgements:
        group = [main, *(one for one in judgements if one.claim.beside == main.claim.key)]
        group = [one for one in group if one.seeds]
        if len(group) < 2:
            continue
        keys = ", ".join(one.claim.key for one in group[:-1]) + f" and {group[-1].claim.key}"
        differing = [text for relation in _relations(main) if (text := _told(relation, group))]
        said += differing or [f"{keys} have the same verdict on every relation."]
    return said


def _relations(judgement: Judgement) -> list[str]:
    return [str(finding.relation) for finding in judgement.findings]


def _told(relation: str, group: Sequence[Judgement]) -> str:
    """Say which claims have which verdict on a relation; empty if all have the same one."""
    by_verdict: dict[str, list[str]] = {}
    for one in group:
        for finding in one.findings:
            if str(finding.relation) == relation:
                by_verdict.setdefault(finding.verdict, []).append(one.claim.key)
    if len(by_verdict) < 2:
        return ""
    return (
        f"{relation} is " + "; ".join(f"{verdict} in {', '.join(keys)}" for verdict, keys in by_verdict.items()) + "."
    )
