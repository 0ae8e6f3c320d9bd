"""Bring the W&B run of a run folder to the state of the folder, whatever W&B has of it.

What is missing is sent. Rows that are wrong cannot be changed on a server, so a W&B run with such rows is deleted and
made anew, under an id with a suffix, because W&B refuses the id of a deleted run.
"""

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coatlab.errors import RunError
from coatlab.tracking.content import Content
from coatlab.tracking.session import open_once

FINISH_SECONDS = 600  # that W&B may take to send one run
SHOWN_SECONDS = 30  # after which a server shows what was sent
ENDED = {True: ("finished",), False: ("failed", "crashed", "killed")}  # states of W&B, of complete runs and of others


@dataclass(frozen=True)
class Place:
    """Where a W&B run is: its project, and how it is grouped and shown there.

    Attributes:
        shown: name, tags and notes; in W&B they may be changed by hand, so that they are sent and never compared.
    """

    entity: str
    project: str
    group: str | None
    shown: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """How a W&B run differs, in words.

    Attributes:
        wrong: it has rows that the folder does not have.
        missing: it lacks rows, and may only be late to show them.
    """

    words: str
    wrong: bool = False
    missing: bool = False


class NotShown(RunError):
    """The server does not show what was sent to it; `late`: it may still do so."""

    def __init__(self, differs: Difference) -> None:
        self.late = differs.missing
        super().__init__(f"W&B does not show what was sent: {differs.words}")


def repair(api: Any, place: Place, ids: list[str], wanted: Content) -> tuple[Any, str | None]:
    """Compare, and send or replace what differs.

    Args:
        api: W&B's client for reading.
        place: of the W&B run.
        ids: that the W&B run may have, the likeliest first.
        wanted: what it should have.

    Returns:
        The W&B run as W&B's client returns it, and what was done, in words; None: nothing had to be.

    Raises:
        NotShown: the server does not show what was sent.
        Exception: of W&B's.
    """
    found = [(id, run) for id in ids if (run := _find(api, place, id)) is not None]
    if not found:
        return _send(api, place, ids[0], wanted), f"sent ({len(wanted.rows)} rows)"
    id, run = found[0]
    differs = difference(run, wanted)
    if differs is None:
        return run, None
    if not differs.wrong:
        try:
            return _send(api, place, id, wanted), f"completed ({differs.words})"
        except NotShown as error:
            if error.late:
                raise
            run = _find(api, place, id) or run  # it cannot be changed into what it should be
    run.delete()
    return _send(api, place, id, wanted), f"replaced ({differs.words}: deleted and sent anew)"


def difference(run: Any, wanted: Content) -> Difference | None:
    """Say how a W&B run differs from what it should be; None: it does not.

    Args:
        run: as W&B's client returns it.
        wanted: what it should have.
    """
    rows = [(row["_step"], _numbers(row)) for row in run.scan_history(use_cache=False)]
    rows = [(step, values) for step, values in rows if values]
    missing = len(wanted.rows) - len(rows)
    if missing < 0 or not all(map(_same_row, rows, wanted.rows)):
        return Difference("its rows were others than the folder's", wrong=True)
    if missing:
        return Difference(f"{missing} of {len(wanted.rows)} rows were missing", missing=True)
    summary = run.summary_metrics
    if any(not _same(summary.get(key), value) for key, value in wanted.summary.items()):
        return Difference("its summary was another one")
    if not _same({key: value for key, value in dict(run.config).items() if key != "_wandb"}, wanted.config):
        return Difference("its config was another one")
    if run.state not in ENDED[wanted.complete]:
        return Difference(f"it was {run.state}")
    return None


def _find(api: Any, place: Place, id: str) -> Any | None:
    """Return a run of the server; None if it has none of this id."""
    from wandb.errors import CommError

    try:
        api.flush()  # it would return what it has read before
        return api.run(f"{place.entity}/{place.project}/{id}")
    except (CommError, ValueError) as error:
        if any(words in str(error) for words in ("Could not find", "not found")):
            return None
        raise


def _send(api: Any, place: Place, id: str, wanted: Content) -> Any:
    """Send what the server does not have; return the run as the server shows it."""
    with tempfile.TemporaryDirectory() as folder:  # the run folder stays as it is
        run = open_once(
            id, FINISH_SECONDS, mode="online", entity=place.entity, project=place.project, group=place.group,
            **place.shown, job_type="train", config=wanted.config, dir=folder,
        )  # fmt: skip
        used = str(run.id)
        for step, values in wanted.rows:
            if step >= run.starting_step:
                run.log(values, step=step, commit=True)  # else the last row would follow, and change, the summary
        run.summary.update(wanted.summary)
        run.finish(exit_code=0 if wanted.complete else 1)
    end = time.monotonic() + SHOWN_SECONDS
    while True:
        shown = _find(api, place, used)
        differs = difference(shown, wanted) if shown is not None else Difference("it is not there", missing=True)
        if differs is None:
            return shown
        if time.monotonic() > end:
            raise NotShown(differs)
        time.sleep(1)


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row of W&B's that metrics.jsonl has, too: not its own, and no words for NaN."""
    return {key: value for key, value in row.items() if not key.startswith("_") and _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _same_row(row: tuple[int, Mapping[str, Any]], other: tuple[int, Mapping[str, Any]]) -> bool:
    return row[0] == other[0] and _same(row[1], other[1])


def _same(one: Any, other: Any) -> bool:
    """Compare values as JSON has them: 1 is 1.0, and a tuple is a list."""
    if isinstance(one, Mapping) or hasattr(one, "keys"):
        return isinstance(other, Mapping) and _same_items(dict(one), dict(other))
    if isinstance(one, list | tuple):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return _is_number(one) and _is_number(other) and math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


def _same_items(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
