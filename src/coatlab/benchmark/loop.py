"""What a run costs beside its bare training steps, and where the time before its first step goes.

Both loops take the same steps of the same run: batches, forward, backward, clipping, optimizer. The run does it in
Lightning, with records, checkpoints and measures; its evaluations are not counted. They take turns in one process, on
one thread, so that the process's CPU time tells what a loop costs whatever else the machine does. Only what a run waits
for, a disk, is not in it; it is in the time of the clock on the wall.
"""

import io
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout

import lightning as L
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from coatlab.benchmark.throughput import endless_batches, training_step
from coatlab.benchmark.words import benchmark_words
from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import make_data
from coatlab.errors import RunError
from coatlab.runs.run import open_run
from coatlab.runs.spec import make_spec
from coatlab.training.fit import fit

RUN = (
    "data.train_size=8000", "data.eval_size=500", "data.train_eval_size=500", "trainer.max_epochs=3",
    "trainer.eval_every=1000", "trainer.accelerator=cpu", "trainer.threads=1",
)  # fmt: skip
ALWAYS = ("tracker=none", "trainer.progress=false")
OWN = ("seed", "paths.runs")
Seconds = NDArray[np.float64]  # two: of the CPU, and on the wall

# Runs in a process of its own. A mark is the seconds since the process was started, on the wall and of the CPU; the
# last is behind the first step.
START = """
import json, os, sys, time
began, marks = float(sys.argv[2]), {}
def mark(name):
    marks[name] = time.time() - began, time.process_time()
mark("python")
from coatlab.benchmark.words import benchmark_words
from coatlab.config.compose import compose
from coatlab.process.imports import large_imports
from coatlab.runs.run import open_run
from coatlab.runs.spec import make_spec
mark("import what reads")
words = json.loads(sys.argv[1])
spec = make_spec(compose(words), words)
mark("config")
with large_imports():
    import torch
    mark("import torch")
    from coatlab.training import fit
    from coatlab.training.callbacks.measure import Measure
mark("import what trains")
def stop(*_):
    mark("first step")
    print(json.dumps(marks))
    sys.stdout.flush()
    os._exit(0)
made = fit.make_start
def make(*arguments):
    mark("run folder")
    start = made(*arguments)
    mark("images and network")
    return start
fit.make_start = make
Measure.on_train_batch_end = stop
with open_run(spec) as run:
    fit.fit(run)
"""


def measure(overrides: Sequence[str], rounds: int) -> pd.DataFrame:
    """Measure the run and the bare loop in turn.

    Returns:
        One row per round: CPU seconds of an image in the `run` and in the `bare` loop, and those on the wall,
        `run, wall` and `bare, wall`.

    Raises:
        InputError: an override is not valid.
    """
    words = benchmark_words(RUN, overrides, ALWAYS, OWN)
    rows = []
    for number in range(rounds):
        seeded = [*words, f"seed={number}"]
        ways = {"run": _run, "bare": _bare}
        order = list(ways) if number % 2 == 0 else list(ways)[::-1]
        seconds = {name: ways[name](seeded) for name in order}
        cpu = {name: seconds[name][0] for name in ways}
        rows.append(cpu | {f"{name}, wall": seconds[name][1] for name in ways})
    return pd.DataFrame(rows)


def start_up(overrides: Sequence[str], times: int) -> pd.DataFrame:
    """Measure the parts of a start, from the start of Python to the end of a step.

    Returns:
        One row per part: median `seconds` on the wall, and `CPU seconds`.

    Raises:
        RunError: a run failed; the message has the end of its output.
    """
    words = benchmark_words(RUN, overrides, ALWAYS, OWN)
    marks = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            arguments = [json.dumps([*words, f"paths.runs={folder}"]), str(time.time())]
            done = subprocess.run([sys.executable, "-c", START, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RunError(f"a run failed: {done.stderr[-2000:]}")
        marks.append(json.loads(done.stdout.splitlines()[-1]))
    parts = {}
    for place, clock in enumerate(("seconds", "CPU seconds")):
        table = pd.DataFrame([{name: mark[place] for name, mark in one.items()} for one in marks])
        parts[clock] = table.diff(axis=1).fillna(table).median()
    return pd.DataFrame(parts)


class Stopwatch(L.Callback):
    """The seconds, of the CPU and on the wall, from the start of training to its end, without evaluations."""

    def __init__(self) -> None:
        self.seconds = np.zeros(2)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start it."""
        self.seconds -= _now()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop it."""
        self.seconds += _now()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start it again."""
        self.seconds -= _now()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop it."""
        self.seconds += _now()


def _run(words: Sequence[str]) -> Seconds:
    """Train a run in Lightning; return its seconds per image."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        mine = [*words, f"paths.runs={folder}"]
        with open_run(make_spec(compose(mine), mine)) as run:
            fit(run, [watch])
    config, recipe = run.config, run.record["recipe"]
    return watch.seconds / (recipe["steps"] * config["trainer"]["accumulate"] * config["data"]["batch_size"])


def _bare(words: Sequence[str]) -> Seconds:
    """Take the same steps in a bare loop; return the seconds per image."""
    config, cpu = resolve(compose(list(words))), torch.device("cpu")
    torch.manual_seed(config["seed"])
    data = make_data(config)
    data.setup()
    step, batches = training_step(config, data, cpu), endless_batches(data, cpu)
    count = len(data.batches) * config["trainer"]["max_epochs"]
    began = _now()
    for images, labels in itertools.islice(batches, count):
        step(images, labels)
    return (_now() - began) / (data.batch_size * count)


def _now() -> Seconds:
    return np.array([time.process_time(), time.perf_counter()])
