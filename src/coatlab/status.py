"""The command: `python -m coatlab.status layouts` says where a study stands, from its run folders alone.

    python -m coatlab.status                       every study that has runs, a line each
    python -m coatlab.status layouts seed=0,1,2    the cells of `python src/train.py sweep=layouts seed=0,1,2`
    python -m coatlab.status layouts --json        the same for programs

Runs of the study that these words do not ask for are shown as well: they are there. The keys of the JSON:

    runs      folder of run folders
    study     as asked for, or null
    commands  a list: what finishes it; empty if nothing is left to do
    counts    number of cells by state (coatlab.runs.state says what the states mean)
    cells     a list: name (without the seed), studies, seed, state, asked (by these words), folder, fingerprint,
              error (of a failure, or who is at it), age (seconds since its last row or record), epoch (the last that
              was finished) and epochs (of the whole run); null where there is none
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from coatlab.cli import one_sentence_errors
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.config.words import word
from coatlab.errors import not_one_of
from coatlab.output.text import duration
from coatlab.runs.identity import experiment, folder_name
from coatlab.runs.record import read_metrics
from coatlab.runs.spec import Spec, make_specs
from coatlab.runs.state import STATES, State, state_of
from coatlab.sweep.expand import expand

NO_STUDY = "none"
COLORS = {"complete": "green", "running": "cyan", "missing": "dim", "outdated": "dim", "interrupted": "yellow"}

PIPED_COLUMNS = 300


@dataclass(frozen=True)
class Row:
    """One run, as the JSON has it."""

    name: str
    studies: list[str]
    seed: int | None
    state: str
    asked: bool
    folder: str
    fingerprint: str | None
    error: str | None
    age: float | None
    epoch: int | None
    epochs: int | None


def main(words: list[str] | None = None) -> None:
    """Read the arguments, look at the run folders, print."""
    studies = choices("sweep")
    parser = argparse.ArgumentParser(prog="python -m coatlab.status", description="Say where a study stands.")
    parser.add_argument("study", nargs="?", help=f"one of: {', '.join(studies)}; without one: a line for each")
    parser.add_argument("override", nargs="*", help="the words of the sweep's command line, as in seed=0,1,2")
    parser.add_argument("--runs", type=Path, help="folder of run folders (environment: COATLAB_RUNS)")
    parser.add_argument("--all", action="store_true", help="every run there is, whatever its study")
    parser.add_argument("--json", action="store_true", help="for programs; the module's docstring explains the keys")
    chosen = parser.parse_intermixed_args(words)
    if chosen.study is not None and chosen.study not in studies:
        raise not_one_of("study", chosen.study, studies)
    place = [word("paths.runs", str(chosen.runs))] if chosen.runs else []
    line = [f"sweep={chosen.study}", *chosen.override, *place] if chosen.study else []
    cells = _cells(chosen.study, line) if chosen.study else []
    runs = cells[0].folder.parent if cells else chosen.runs or Path(os.environ.get("COATLAB_RUNS", "runs"))
    rows = look(runs, chosen.study, cells)
    commands = _commands(rows, chosen.study, line, place)
    if chosen.json:
        counts = {state: sum(row.state == state for row in rows) for state in STATES}
        found = {"runs": str(runs), "study": chosen.study, "commands": commands, "counts": counts}
        print(json.dumps(found | {"cells": [asdict(row) for row in rows]}))
    elif chosen.study or chosen.all:
        _show(rows, commands)
    else:
        _show_studies(rows)


def _cells(study: str, line: Sequence[str]) -> list[Spec]:
    """Compose the cells that the command line of a study asks for."""
    sweeper = compose([f"sweep={study}"], hydra_too=True).hydra.sweeper
    return list(make_specs(expand(sweeper, line, OverridesParser.create()), compose))


def look(runs: Path, study: str | None = None, cells: Iterable[Spec] = ()) -> list[Row]:
    """Return a row for each run that a study asks for or has, in the order of its sweep; without a study, for all runs.

    Args:
        runs: folder of run folders.
        study: name of a sweep.
        cells: what it asks for.
    """
    asked: dict[Path, Mapping[str, Any]] = {}
    for cell in cells:
        if cell.donor:
            asked[cell.donor.folder] = cell.donor.config
        asked[cell.folder] = cell.config
    folders = dict.fromkeys([*asked, *(path.parent for path in sorted(runs.glob("*/record.json")))])
    states = {folder: state_of(folder) for folder in folders}
    kept = [folder for folder, state in states.items() if study is None or folder in asked or study in _studies(state)]
    configs = {folder: asked.get(folder) or (states[folder].record or {}).get("config") for folder in kept}
    names = _names({folder: config for folder, config in configs.items() if config})
    return [
        _row(folder, states[folder], configs[folder], names.get(folder, folder.name), folder in asked)
        for folder in kept
    ]


def _studies(state: State) -> list[str]:
    return list(state.record["studies"]) if state.record else []


def _row(folder: Path, state: State, config: Mapping[str, Any] | None, name: str, asked: bool) -> Row:
    rows: Sequence[Mapping[str, Any]] = []
    if state.record:  # a complete one knows its last epoch: of thousands, all rows would take long to read
        rows = [state.record["final"]] if state.name == "complete" else read_metrics(folder)
    files = [path for path in (folder / "metrics.jsonl", folder / "record.json") if path.exists()]
    latest = max((path.stat().st_mtime for path in files), default=None)
    done = [row["epoch"] for row in rows if "epoch" in row]
    return Row(
        name=name,
        studies=_studies(state),
        seed=config["seed"] if config else None,
        state=state.name,
        asked=asked,
        folder=str(folder),
        fingerprint=state.record["fingerprint"] if state.record else None,
        error=state.reason if state.name != "complete" else None,
        age=None if latest is None else round(time.time() - latest, 1),
        epoch=int(done[-1]) if done else None,
        epochs=config["trainer"]["max_epochs"] if config else None,
    )


def _names(configs: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """Name each run by its folder less seed and fingerprint, and by the keys in which those of one such name differ."""
    alike: dict[str, dict[Path, dict[str, Any]]] = defaultdict(dict)
    for folder, config in configs.items():
        counts = {key: value for key, value in experiment(config).items() if key not in ("seed", "init.donor")}
        alike[folder_name(config).rsplit("-", 2)[0]][folder] = counts
    names = {}
    for name, flat in alike.items():
        keys = sorted({key for counts in flat.values() for key in counts})
        varied = [key for key in keys if len({str(counts.get(key)) for counts in flat.values()}) > 1]
        for folder, counts in flat.items():
            names[folder] = " ".join([name, *(f"{key}={counts[key]}" for key in varied if key in counts)])
    return names


def _commands(rows: Sequence[Row], study: str | None, line: Sequence[str], place: Sequence[str]) -> list[str]:
    """Return what finishes a study: its sweep, and the runs of it that other words asked for, in the same `place`."""
    if study is None:
        return []
    unfinished = [row for row in rows if row.state in ("missing", "interrupted", "failed")]
    lines = [line] if any(row.asked for row in unfinished) else []
    for row in unfinished:
        path = Path(row.folder) / ".hydra" / "overrides.yaml"
        if not row.asked and path.exists():
            words = [str(entry) for entry in OmegaConf.load(path)]
            words = [entry for entry in words if not place or not entry.startswith("paths.runs=")] + [*place]
            lines += [words] if f"sweep={study}" in words else []
    return [shlex.join(["python", "src/train.py", *words]) for words in lines]


def _show(rows: Sequence[Row], commands: Sequence[str]) -> None:
    table = Table("cell", "state", "seeds", "epoch", "last row", "why", box=box.SIMPLE)
    together: dict[tuple[str, str, str | None], list[Row]] = defaultdict(list)
    for row in rows:
        together[row.name, row.state, row.error if row.state != "running" else None].append(row)
    for (name, state, _), same in together.items():
        seeds = ",".join(str(row.seed) for row in same if row.seed is not None)
        epochs = ",".join(f"{row.epoch or 0}/{row.epochs}" for row in same if row.state in ("running", "interrupted"))
        ages = ",".join(duration(row.age) for row in same if row.age is not None and row.state != "complete")
        why = "; ".join(dict.fromkeys(row.error for row in same if row.error))
        note = "" if all(row.asked for row in same) or not any(row.asked for row in rows) else " (asked by other words)"
        cells = [escape(name) + note, f"[{COLORS.get(state, 'red')}]{state}[/]", seeds, epochs, ages, escape(why)]
        table.add_row(*cells)
    console = _console()
    if rows:
        console.print(table)
    count = Counter(row.state for row in rows)
    console.print(", ".join(f"{count[state]} {state}" for state in STATES if count[state]) or "no run")
    for command in commands:
        console.print(f"finish it: {escape(command)}", soft_wrap=True)


def _console() -> Console:
    """Return where the tables go; in a pipe or a file a reason is not cut into pieces."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_COLUMNS)


def _show_studies(rows: Sequence[Row]) -> None:
    """Print a line for each study: how many runs in which state. What a study misses only its sweep tells."""
    table = Table("study", *STATES[:-1], box=box.SIMPLE)
    for study in sorted({study for row in rows for study in row.studies or [NO_STUDY]}):
        count = Counter(row.state for row in rows if study in (row.studies or [NO_STUDY]))
        table.add_row(study, *(str(count[state] or "") for state in STATES[:-1]))
    console = _console()
    console.print(table if rows else "no run")
    console.print("python -m coatlab.status STUDY tells more; studies: " + ", ".join(choices("sweep")))


if __name__ == "__main__":
    with one_sentence_errors():
        main()
