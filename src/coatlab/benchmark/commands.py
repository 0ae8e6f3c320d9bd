"""What the commands of `python -m coatlab.benchmark` do: measure, print a table, write what was measured."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from coatlab.benchmark import cells, loop, packing, paired, scaling, step, throughput
from coatlab.benchmark.growth import draw_growth
from coatlab.benchmark.peak import find_peak
from coatlab.benchmark.words import benchmark_words
from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.config.rules import check
from coatlab.errors import InputError, not_one_of
from coatlab.output.figure import save
from coatlab.output.files import write_atomic
from coatlab.output.markdown import to_markdown
from coatlab.output.text import shown
from coatlab.process.machine import processor
from coatlab.process.memory import keep_freed_memory
from coatlab.training.callbacks.graphs import HALF, records
from coatlab.training.trainer import same_float32

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRECISIONS = {**HALF, "64-true": torch.float64}  # others are in float32
ON_CPU = ("packing", "loop")
STEP = ("size=coatnet_0", "data=imagenet", "data.image_size=224", "data.batch_size=8")


def run(chosen: argparse.Namespace) -> None:
    """Run the command that was chosen."""
    keep_freed_memory()
    same_float32()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise torch's profiler prints when it starts and stops
    commands = {"attention": _attention, "data": _data, "packing": _packing, "cells": _cells}
    commands |= {"step": _step, "loop": _loop}
    default = "cuda" if chosen.command not in ON_CPU and torch.cuda.is_available() else "cpu"
    commands[chosen.command](chosen, _device(chosen.device or default))


def _attention(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure how the cost of attention grows; write a table, the numbers and a figure."""
    setup = scaling.Setup(
        sides=sorted(set(_wholes("--sides", chosen.sides, "14,28,56"))),
        heads=chosen.heads,
        head_size=chosen.head_size,
        device=device,
        dtype=DTYPES[chosen.dtype],
        turns=chosen.turns,
        threads=torch.get_num_threads(),
    )
    variants = chosen.attention.split(",") if chosen.attention else scaling.all_variants()
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
    table, measured = [], []
    for name, config in configs.items():
        turns = throughput.measure(config, device, seconds=chosen.seconds, turns=chosen.turns)
        measured.append(turns.assign(data=name))
        rates = turns.median()
        cells = {"data": name, "layout": config["layout"]["name"], "size": config["size"]["name"]}
        cells |= {column: f"{rate:.0f}" for column, rate in rates.items()}
        table.append(cells | {"both / model": f"{paired.ratio(turns, 'both', 'model'):.2f}"})
    about = (
        f"{_machine(device)}. Images per second, medians of {chosen.turns} turns; pipeline: everything up to a batch "
        "on the device; model: steps."
    )
    warnings = {paired.warning(turns.drop(columns="data")) for turns in measured}
    folder = chosen.reports / "benchmark-data"
    _write(folder / "measured.csv", pd.concat(measured).to_csv(index=False))
    text = ["# Do the data keep up?", about, to_markdown(pd.DataFrame(table)), *sorted(warnings - {""})]
    _report(folder, "\n\n".join(text) + "\n")
    print(shown(folder / "measured.csv"))


def _packing(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure what packed runs cost compared with bare loops, and write a table."""
    table = packing.measure(chosen.override, runs=chosen.runs, turns=chosen.turns)
    about = f"{chosen.runs} runs, {_machine(device)}. Seconds from start to end, measured in turn."
    median = f"Median ratio: {table['ratio'].median():.3f}"
    text = ["# What does packing cost?", about, to_markdown(table.round(3)), median]
    text += filter(None, [paired.warning(table[["sweep", "bare"]])])
    folder = chosen.reports / "benchmark-packing"
    _write(folder / "measured.csv", table.to_csv(index=False))
    _report(folder, "\n\n".join(text) + "\n")
    print(shown(folder / "measured.csv"))


def _cells(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure how many cells a machine should train at the same time."""
    numbers = _wholes("--at-once", chosen.at_once, "1,2,4")
    measured = cells.measure(chosen.override, numbers, chosen.seconds)
    words = " ".join(benchmark_words(cells.RUN, chosen.override))
    about = f"{words}. {_machine(device)}, epochs counted for {chosen.seconds:g} seconds."
    shown_rows = measured.assign(ratio=measured["images/s"] / measured["images/s"].iloc[0]).round(2)
    folder = chosen.reports / "benchmark-cells"
    _write(folder / "measured.csv", measured.to_csv(index=False))
    _report(folder, "\n\n".join(["# How many cells at the same time?", about, to_markdown(shown_rows)]) + "\n")
    print(shown(folder / "measured.csv"))


def _step(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure training steps and inference beside another network."""
    torch.set_num_threads(chosen.threads or torch.get_num_threads())
    config = resolve(compose(benchmark_words(STEP, chosen.override)))
    check(config)
    pair = step.rivals(config, chosen.beside)
    precision = config["trainer"]["precision"]
    peak = find_peak(device, PRECISIONS.get(precision, torch.float32))
    sizes = step.sizes(config, pair, device)
    measured = step.measure(config, pair, device, chosen.turns)
    folder = chosen.reports / "benchmark-step"
    _write(folder / "measured.csv", measured.to_csv(index=False))
    data, layout = config["data"], config["layout"]["name"]
    about = (
        f"{layout}, {config['size']['name']}, batches of {data['batch_size']}, {data['image_size']} pixels, "
        f"{precision}{_how(config['trainer'], device)}, {chosen.turns} rounds in turn. {_machine(device)}: "
        f"{peak.macs / 1e9:.0f} G multiply-adds/s in a matrix product, {peak.bytes / 1e9:.1f} GB/s in a copy."
    )
    by_pass = [part.drop(columns="pass") for _, part in measured.groupby("pass")]
    warnings = {paired.warning(part) for part in by_pass}
    rows = step.table(config, sizes, measured, peak)
    _report(folder, "\n\n".join(["# How fast is a step?", about, to_markdown(rows), *sorted(warnings - {""})]) + "\n")
    print(shown(folder / "measured.csv"))


def _loop(chosen: argparse.Namespace, device: torch.device) -> None:
    """Measure a run beside its bare steps, and the parts of its start."""
    torch.set_num_threads(1)
    measured = loop.measure(chosen.override, chosen.turns)
    starts = loop.start_up(chosen.override, times=min(chosen.turns, 3))
    folder = chosen.reports / "benchmark-loop"
    _write(folder / "measured.csv", measured.to_csv(index=False))
    _write(folder / "start.csv", starts.to_csv(index_label="part"))
    rows = [
        {
            "clock": clock,
            "run, images/s": f"{1 / measured['run' + which].median():.0f}",
            "bare loop, images/s": f"{1 / measured['bare' + which].median():.0f}",
            "run / bare loop": f"{paired.ratio(measured, 'run' + which, 'bare' + which):.3f}",
        }
        for clock, which in {"CPU time": "", "wall": ", wall"}.items()
    ]
    parts = starts.map("{:.2f}".format).rename_axis("part").reset_index()
    text = [
        "# What does the loop cost?",
        f"{' '.join(benchmark_words(loop.RUN, chosen.override))}. {_machine(device)}, {chosen.turns} rounds in turn; "
        "medians.",
        to_markdown(pd.DataFrame(rows)),
        "## The start, to the end of the first step",
        to_markdown(parts),
        f"Together {starts['seconds'].sum():.1f} seconds, {starts['CPU seconds'].sum():.1f} of the CPU.",
        *filter(None, [paired.warning(measured)]),
    ]
    _report(folder, "\n\n".join(text) + "\n")
    for name in ("measured.csv", "start.csv"):
        print(shown(folder / name))


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
    doubts = {"time": scaling.doubts(rows, "seconds"), "memory": scaling.doubts(rows, "bytes")}
    parts += [f"Exponents of {what} not to be trusted: {'; '.join(found)}." for what, found in doubts.items() if found]
    if (spread := float(rows["spread"].median())) > paired.QUIET:
        parts.append(paired.unquiet(spread))
    return "\n\n".join(parts) + "\n"


def _wholes(option: str, words: str, example: str) -> list[int]:
    numbers = words.split(",")
    if not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise InputError(f"{option}={words} is not valid; it must be comma-separated whole numbers, as in {example}")
    return [int(number) for number in numbers]


def _device(name: str) -> torch.device:
    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name not in valid:
        raise not_one_of("--device", name, valid)
    return torch.device(name)


def _how(settings: Mapping[str, Any], device: torch.device) -> str:
    if settings["compile"]:
        return ", compiled"
    return ", training recorded as CUDA graphs" if records(settings, device.type) else ""


def _machine(device: torch.device) -> str:
    cpu = f"{processor()['cpu']}, {torch.get_num_threads()} threads"
    return f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else cpu}, torch {torch.__version__}"
