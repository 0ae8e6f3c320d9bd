"""The command: `python -m coatlab.benchmark attention`."""

import argparse
import os
import sys
from pathlib import Path

import pandas as pd
import torch

from coatlab.allocator import keep_freed_memory
from coatlab.benchmark.plot import draw_growth, save
from coatlab.benchmark.scaling import Setup, exponents, measure, variant
from coatlab.cli import one_sentence_errors
from coatlab.configs import choices
from coatlab.environment import processor
from coatlab.errors import InputError, not_one_of
from coatlab.markdown import to_markdown
from coatlab.records import write_atomic

SIDES = "14,20,28,40,56,80,112"
VARIANTS = "relative,post,absolute,window,neighborhood,linear,linear/feature_map=softmax,linear/feature_map=favor"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def main(words: list[str] | None = None) -> int:
    """Run a benchmark, print its table and write table, figure and numbers."""
    parser = argparse.ArgumentParser(prog="python -m coatlab.benchmark", description="Measure speed and memory.")
    commands = parser.add_subparsers(dest="command", required=True)
    grow = commands.add_parser("attention", help="time and peak memory of each attention variant over grids of tokens")
    grow.add_argument("--attention", default=VARIANTS, help=f"by commas: {', '.join(choices('attention'))}; a setting "
                      "follows a slash, as in linear/feature_map=favor")  # fmt: skip
    grow.add_argument("--sides", default=SIDES, help="rows and columns of the grids, by commas")
    grow.add_argument("--heads", type=int, default=2)
    grow.add_argument("--head-size", type=int, default=32)
    grow.add_argument("--turns", type=int, default=5, help="measurements of each variant, in turn")
    grow.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    grow.add_argument("--dtype", choices=list(DTYPES), default="float32")
    grow.add_argument(
        "--reports", type=Path, default=Path(os.environ.get("COATLAB_REPORTS", "reports")), help="where results go"
    )
    chosen = parser.parse_args(words)
    keep_freed_memory()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler says when it starts and stops
    setup = Setup(
        sides=_sides(chosen.sides),
        heads=chosen.heads,
        head_size=chosen.head_size,
        device=_device(chosen.device),
        dtype=DTYPES[chosen.dtype],
        turns=chosen.turns,
        threads=torch.get_num_threads(),
    )
    variants = chosen.attention.split(",")
    for name in variants:
        variant(name, setup, side=2)  # a name or a setting that does not exist is said before the minutes of measuring
    rows = measure(variants, setup)
    slopes = {column: exponents(rows, column) for column in ("seconds", "bytes")}
    machine = torch.cuda.get_device_name(setup.device) if setup.device.type == "cuda" else _processor(setup.threads)
    title = f"{setup.heads} heads of {setup.head_size}, {chosen.dtype}, {machine}, torch {torch.__version__}"
    text = _text(rows, slopes, title)
    folder = chosen.reports / "benchmark-attention"
    write_atomic(folder / "table.md", lambda file: file.write(text.encode()))
    write_atomic(folder / "measured.csv", lambda file: file.write(rows.to_csv(index=False).encode()))
    print(text)
    for path in (
        folder / "table.md",
        folder / "measured.csv",
        *save(draw_growth(rows, slopes, title), folder / "growth"),
    ):
        print(path)
    return 0


def _text(rows: pd.DataFrame, slopes: dict[str, pd.Series], title: str) -> str:
    """Write times, memory and their exponents as Markdown, a table a pass."""
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
        raise InputError(f"--sides={words} is not valid; whole numbers by commas, as in {SIDES}")
    return sorted({int(side) for side in sides})


def _device(name: str) -> torch.device:
    valid = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name not in valid:
        raise not_one_of("--device", name, valid)
    return torch.device(name)


def _processor(threads: int) -> str:
    return f"{processor()['cpu']}, {threads} threads"


if __name__ == "__main__":
    with one_sentence_errors():
        sys.exit(main())
