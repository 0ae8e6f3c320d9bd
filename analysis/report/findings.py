"""The findings of a report in a few lines: what was found, how sure it is, and what would settle what is open.

`headlines` is a sentence per primary claim, for the top of the page; `findings` has all claims, for the terminal.
"""

from collections.abc import Sequence

import numpy as np

from analysis.claims.advice import Step, advice, first_runs, has_runs, next_step
from analysis.claims.decide import CONTRADICTED, SUPPORTED, Finding
from analysis.claims.judge import Judgement
from analysis.claims.scale import OUT_OF_REACH
from analysis.claims.standing import (
    FAILS,
    HOLDS,
    INCOMPARABLE,
    NO_NUMBER,
    OPEN,
    TOO_FEW,
    TOO_NOISY,
    difference_words,
    leaning,
    said,
    standing,
)
from analysis.claims.variants import agreement
from analysis.stats.looks import PLANNED

MOST = 2  # relations that a headline tells


def findings(judgements: Sequence[Judgement]) -> list[str]:
    """Say of each claim which of its relations hold, which do not, and what would settle the rest.

    A claim about which there is no run yet is only named, with the others of its kind in one line.
    """
    lines, silent = [], []
    for judgement in judgements:
        if has_runs(judgement):
            lines += [f"{judgement.claim.key}, {judgement.claim.says}: {judgement.verdict}", *_of(judgement)]
        else:
            silent.append(judgement)
    return [*lines, *agreement(judgements), *unrun(silent)]


def unrun(judgements: Sequence[Judgement]) -> list[str]:
    """Name the claims about which there is no run, in one line with the commands that make the first ones."""
    silent = [one for one in judgements if not has_runs(one)]
    if not silent:
        return []
    commands = "; ".join(dict.fromkeys(map(first_runs, silent)))
    return [f"without runs, so not judged: {'; '.join(one.claim.key for one in silent)}: {commands}"]


def headlines(judgements: Sequence[Judgement]) -> list[str]:
    """Say in a sentence what was found about each primary claim, variants that decide more of it, and what is settled.

    A claim that is neither primary nor a variant has a sentence if it is supported or contradicted. All claims have one
    if none is primary.
    """
    known = [one for one in judgements if has_runs(one)]
    primary = {one.claim.key: one for one in known if one.claim.primary}
    more = [one for one in known if one.claim.beside in primary and _decided(one) > _decided(primary[one.claim.beside])]
    more += [one for one in known if one.claim.beside is None and one.verdict in (SUPPORTED, CONTRADICTED)]
    return [_headline(one) for one in known if not primary or one.claim.key in primary or one in more]


def settling(judgements: Sequence[Judgement]) -> tuple[Judgement, Step] | None:
    """Return the claim to settle next and the step that does: of the open ones, primary before others; None if none."""
    steps = [(one, step) for one in judgements if (step := next_step(one)) is not None]
    return next((pair for pair in steps if pair[0].claim.primary), steps[0] if steps else None)


def relation_words(finding: Finding, judgement: Judgement) -> str:
    """Say of a relation its difference, where it stands, and how many seeds it lacks."""
    claim, stands = judgement.claim, standing(finding)
    parts = [difference_words(finding, claim), stands, leaning(finding, claim)]
    needed = PLANNED[0] if stands == TOO_FEW else finding.needed
    if needed is not None and stands in (TOO_FEW, TOO_NOISY):
        more = needed - finding.seeds
        parts.append(f"{more} more seed{'s' * (more != 1)}")
    return ", ".join(filter(None, parts))


def why_silent(judgement: Judgement) -> str:
    """Say why a claim has no number at all, in one sentence for all of its relations; empty if it has one."""
    stands = dict.fromkeys(map(standing, judgement.findings))
    if judgement.verdict == OUT_OF_REACH:
        return f"{OUT_OF_REACH}: {judgement.findings[0].reason}"
    if set(stands) == {INCOMPARABLE}:
        return f"{INCOMPARABLE}: {judgement.findings[0].reason}"
    if NO_NUMBER in stands and judgement.seeds and not any(one.seeds for one in judgement.findings):
        return f"{', '.join(stands)}: {'; '.join(judgement.notes) or judgement.findings[0].reason}"
    return ""


def _decided(judgement: Judgement) -> int:
    return sum(standing(one) in (HOLDS, FAILS) for one in judgement.findings)


def _headline(judgement: Judgement) -> str:
    claim, found = judgement.claim, judgement.findings
    begin = claim.says[0].upper() + claim.says[1:] + f", at {claim.panel}" * bool(claim.panel)
    if judgement.verdict == OUT_OF_REACH:
        return f"{begin}: out of reach at this scale, since {found[0].reason}."
    counted = {word: [one for one in found if standing(one) in kinds] for word, kinds in _GROUPS.items()}
    if judgement.verdict == SUPPORTED:
        return f"{begin}: the order of the paper holds. {_told(counted[HOLDS], judgement)}"
    if judgement.verdict == CONTRADICTED:
        return f"{begin}: the order of the paper does not hold. {_told(counted[FAILS], judgement)}"
    of_all = f"of {len(found)} relations" if len(found) > 1 else "relation"
    numbers = [f"{len(some)} {of_all} {_plural(word, some)}" for word, some in counted.items() if some]
    if len(counted["open"]) == len(found) > 1:
        numbers = [f"none of {len(found)} relations is decided yet"]
    reasons = dict.fromkeys(standing(one) for one in counted["open"])
    told = f"{begin}: {', '.join(numbers)} ({', '.join(reasons)})."
    if decided := counted[FAILS] + counted[HOLDS]:
        return f"{told} {_told(decided, judgement)}"
    known = [one for one in found if not np.isnan(one.difference)]
    return f"{told} So far: {_told(known, judgement)}" if known else told


_GROUPS = {HOLDS: (HOLDS,), FAILS: (FAILS,), "open": OPEN}


def _plural(word: str, some: Sequence[Finding]) -> str:
    plural = {HOLDS: "hold", FAILS: "do not hold", "open": "are undecided"}
    single = {HOLDS: "holds", FAILS: "does not hold", "open": "is undecided"}
    return (plural if len(some) > 1 else single)[word]


def _told(found: Sequence[Finding], judgement: Judgement) -> str:
    """Tell the relations that say most: written ones first, then those of the largest differences."""
    ordered = sorted(found, key=lambda one: (one.relation.implied, -abs(np.nan_to_num(one.difference))))
    told = [said(one, judgement.claim) for one in ordered[:MOST]]
    seeds = min((one.used for one in found), default=0)
    return f"{_sentence('; '.join(told))} ({seeds} seed{'s' * (seeds != 1)})." if told else ""


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _of(judgement: Judgement) -> list[str]:
    found = judgement.findings
    if judgement.verdict == OUT_OF_REACH:
        return [f"  {found[0].reason}"]
    lines = []
    for word in dict.fromkeys([HOLDS, FAILS, *map(standing, found)]):
        if some := [one for one in found if standing(one) == word]:
            lines.append(f"  {word}: {_listed(some, judgement)}")
    told = advice(judgement) or why_silent(judgement)
    if not told:
        told = "; ".join(dict.fromkeys(part for one in found for part in one.reason.split("; ") if part))
    return [*lines, *([f"  {told}"] if told else [])]


def _listed(found: Sequence[Finding], judgement: Judgement) -> str:
    return ", ".join(f"{one.relation}{_difference(one, judgement)}" for one in found)


def _difference(finding: Finding, judgement: Judgement) -> str:
    parts = [difference_words(finding, judgement.claim), leaning(finding, judgement.claim)]
    seeds = f"{finding.used} seed{'s' * (finding.used != 1)}" if finding.used else ""
    told = ", ".join(filter(None, [*parts, seeds]))
    return f" ({told})" if parts[0] else ""
