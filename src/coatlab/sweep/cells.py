"""The cells of a sweep: every run that it asks for, composed and checked."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from coatlab.config.compose import closed
from coatlab.runs import donor
from coatlab.runs.identity import fingerprint, folder_name


@dataclass(frozen=True)
class Cell:
    """One run that a sweep asks for."""

    words: tuple[str, ...]  # the overrides that make it
    config: Mapping[str, Any]
    fingerprint: str
    folder: Path
    donor: "Cell | None" = None  # the described run that it starts from


def compose_cells(expanded: Iterable[Sequence[str]], load: Callable[[list[str]], DictConfig]) -> Iterator[Cell]:
    """Compose and check every cell of an expanded sweep.

    Args:
        expanded: the overrides of each cell.
        load: composes overrides into a config.

    Raises:
        InputError: a cell that cannot be run; nothing was begun.
    """
    for words in expanded:
        config = load(list(words))
        if "hydra" in config:  # and is left out: a sweep's cell knows its number only when it is launched
            config = closed(config)
        named, first = donor.prepared(config)
        yield _cell(words, named, None if first is None else _cell((*words, "init.pretrain_only=true"), first))


def _cell(words: Sequence[str], config: Mapping[str, Any], first: Cell | None = None) -> Cell:
    folder = Path(config["paths"]["runs"]) / folder_name(config)
    return Cell(tuple(words), config, fingerprint(config), folder, first)
