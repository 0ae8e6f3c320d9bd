"""The state of a run, from its folder alone.

`complete`; `running`, held by a live process; `interrupted`, begun and let go of; `failed`; `diverged`; `unreadable`, a
record that this version cannot read; `outdated`, made by an older version; `missing`, not begun.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coatlab.errors import Outdated, RunError
from coatlab.output.text import line
from coatlab.runs.lock import holder
from coatlab.runs.record import FINAL, read_record

STATES = ("complete", "running", "interrupted", "failed", "diverged", "unreadable", "outdated", "missing")


FAILURES = ("failed", "diverged", "unreadable", "outdated")


@dataclass(frozen=True)
class State:
    """Where a run stands."""

    name: str  # one of STATES
    record: Mapping[str, Any] | None = None
    reason: str | None = None  # of a failure or an interruption, in a line; who holds a running one


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
    return State(status, record, line(why) if why else None)
