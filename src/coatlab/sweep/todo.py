"""What a sweep has to do and what came of it: its cells by state, shown before and after."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from coatlab.errors import RunError
from coatlab.output.text import duration, shown
from coatlab.runs.record import FINAL, read_records
from coatlab.runs.run import open_run
from coatlab.runs.state import FAILURES, State, state_of
from coatlab.sweep.cells import Cell
from coatlab.sweep.estimate import Expect, expectation

Queued = Callable[[Sequence[Path]], set[Path]]


@dataclass(frozen=True)
class Planned:
    """A cell, where it stood when the sweep began, and whether the sweep launches it."""

    cell: Cell
    before: State
    launch: bool


@dataclass(frozen=True)
class Plan:
    """The different experiments of a sweep."""

    planned: list[Planned]
    same: int  # cells that are the same experiment as one of these

    def donors(self) -> list[Cell]:
        """List the described runs that cells to be launched start from and that are not there, each once."""
        cells = {one.cell.fingerprint for one in self.planned if one.launch}
        missing = {
            one.cell.donor.fingerprint: one.cell.donor
            for one in self.planned
            if one.launch and one.cell.donor and state_of(one.cell.donor.folder).name != "complete"
        }
        return [donor for mark, donor in missing.items() if mark not in cells]

    def waves(self) -> Iterator[list[Cell]]:
        """Yield what to launch together: missing donors with the cells that wait for none, then those that do.

        The second wave is decided when the first is over: a cell whose donor failed is not in it.
        """
        launched = [one.cell for one in self.planned if one.launch]
        waiting = [cell for cell in launched if cell.donor and state_of(cell.donor.folder).name != "complete"]
        first = [*self.donors(), *(cell for cell in launched if cell not in waiting)]
        if first:
            yield first
        if second := [cell for cell in waiting if cell.donor and state_of(cell.donor.folder).name not in FAILURES]:
            yield second


def make_plan(cells: Iterable[Cell], retry: bool, queued: Queued = lambda folders: set()) -> Plan:
    """Sort out what is to be launched: neither the same twice, nor what is done, held, or final.

    Args:
        cells: all that the sweep asks for.
        retry: try again what failed.
        queued: which of the running ones the launcher has in its queue: it waits for these.
    """
    every = list(cells)
    different: dict[str, Cell] = {}
    for cell in every:
        different.setdefault(cell.fingerprint, cell)
    planned = []
    for cell in different.values():
        state, blocked = _state(cell, retry)
        planned.append(Planned(cell, state, _open(state, retry) and not blocked))
    followed = queued([one.cell.folder for one in planned if one.before.name == "running"])
    planned = [replace(one, launch=True) if one.cell.folder in followed else one for one in planned]
    return Plan(planned, same=len(every) - len(planned))


def note_study(plan: Plan, study: str | None) -> None:
    """Write into the records of runs that are done already that this study asks for them, too.

    Raises:
        RunError: a record cannot be written.
    """
    for one in plan.planned:
        for cell in (one.cell, *([one.cell.donor] if one.cell.donor else [])):
            record = state_of(cell.folder).record
            if study and record and record["status"] in FINAL and study not in record["studies"]:
                open_run(cell.config, wait=True).close()


def show_plan(plan: Plan, runs: Path, study: str | None) -> None:
    """Print what is done, held, failed and to do, and how long that will take by the records."""
    launched = [one for one in plan.planned if one.launch]
    count = Counter(one.before.name for one in plan.planned)
    followed = sum(one.before.name == "running" for one in launched)
    again = sum(one.before.name == "failed" for one in launched)
    rows = {
        "complete": count["complete"],
        "running, waited for": followed,
        "running elsewhere": count["running"] - followed,
        "failed, left": sum(one.before.name in FAILURES and not one.launch for one in plan.planned),
        "same as another": plan.same,
        "to do": len(launched) - followed,
    }
    title = f"{study or 'sweep'}: {len(plan.planned)} runs"
    console = _console()
    console.print(f"[bold]{escape(title)}[/]")
    _row(console, "folder", shown(runs))
    for name, number in rows.items():
        if number or name in ("complete", "to do"):
            _row(console, name, str(number))
    if again:
        _row(console, "of these", f"{again} failed before and are tried again; sweep.retry=never leaves them")
    donors = plan.donors()
    if donors:
        _row(console, "first", f"{len(donors)} to start from: " + ", ".join(cell.folder.name for cell in donors))
    if launched:
        expect = expectation(record for _, record in read_records(runs))
        _row(console, "expected", _time([one.cell for one in launched] + donors, expect))
    for one in plan.planned:
        if (one.before.name == "running" and not one.launch) or (one.before.name in FAILURES and not one.launch):
            _row(console, one.before.name, f"{shown(one.cell.folder)}: {one.before.reason}")


def close(plan: Plan, errors: Mapping[str, str], detached: bool = False) -> None:
    """Print what came of a sweep, by the records.

    Args:
        plan: what was to be done.
        errors: what launched cells raised, by fingerprint; it counts where the record does not say more.
        detached: whether launched cells may still be to come.

    Raises:
        RunError: a cell failed, or is not finished although nobody is at it.
    """
    after = {}
    for one in plan.planned:
        state, _ = _state(one.cell, retry=False)
        if state.name in ("missing", "interrupted") and one.cell.fingerprint in errors:
            state = State("failed", state.record, errors[one.cell.fingerprint])
        after[one.cell.folder] = state
    names = Counter(state.name for state in after.values())
    before = sum(one.before.name == "complete" for one in plan.planned)
    failed = sum(names[name] for name in FAILURES)
    open_ = names["missing"] + names["interrupted"]
    console = _console()
    console.print("[bold]sweep ended[/]" if not detached else "[bold]sweep submitted[/]")
    _row(console, "complete", f"{names['complete']}: {names['complete'] - before} now, {before} before")
    for name, number in {"running elsewhere": names["running"], "failed": failed, "not finished": open_}.items():
        if number:
            _row(console, name, str(number))
    for folder, state in after.items():
        if state.name != "complete":
            _row(console, state.name, f"{shown(folder)}: {state.reason or 'not begun'}")
    if failed or (open_ and not detached):
        parts = [f"{failed} failed"] if failed else []
        parts += [f"{open_} not finished"] if open_ else []
        raise RunError(f"of {len(after)} runs {' and '.join(parts)}, listed above; record.json in the folder says more")


def _state(cell: Cell, retry: bool) -> tuple[State, bool]:
    """Return where a cell stands, and whether it cannot go on: its donor has failed, and it has failed with it."""
    state = state_of(cell.folder)
    if cell.donor and state.name in ("missing", "interrupted", "failed"):
        first = state_of(cell.donor.folder)
        if first.name in FAILURES and not _open(first, retry):
            reason = f"it starts from {shown(cell.donor.folder)}: {first.reason}"
            return replace(state, name="failed", reason=reason), True
    return state, False


def _open(state: State, retry: bool) -> bool:
    return state.name in ("missing", "interrupted") or (state.name == "failed" and retry)


def _time(cells: list[Cell], expect: Expect) -> str:
    known = [seconds for cell in cells if (seconds := expect(cell.config)) is not None]
    unknown = len(cells) - len(known)
    if not known:
        return "unknown: no run like these is complete on this machine"
    total = f"about {duration(sum(known))} of training, by complete runs like these"
    return total + (f", and {unknown} of unknown length" if unknown else "")


def _console() -> Console:
    return Console(highlight=False)


def _row(console: Console, name: str, value: str) -> None:
    console.print(f"[dim]{name:<20}[/] {escape(value)}", soft_wrap=True)
