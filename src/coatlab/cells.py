"""A cell of a sweep and the state it is in, from its run folder alone. No torch here.

States: `complete`; `running`, held by a live process; `interrupted`, begun and let go of; `failed`; `diverged`;
`unreadable`, a record that this version cannot read; `outdated`, made by an older version; `missing`, not begun.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from coatlab import donor
from coatlab.errors import Outdated, RunError
from coatlab.identity import fingerprint, folder_name
from coatlab.records import FINAL, read_record
from coatlab.run import holder

STATES = ("complete", "running", "interrupted", "failed", "diverged", "unreadable", "outdated", "missing")
FAILURES = ("failed", "diverged", "unreadable", "outdated")


@dataclass(frozen=True)
class Cell:
    """One run that a sweep asks for."""

    words: tuple[str, ...]  # the overrides that make it
    config: Mapping[str, Any]
    fingerprint: str
    folder: Path
    donor: "Cell | None" = None  # the described run that it starts from


@dataclass(frozen=True)
class State:
    """Where a run stands."""

    name: str  # one of STATES
    record: Mapping[str, Any] | None = None
    reason: str | None = None  # of a failure or an interruption, in a line; who holds a running one


def compose_cells(expanded: Iterable[Sequence[str]], load: Callable[[list[str]], DictConfig]) -> Iterator[Cell]:
    """Compose and check every cell of an expanded sweep.

    Args:
        expanded: the overrides of each cell.
        load: composes overrides into a config.

    Raises:
        InputError: a cell that cannot be run; nothing was begun.
    """
    for words in expanded:
        config = load(list(words)).copy()
        with open_dict(config):
            config.pop("hydra", None)  # a sweep's cell knows its number only when it is launched
        named, first = donor.prepared(config)
        yield _cell(words, named, None if first is None else _cell((*words, "init.pretrain_only=true"), first))


def _cell(words: Sequence[str], config: Mapping[str, Any], first: Cell | None = None) -> Cell:
    folder = Path(config["paths"]["runs"]) / folder_name(config)
    return Cell(tuple(words), config, fingerprint(config), folder, first)


def state_of(folder: Path) -> State:
    """Look at a run folder; nothing in it is changed and no lock is taken."""
    try:
        held = holder(folder)  # before the record: a run that ends in between shows as running, never as interrupted
        record = read_record(folder)
    except Outdated as error:
        return State("outdated", None, str(error))
    except (RunError, OSError) as error:
        return State("unreadable", None, str(error))
    if record is None:
        return State("running", None, held) if held else State("missing")
    status, why = record["status"], record.get("error")
    if held and status not in FINAL:
        return State("running", record, held)
    if status == "running":
        return State("interrupted", record, "its process is gone")
    return State(status, record, " ".join(str(why).split()) if why else None)
