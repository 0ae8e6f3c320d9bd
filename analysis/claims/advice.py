"""What to do about an undecided claim: which seeds to run, how long that takes, and the command."""

from collections.abc import Sequence

import numpy as np

from analysis.claims.decide import UNDECIDED
from analysis.claims.judge import Judgement
from analysis.stats.looks import PLANNED
from coatlab.config.places import train_command
from coatlab.output.text import duration

LISTED = 10  # so many seeds are listed; more are a range, which a shell needs quoted


def advice(judgement: Judgement) -> str:
    """Say how many seeds would settle what is undecided in a claim, and how to run them; empty if nothing is known."""
    undecided = [finding for finding in judgement.findings if finding.verdict == UNDECIDED]
    if not undecided or not judgement.seeds:
        return ""
    have = min(finding.seeds for finding in undecided)
    if have and not any(finding.used >= PLANNED[0] for finding in undecided):
        first = PLANNED[0]
        return f"The first look needs {first} seeds{_time(judgement, have, first)}: {_command(judgement, first)}"
    helped = [finding for finding in undecided if finding.needed is not None]
    if not helped:
        return ""
    needed = max(finding.needed or 0 for finding in helped)
    what = (
        "what is undecided"
        if len(helped) == len(undecided)
        else f"{len(helped)} of {len(undecided)} undecided relations"
    )
    least = min(finding.chance for finding in helped)
    chance = f"{'each ' * (len(helped) > 1)}with a chance of {least:.0%}{' or more' * (len(helped) > 1)}"
    return (
        f"{needed} seeds in all{_time(judgement, have, needed)} settle {what}, {chance}: {_command(judgement, needed)}"
    )


def seed_word(seeds: Sequence[int], needed: int) -> str:
    """Write the override that runs so many seeds in all: those that there are, and the next ones.

    Runs that are complete are not repeated, so the seeds that there are may be named again.
    """
    wanted = sorted(int(seed) for seed in seeds)[:needed]
    first = wanted[-1] + 1 if wanted else 0
    wanted += range(first, first + needed - len(wanted))
    if len(wanted) > LISTED and wanted == [*range(wanted[0], wanted[-1] + 1)]:
        return f"seed=range({wanted[0]},{wanted[-1] + 1})"
    return f"seed={','.join(map(str, wanted))}"


def _time(judgement: Judgement, have: int, needed: int) -> str:
    more = f"{needed - have} more"
    return (
        f" ({more})"
        if np.isnan(judgement.seconds)
        else f" ({more}, about {duration((needed - have) * judgement.seconds)})"
    )


def _command(judgement: Judgement, needed: int) -> str:
    data = judgement.claim.rows.get("data.name", ())
    chosen = [f"data={data[0]}"] if len(data) == 1 else []
    return train_command([f"sweep={judgement.claim.study}", *chosen, seed_word(judgement.seeds, needed)])
