"""How time and peak memory of each attention variant grow with the number of tokens.

Only the inner attention is measured, at a fixed width and with one image: projections and the feed-forward network are
linear in the tokens and the same for all variants. Times are medians over turns in which the variants alternate. Memory
is the most that a first pass allocates beyond its inputs, including what it keeps for later passes, as seen by torch's
profiler (CPU) or allocator (GPU). The exponent is the slope of a straight line through all points of a log-log plot.
"""

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from hydra.utils import get_class
from rich.progress import Progress
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.benchmark import Timer

from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.config.rules import check_keys
from coatlab.config.targets import python_path
from coatlab.create import attention_factory
from coatlab.errors import InputError
from coatlab.model.attention.inner import InnerAttention

PASSES = ("inference", "training")
SECONDS = 0.15  # a variant is repeated for at least this long in each turn
SPARE = 0.8  # the part of the free memory that may be used
FEW, OFF, STEEPEST = 3, 0.5, 3.0  # grids that a line needs; how far one may be off it; exponents are below this


@dataclass(frozen=True)
class Setup:
    """How variants are measured: on grids of side x side tokens, with which heads, where and how often."""

    sides: Sequence[int]
    heads: int
    head_size: int
    device: torch.device
    dtype: torch.dtype
    turns: int
    threads: int


def all_variants() -> list[str]:
    """List every variant of conf/attention, each followed by the alternatives that its class names."""
    names = []
    for name in choices("attention"):
        found = get_class(python_path("attention", {"name": name}))
        assert issubclass(found, InnerAttention), found
        names += [name, *(f"{name}/{setting}" for setting in found.alternatives)]
    return names


def variant(words: str, setup: Setup, side: int) -> InnerAttention:
    """Build a variant from its name and settings, as in `linear/feature_map=favor`, with windows as in CoAtNet-0.

    Raises:
        InputError: a variant or a setting does not exist, or a value is not valid.
    """
    name, *settings = words.split("/")
    config = resolve(compose([f"attention={name}", "size=coatnet_0"]))
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in config["attention"]:
            raise InputError(f"attention={words}: {name} has no setting {key}; valid: {', '.join(config['attention'])}")
        config["attention"][key] = int(value) if value.isdecimal() else value
    check_keys({"attention": config["attention"]})
    build = attention_factory(config["attention"])
    return build(heads=setup.heads, head_size=setup.head_size, grid=(side, side), block=1).to(setup.device, setup.dtype)


def measure(variants: Sequence[str], setup: Setup) -> pd.DataFrame:
    """Measure all variants at all sides in both passes.

    Returns:
        One row per variant, side and pass, with `seconds`, their `spread` over turns (paired.py), and `bytes`. A pass
        that would probably not fit into memory is left out: all are NaN, and `note` says how much it would need.
    """
    rows: list[dict[str, Any]] = []
    total = len(setup.sides) * len(PASSES) * len(variants)
    with Progress(transient=True) as progress:
        task = progress.add_task("", total=total)
        for side in setup.sides:
            for kind in PASSES:
                progress.update(task, description=f"{side} x {side}, {kind}")
                for row in _side(variants, setup, side, kind, rows):
                    rows.append(row)
                    progress.advance(task)
    return pd.DataFrame(rows)


def doubts(rows: pd.DataFrame, column: str) -> list[str]:
    """Say of which lines the exponent means little, and why: it rests on few points, or the points are on no line.

    A time on small grids is that of calling operations, whatever they do: such a line bends.
    """
    found = []
    for (kind, name), part in rows.dropna(subset=[column]).groupby(["pass", "variant"], sort=False):
        x, y = np.log(part["tokens"]), np.log(part[column])
        if len(part) < FEW:
            found.append(f"{name} in {kind} ({len(part)} of {FEW} grids)")
            continue
        line = np.polyfit(x, y, 1)
        off = float(np.exp(np.abs(y - np.polyval(line, x)).max())) - 1
        if off > OFF:
            found.append(f"{name} in {kind} (a grid is {off:.0%} off the line)")
        elif not 0 <= line[0] <= STEEPEST:
            found.append(f"{name} in {kind} (no attention grows so)")
    return found


def exponents(rows: pd.DataFrame, column: str) -> pd.Series:
    """Fit the slope of log(column) over log(tokens), for each pass and variant."""
    slopes = {}
    for key, part in rows.dropna(subset=[column]).groupby(["pass", "variant"], sort=False):
        few = len(part) < 2
        slopes[key] = math.nan if few else np.polyfit(np.log(part["tokens"]), np.log(part[column]), 1)[0]
    return pd.Series(slopes, name=column)


def _side(
    variants: Sequence[str], setup: Setup, side: int, kind: str, before: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Measure all variants at one side, in turns."""
    generator = torch.Generator().manual_seed(side)
    shape = (1, setup.heads, side * side, setup.head_size)
    qkv = [torch.randn(shape, generator=generator).to(setup.device, setup.dtype) for _ in range(3)]
    rows, steps = {}, {}
    for name in variants:
        rows[name] = {"pass": kind, "variant": name, "side": side, "tokens": side * side, "seconds": math.nan}
        needed = _expected([row for row in before if (row["pass"], row["variant"]) == (kind, name)], side)
        if needed > SPARE * _free(setup.device):
            rows[name] |= {"bytes": math.nan, "note": f"needs about {needed / 1e9:.0f} GB"}
            continue
        attend, training = variant(name, setup, side), kind == "training"
        steps[name] = _step(attend.train(training), qkv)
        steps[name]()  # compiles, where a variant does
        attend.train().train(training)  # drops the bias that evaluation keeps, so that the next pass allocates it again
        rows[name] |= {"bytes": peak_bytes(steps[name], setup.device), "note": ""}
        steps[name]()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(setup.turns):
        for name, step in steps.items():
            timer = Timer("step()", globals={"step": step}, num_threads=setup.threads)
            times[name].append(timer.blocked_autorange(min_run_time=SECONDS).median)
    for name, row in rows.items():
        if name not in times:
            yield row | {"spread": math.nan}
            continue
        low, middle, high = np.quantile(times[name], (0.25, 0.5, 0.75))
        yield row | {"seconds": float(middle), "spread": float((high - low) / middle)}


def _step(attend: InnerAttention, qkv: list[Tensor]) -> Callable[[], None]:
    """Return a function that does one pass of a variant: of training if its module is in training mode."""
    training = attend.training
    inputs = [x.clone().requires_grad_(training) for x in qkv]
    gradient = torch.ones_like(qkv[0])

    def step() -> None:
        with torch.set_grad_enabled(training):
            out = attend(*inputs)
        if training:
            torch.autograd.grad(out, [*inputs, *attend.parameters()], gradient)

    return step


def peak_bytes(step: Callable[[], None], device: torch.device) -> float:
    """Return the most bytes that a pass holds at any moment, beyond those held before it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        torch.cuda.synchronize(device)
        return float(torch.cuda.max_memory_allocated(device) - before)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as events:
        step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        events.export_chrome_trace(str(path))
        trace = json.loads(path.read_text())["traceEvents"]
    memory = sorted((event["ts"], event["args"]["Bytes"]) for event in trace if event.get("name") == "[memory]")
    return float(np.cumsum([size for _, size in memory]).max())


def _expected(before: Sequence[dict[str, Any]], side: int) -> float:
    """Extrapolate the memory of a larger grid from the last one measured, assuming that it is quadratic in tokens."""
    if not before:
        return 0.0
    last = before[-1]
    if math.isnan(last["bytes"]):
        return math.inf
    return float(last["bytes"]) * (side / last["side"]) ** 4


def _free(device: torch.device) -> float:
    """Return the bytes of memory that can be had; infinite if the system does not tell.

    On Linux the kernel's own estimate: pages that hold cached files count, since they are given up when asked for.
    """
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))) * 1024
    except (OSError, StopIteration):
        return math.inf
