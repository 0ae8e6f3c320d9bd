"""One run before it begins: what it is, where it goes and which run it starts from; made once and handed on.

A `Spec` goes as it is from the sweep to the launcher and to the process that trains, also when that is another process
or another machine. So the run that is trained is the one that was checked and shown, whatever has happened to the
configs since.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.config.rules import check
from coatlab.errors import InputError
from coatlab.runs.donor import with_donor
from coatlab.runs.identity import fingerprint, folder_name

MANY = 100  # cells: they take a second or more


@dataclass(frozen=True)
class Spec:
    """A run that was asked for.

    Attributes:
        words: the overrides that make it.
        config: resolved and checked, with what its data contain and its donor's fingerprint filled in.
        fingerprint: its identity.
        folder: its run folder, whether that exists or not.
        donor: the run that it starts from, where `init.pretrain` describes one.
    """

    words: tuple[str, ...]
    config: Mapping[str, Any]
    fingerprint: str
    folder: Path
    donor: "Spec | None" = None

    def with_threads(self, threads: int) -> "Spec":
        """Return the same run, and its donor, on a number of CPU threads, unless the user has set one."""
        if self.config["trainer"]["threads"]:
            return self
        config = {**self.config, "trainer": {**self.config["trainer"], "threads": threads}}
        donor = self.donor and self.donor.with_threads(threads)
        return replace(self, words=(*self.words, f"trainer.threads={threads}"), config=config, donor=donor)


def make_spec(composed: DictConfig, words: Sequence[str]) -> Spec:
    """Resolve and check a composed config, look into its data, and find or describe its donor.

    With `init.pretrain_only` the donor itself is the run that was asked for.

    Args:
        composed: with the keys of its choices and no other (`compose`, `closed`), without Hydra's own settings;
            it is nobody else's, and is changed.
        words: the overrides that made it.

    Raises:
        InputError: the run, or the one that it starts from, cannot be what the config asks for.
    """
    run = with_content(resolve(composed))
    check(run)
    run, described = with_donor(run)
    if described is None:
        if run["init"].get("pretrain_only"):
            raise InputError("init.pretrain_only=true needs init.pretrain, the keys that make the run to be trained")
        return _spec(words, run)
    check(described)
    own = [word for word in words if not word.startswith("init.pretrain_only=")]
    donor = _spec([*own, "init.pretrain_only=true"], described)
    return donor if run["init"]["pretrain_only"] else _spec(words, run, donor)


def make_specs(cells: Sequence[Sequence[str]], folders: Sequence[str] | None = None) -> Iterator[Spec]:
    """Make the spec of every cell of a sweep; of many, how far it is is shown on stderr.

    Args:
        cells: the overrides of each.
        folders: where choices are looked for besides conf/; None: where the running command does, if one runs.

    Raises:
        InputError: a cell that cannot be run; nothing has begun.
    """
    for words in _shown(cells) if len(cells) >= MANY else cells:
        spec = make_spec(compose(list(words), folders=folders), words)
        if spec.config["trainer"]["fast_dev_run"]:
            raise InputError(
                "trainer.fast_dev_run=true is not valid in a sweep; try one of its runs, without --multirun"
            )
        yield spec


def _shown(cells: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    title, console = f"composing {len(cells):,} cells", Console(stderr=True)
    if console.is_terminal:
        yield from track(cells, title, console=console, transient=True)
    else:
        console.print(title)
        yield from cells


def _spec(words: Sequence[str], config: Mapping[str, Any], donor: Spec | None = None) -> Spec:
    folder = Path(config["paths"]["runs"]) / folder_name(config)
    return Spec(tuple(words), config, fingerprint(config), folder, donor)
