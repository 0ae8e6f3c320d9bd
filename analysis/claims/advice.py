"""What to do about an undecided claim: which seeds to run, how long that takes, and the command."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from omegaconf import DictConfig, OmegaConf

from analysis.claims.decide import UNDECIDED, Finding
from analysis.claims.judge import NO_RUN, Judgement
from analysis.compare.finished import BUDGET, Lack
from analysis.compare.panels import value_text
from analysis.stats.looks import PLANNED
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.config.places import train_command
from coatlab.output.text import duration

# the words of a study whose cells are fine-tuned, for the runs that these start from
PRETRAININGS = ["init=finetune", "init.pretrain_only=true"]
LISTED = 10  # so many seeds are listed; more are a range, which a shell needs quoted


@dataclass(frozen=True)
class Step:
    """What to run next for a claim.

    Attributes:
        seeds: how many there are then, in all.
        more: how many of them are new.
        settles: what it does, as the rest of a sentence about the seeds; empty before a first look.
        seconds: that it takes, by the runs of the seeds that there are; NaN if it is not known.
        command: that does it.
        lacks: trainings under other budgets, if it is not seeds that are missing.
    """

    seeds: int
    more: int
    settles: str
    seconds: float
    command: str
    lacks: Sequence[Lack] = ()

    @property
    def words(self) -> str:
        """Say how many seeds there are to run, how long that takes, and what it settles."""
        time = "" if np.isnan(self.seconds) else f"about {duration(self.seconds)}"
        if self.lacks:
            number = sum(len(lack.seeds) * len(lack.budgets) for lack in self.lacks)
            *first, last = (lack.name for lack in self.lacks)
            names = f"{', '.join(first)} and {last}" if first else last
            what = f"{number} more training{'s' * (number > 1)}, of {names},"
            return f"Some seeds cannot be compared yet; {what} may change that{f' ({time})' * bool(time)}"
        new = ", ".join(filter(None, [f"{self.more} more", time]))
        if not self.settles:
            return f"The first look needs {self.seeds} seeds ({new})"
        return f"{self.seeds} seeds in all ({new}) {self.settles}"


def advice(judgement: Judgement) -> str:
    """Say how many seeds would settle what is undecided in a claim, and how to run them; empty if nothing is known."""
    step = next_step(judgement)
    return f"{step.words}: {step.command}" if step else ""


def next_step(judgement: Judgement) -> Step | None:
    """Return the seeds that would settle what is undecided in a claim, or that it needs to be looked at at all."""
    undecided = [finding for finding in judgement.findings if finding.verdict == UNDECIDED]
    if not undecided or not judgement.seeds:
        return None
    have = min(finding.seeds for finding in undecided)
    if (filled := _filled(judgement, undecided)) is not None:
        return filled
    if any(finding.seeds for finding in undecided) and not any(finding.used >= PLANNED[0] for finding in undecided):
        return _step(judgement, have, PLANNED[0], "")
    helped = [finding for finding in undecided if finding.needed is not None]
    if not helped:
        return None
    needed = max(finding.needed or 0 for finding in helped)
    what = (
        "what is undecided"
        if len(helped) == len(undecided)
        else f"{len(helped)} of {len(undecided)} undecided relations"
    )
    least = min(finding.chance for finding in helped)
    chance = f"{'each ' * (len(helped) > 1)}with a chance of {least:.0%}{' or more' * (len(helped) > 1)}"
    return _step(judgement, have, needed, f"settle {what}, {chance}")


def first_runs(judgement: Judgement) -> str:
    """Return the command that makes the first runs of a claim."""
    return train_command([f"sweep={judgement.claim.study}", *_runs_words(judgement)])


def has_runs(judgement: Judgement) -> bool:
    """Tell whether there is any run about a claim."""
    return bool(judgement.seeds) or any(not one.reason.startswith(NO_RUN) for one in judgement.findings)


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


def _filled(judgement: Judgement, undecided: Sequence[Finding]) -> Step | None:
    """Return the trainings that give seeds a number which have none, where a look waits for it; else None.

    More seeds would be as likely to have none, so these come first.
    """
    waiting = [one.relation for one in undecided if one.used < PLANNED[0] <= len(judgement.seeds)]
    names = {name for relation in waiting for name in (relation.left, relation.right)}
    lacks = [lack for lack in judgement.lacks if lack.name in names and lack.budgets]
    if not lacks or judgement.claim.called:
        return None
    begin = [f"sweep={judgement.claim.study}", *_runs_words(judgement)]
    commands = []
    for lack in lacks:
        name = f"{judgement.claim.names.removesuffix('.name')}={lack.name}"
        budgets, seeds = f"{BUDGET}={','.join(map(str, lack.budgets))}", seed_word(lack.seeds, len(lack.seeds))
        commands.append(train_command([*begin, name, budgets, seeds]))
    return Step(len(judgement.seeds), 0, "", sum(lack.seconds for lack in lacks), " && ".join(commands), lacks)


def _step(judgement: Judgement, have: int, needed: int, settles: str) -> Step:
    more = needed - have
    seeds = seed_word(judgement.seeds, len(judgement.seeds) + more)  # some may be without a number, and stay so
    words = [f"sweep={judgement.claim.study}", *_runs_words(judgement), seeds]
    return Step(needed, more, settles, more * judgement.seconds, train_command(words))


def _runs_words(judgement: Judgement) -> list[str]:
    """Return the words that make the claim's runs and no others, where they are not what the study has anyway."""
    rows, (config, varied) = judgement.claim.rows, _study(judgement.claim.study)
    if "data" not in varied and rows.get("data.name") == [OmegaConf.select(config, "init.pretrain.data", default="")]:
        return PRETRAININGS
    words = []
    for column, valid in rows.items():
        if len(valid) > 1 or isinstance(valid[0], list):
            continue
        key, value = column.removesuffix(".name"), value_text(valid[0])
        if column == "rates":
            words += ["recipe=tuned"] if value == "tuned" else []
        elif key in varied or str(OmegaConf.select(config, f"{key}.name") or OmegaConf.select(config, key)) != value:
            words.append(f"{key}={value}")
    return list(dict.fromkeys(words))  # a rate and a panel may both ask for a recipe


@cache
def _study(study: str) -> tuple[DictConfig, set[str]]:
    """Return the config of a study without those of its cells, and the keys in which these may differ."""
    if study not in choices("sweep"):
        return compose([]), set()
    config = compose([f"sweep={study}"], hydra_too=True)
    sweeper = config.hydra.sweeper
    return config, {*sweeper.params, *sweeper.pick, *(key for cell in sweeper.cells for key in cell)}
