"""The commands `python -m coatlab.benchmark attention`, `... data fractals` and `... packing`."""

import argparse
import os
import sys
from pathlib import Path

import pandas as pd
import torch

from coatlab.benchmark import packing, scaling, throughput
from coatlab.benchmark.growth import draw_growth
from coatlab.cli import one_sentence_errors
from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.config.places import add_folder_option
from coatlab.config.rules import check
from coatlab.errors import InputError, not_one_of
from coatlab.output.figure import save
from coatlab.output.files import write_atomic
from coatlab.output.markdown import to_markdown
from coatlab.output.text import shown
from coatlab.process.machine import processor
from coatlab.process.memory import keep_freed_memory

SIDES = "14,20,28,40,56,80,112"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def main(words: list[str] | None = None) -> int:
    """Run a benchmark, print its table and write what was measured."""
    parser = argparse.ArgumentParser(prog="python -m coatlab.benchmark", description="Measure speed and memory.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    shared.add_argument("--turns", type=int, default=5, help="how often everything is measured, in turn")
    add_folder_option(shared, "reports", "where results go")
    commands = parser.add_subparsers(dest="command", required=True)
    about = "measure time and peak memory of each attention variant over grids of tokens"
    grow = commands.add_parser("attention", help=about, description=about, parents=[shared])
    names = f"comma-separated: {', '.join(choices('attention'))}; with a setting: linear/feature_map=favor"
    grow.add_argument("--attention", default=",".join(scaling.all_variants()), help=names)
    grow.add_argument("--sides", default=SIDES, help="rows (and columns) of the grids, comma-separated")
    grow.add_argument("--heads", type=int, default=2)
    grow.add_argument("--head-size", type=int, default=32)
    grow.add_argument("--dtype", choices=list(DTYPES), default="float32")
    about = "measure images per second of the data alone, of training steps alone, and of both together"
    feed = commands.add_parser("data", help=about, description=about, parents=[shared])
    feed.add_argument("data", help=f"comma-separated: {', '.join(choices('data'))}")
    feed.add_argument("override", nargs="*", help="overrides, as in layout=CCCC data.workers=2")
    feed.add_argument("--seconds", type=float, default=3.0, help="duration of each measurement")
    about = "compare equal small runs through cluster=local with their training steps in bare loops, on the CPU"
    pack = commands.add_parser("packing", help=about, description=about, parents=[shared])
    pack.add_argument("override", nargs="*", help=f"overrides, added to {' '.join(packing.RUN)}")
    pack.add_argument("--runs", type=int, default=8, help="how many runs, with seeds 0, 1, ...")
    chosen = parser.parse_args(words)
    keep_freed_memory()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise torch's profiler prints when it starts and stops
    command = {"attention": _attention, "data": _data, "packing": _packing}[chosen.command]
    command(chosen, _device(chosen.device))
    return 0


def _attention(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure how the cost of attention grows; write a table, the numbers and a figure."""
    setup = scaling.Setup(
        sides=_sides(chosen.sides),
        heads=chosen.heads,
        head_size=chosen.head_size,
        device=device,
        dtype=DTYPES[chosen.dtype],
        turns=chosen.turns,
        threads=torch.get_num_threads(),
    )
    variants = chosen.attention.split(",")
    for name in variants:
        scaling.variant(name, setup, side=2)  # refuses what does not exist, before minutes of measuring
    rows = scaling.measure(variants, setup)
    slopes = {column: scaling.exponents(rows, column) for column in ("seconds", "bytes")}
    title = f"{setup.heads} heads of {setup.head_size}, {chosen.dtype}, {_machine(device)}"
    folder = chosen.reports / "benchmark-attention"
    _write(folder / "measured.csv", rows.to_csv(index=False))
    _report(folder, _growth(rows, slopes, title))
    for path in (folder / "measured.csv", *save(draw_growth(rows, slopes, title), folder / "growth")):
        print(shown(path))


def _data(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure whether data sets keep up with training, and write a table."""
    configs = {
        name: with_content(resolve(compose([f"data={name}", *chosen.override]))) for name in chosen.data.split(",")
    }
    for config in configs.values():
        check(config)
    table = []
    for name, config in configs.items():
        rates = throughput.measure(config, device, seconds=chosen.seconds, turns=chosen.turns)
        cells = {"data": name, "layout": config["layout"]["name"], "size": config["size"]["name"]}
        cells |= {column: f"{rate:.0f}" for column, rate in rates.items()}
        table.append(cells | {"both / model": f"{rates['both'] / rates['model']:.2f}"})
    about = f"{_machine(device)}. Images per second; pipeline: everything up to a batch on the device; model: steps."
    _report(
        chosen.reports / "benchmark-data", f"# Do the data keep up?\n\n{about}\n\n{to_markdown(pd.DataFrame(table))}\n"
    )


def _packing(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure what packed runs cost compared with bare loops, and write a table."""
    table = packing.measure(chosen.override, runs=chosen.runs, turns=chosen.turns)
    about = f"{chosen.runs} runs, {_machine(torch.device('cpu'))}. Seconds from start to end, measured in turn."
    median = f"Median ratio: {table['ratio'].median():.3f}"
    text = f"# What does packing cost?\n\n{about}\n\n{to_markdown(table.round(3))}\n\n{median}\n"
    _report(chosen.reports / "benchmark-packing", text)


def _report(folder: Path, text: str) -> None:
    """Print a report and write it to table.md, whose path is printed too."""
    _write(folder / "table.md", text)
    print(text)
    print(shown(folder / "table.md"))


def _write(path: Path, text: str) -> None:
    write_atomic(path, lambda file: file.write(text.encode()))


def _growth(rows: pd.DataFrame, slopes: dict[str, pd.Series], title: str) -> str:
    """Return times, memory and their exponents as Markdown, with one table per pass."""
    parts = [
        "# How attention grows with tokens",
        f"{title}. Milliseconds / peak MB of one image; the exponents are slopes of log-log lines over all grids.",
    ]
    for kind, part in rows.groupby("pass", sort=False):
        table = []
        for name, row in part.groupby("variant", sort=False):
            cells = {"variant": name}
            for point in row.itertuples():
                shown = f"{point.seconds * 1e3:.3g} / {point.bytes / 1e6:.3g}"
                cells[f"{point.side}²"] = str(point.note) or shown
            cells["time ~ N^"] = f"{slopes['seconds'].get((kind, name), float('nan')):.2f}"
            cells["memory ~ N^"] = f"{slopes['bytes'].get((kind, name), float('nan')):.2f}"
            table.append(cells)
        parts += [f"## {kind}", to_markdown(pd.DataFrame(table))]
    return "\n\n".join(parts) + "\n"


def _sides(words: str) -> list[int]:
    sides = words.split(",")
    if not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise InputError(f"--sides={words} is not valid; it must be comma-separated whole numbers, as in {SIDES}")
    return sorted({int(side) for side in sides})


def _device(name: str) -> torch.device:
    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name not in valid:
        raise not_one_of("--device", name, valid)
    return torch.device(name)


def _machine(device: torch.device) -> str:
    cpu = f"{processor()['cpu']}, {torch.get_num_threads()} threads"
    return f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu}, torch {torch.__version__}"


if __name__ == "__main__":
    with one_sentence_errors():
        sys.exit(main())
