"""What a sweep has to do, shown before it starts, and what came of it, shown at its end."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from coatlab.errors import RunError
from coatlab.output.text import duration, shown
from coatlab.runs.record import FINAL, read_records
from coatlab.runs.run import drop_left_over, open_run
from coatlab.runs.spec import Spec
from coatlab.runs.state import FAILURES, State, state_of
from coatlab.sweep.estimate import Expect, expectation

Queued = Callable[[Sequence[Path]], set[Path]]


@dataclass(frozen=True)
class Entry:
    """A run of the sweep, its state when the sweep began, and whether the sweep launches it."""

    spec: Spec
    before: State
    launch: bool


@dataclass(frozen=True)
class Todo:
    """The distinct experiments of a sweep."""

    entries: list[Entry]
    same: int  # cells that are the same experiment as one of these

    def donors(self) -> list[Spec]:
        """List the donors that runs to be launched need and that are not complete, each once."""
        launched = {one.spec.fingerprint for one in self.entries if one.launch}
        missing = {
            one.spec.donor.fingerprint: one.spec.donor
            for one in self.entries
            if one.launch and one.spec.donor and state_of(one.spec.donor.folder).name != "complete"
        }
        return [donor for mark, donor in missing.items() if mark not in launched]

    def waves(self) -> Iterator[list[Spec]]:
        """Yield what to launch together: first missing donors and the runs that wait for none, then the runs that wait.

        The second wave is decided after the first has ended: a run whose donor failed is left out of it.
        """
        launched = [one.spec for one in self.entries if one.launch]
        waiting = [spec for spec in launched if spec.donor and state_of(spec.donor.folder).name != "complete"]
        known = {spec.fingerprint for spec in waiting}
        first = [*self.donors(), *(spec for spec in launched if spec.fingerprint not in known)]
        if first:
            yield first
        if second := [spec for spec in waiting if spec.donor and state_of(spec.donor.folder).name not in FAILURES]:
            yield second


def make_todo(specs: Iterable[Spec], retry: bool, queued: Queued = lambda folders: set(), tidy: bool = True) -> Todo:
    """Decide what is to be launched: every experiment once, unless it is complete, running or bound to fail.

    Args:
        specs: all that the sweep asks for.
        retry: whether failed runs are tried again.
        queued: tells which running ones are jobs of an earlier command, which the launcher waits for.
        tidy: delete what complete runs left over.
    """
    every = list(specs)
    distinct: dict[str, Spec] = {}
    for spec in every:
        distinct.setdefault(spec.fingerprint, spec)
    entries = []
    for spec in distinct.values():
        state, blocked = _state(spec, retry)
        if tidy:
            drop_left_over(spec.folder, state.record)
        entries.append(Entry(spec, state, _open(state, retry) and not blocked))
    followed = queued([one.spec.folder for one in entries if one.before.name == "running"])
    entries = [replace(one, launch=True) if one.spec.folder in followed else one for one in entries]
    return Todo(entries, same=len(every) - len(entries))


def note_study(todo: Todo, study: str | None) -> None:
    """Note in the records of finished runs that this study asks for them as well.

    Raises:
        RunError: a record cannot be written.
    """
    for one in todo.entries:
        for spec in (one.spec, *([one.spec.donor] if one.spec.donor else [])):
            record = state_of(spec.folder).record
            if study and record and record["status"] in FINAL and study not in record["studies"]:
                open_run(spec, wait=True).close()


def show_todo(todo: Todo, runs: Path, study: str | None) -> None:
    """Print what is complete, running, failed and left to do, and how long that will take, judged by the records."""
    launched = [one for one in todo.entries if one.launch]
    count = Counter(one.before.name for one in todo.entries)
    followed = sum(one.before.name == "running" for one in launched)
    again = sum(one.before.name == "failed" for one in launched)
    rows = {
        "complete": count["complete"],
        "running, waited for": followed,
        "running elsewhere": count["running"] - followed,
        "failed, left": sum(one.before.name in FAILURES and not one.launch for one in todo.entries),
        "same as another": todo.same,
        "to do": len(launched) - followed,
    }
    number = len(todo.entries)
    title = f"{study or 'sweep'}: {number} run{'s' * (number != 1)}"
    console = _console()
    console.print(f"[bold]{escape(title)}[/]")
    _row(console, "folder", shown(runs))
    for name, number in rows.items():
        if number or name in ("complete", "to do"):
            _row(console, name, str(number))
    if again:
        _row(console, "of these", f"{again} failed before and are tried again; sweep.retry=never leaves them")
    donors = todo.donors()
    if donors:
        _row(console, "first", f"{len(donors)} to start from: " + ", ".join(spec.folder.name for spec in donors))
    if launched:
        expect = expectation(record for _, record in read_records(runs))
        _row(console, "expected", _time([one.spec for one in launched] + donors, expect))
    for one in todo.entries:
        if (one.before.name == "running" and not one.launch) or (one.before.name in FAILURES and not one.launch):
            _row(console, one.before.name, f"{shown(one.spec.folder)}: {one.before.reason}")


def show_plan(todo: Todo, runs: Path) -> None:
    """Print what a sweep would launch, in its order: a line for the runs that only budget or seed tells apart."""
    expect, console = expectation(record for _, record in read_records(runs)), _console()
    groups: dict[str, list[Spec]] = {}
    for spec in [*todo.donors(), *(one.spec for one in todo.entries if one.launch)]:
        groups.setdefault(spec.folder.name.rsplit("-", 2)[0], []).append(spec)
    for name, specs in groups.items():
        seeds = len({spec.config["seed"] for spec in specs})
        runs_of = f"{len(specs)} run{'s' * (len(specs) > 1)}, {seeds} seed{'s' * (seeds > 1)}"
        console.print(f"{escape(name)}: {runs_of}; {_time(specs, expect)}", soft_wrap=True)
    console.print("nothing was started: sweep.dry_run=true")


def show_outcome(todo: Todo, errors: Mapping[str, str], detached: bool = False) -> None:
    """Print what came of a sweep, as the records have it.

    Args:
        todo: what was to be done.
        errors: what launched runs raised, by fingerprint; shown where the record has no reason.
        detached: whether launched runs may still be waiting in a queue.

    Raises:
        RunError: a run failed, or is unfinished although no process is running it.
    """
    after = {}
    for one in todo.entries:
        state, _ = _state(one.spec, retry=False)
        if state.name in ("missing", "interrupted") and one.spec.fingerprint in errors:
            state = State("failed", state.record, errors[one.spec.fingerprint])
        after[one.spec.folder] = state
    names = Counter(state.name for state in after.values())
    before = sum(one.before.name == "complete" for one in todo.entries)
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


def _state(spec: Spec, retry: bool) -> tuple[State, bool]:
    """Return where a run stands, and whether it is blocked because its donor has failed."""
    state = state_of(spec.folder)
    if spec.donor and state.name in ("missing", "interrupted", "failed"):
        first = state_of(spec.donor.folder)
        if first.name in FAILURES and not _open(first, retry):
            reason = f"it starts from {shown(spec.donor.folder)}: {first.reason}"
            return replace(state, name="failed", reason=reason), True
    return state, False


def _open(state: State, retry: bool) -> bool:
    return state.name in ("missing", "interrupted") or (state.name == "failed" and retry)


def _time(specs: list[Spec], expect: Expect) -> str:
    known = [seconds for spec in specs if (seconds := expect(spec.config)) is not None]
    unknown = len(specs) - len(known)
    if not known:
        return "unknown: no run like these is complete on this machine"
    total = f"about {duration(sum(known))} of training, by complete runs like these"
    return total + (f", and {unknown} of unknown length" if unknown else "")


def _console() -> Console:
    return Console(highlight=False)


def _row(console: Console, name: str, value: str) -> None:
    console.print(f"[dim]{name:<20}[/] {escape(value)}", soft_wrap=True)
