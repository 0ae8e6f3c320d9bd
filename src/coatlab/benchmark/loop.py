"""What a run costs beside its bare training steps, and where the time before its first step goes.

Both loops take the same steps of the same run: batches, forward, backward, clipping, optimizer. The run does it in
Lightning, with records, checkpoints and measures; its evaluations are not counted. They take turns in one process.
"""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from coatlab.benchmark.throughput import endless_batches, training_step
from coatlab.config.compose import compose, resolve
from coatlab.config.typed.overrides import with_defaults
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

# Runs in a process of its own. A mark is the seconds since the process was started; the last is behind the first step.
START = """
import json, os, sys, time
marks = {"python": time.time()}
import torch
marks["import torch"] = time.time()
from coatlab.config.compose import compose
from coatlab.runs.run import open_run
from coatlab.runs.spec import make_spec
from coatlab.training import callbacks, fit
marks["import the rest"] = time.time()
words = json.loads(sys.argv[1])
spec = make_spec(compose(words), words)
marks["config"] = time.time()
def stop(*_):
    marks["first step"] = time.time()
    print(json.dumps({name: mark - float(sys.argv[2]) for name, mark in marks.items()}))
    sys.stdout.flush()
    os._exit(0)
made = fit.make_start
def make(*arguments):
    marks["run folder"] = time.time()
    start = made(*arguments)
    marks["images and network"] = time.time()
    return start
fit.make_start = make
callbacks.Measure.on_train_batch_end = stop
with open_run(spec) as run:
    fit.fit(run)
"""


def measure(overrides: Sequence[str], rounds: int) -> pd.DataFrame:
    """Measure the run and the bare loop in turn.

    Returns:
        One row per round: seconds of an image in the `run` and in the `bare` loop.

    Raises:
        InputError: an override is not valid.
    """
    words = [*with_defaults(RUN, overrides), *ALWAYS]
    rows = []
    for number in range(rounds):
        seeded = [*(word for word in words if not word.startswith("seed=")), f"seed={number}"]
        ways = {"run": _run, "bare": _bare}
        order = list(ways) if number % 2 == 0 else list(ways)[::-1]
        seconds = {name: ways[name](seeded) for name in order}
        rows.append({name: seconds[name] for name in ways})
    return pd.DataFrame(rows)


def start_up(overrides: Sequence[str], times: int) -> pd.Series:
    """Return the median seconds of each part of a start, by name, from the start of Python to the end of a step.

    Raises:
        RunError: a run failed; the message has the end of its output.
    """
    words = [*with_defaults(RUN, overrides), *ALWAYS]
    marks = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            arguments = [json.dumps([*words, f"paths.runs={folder}"]), str(time.time())]
            done = subprocess.run([sys.executable, "-c", START, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RunError(f"a run failed: {done.stderr[-2000:]}")
        marks.append(json.loads(done.stdout.splitlines()[-1]))
    table = pd.DataFrame(marks)
    parts = table.diff(axis=1)
    parts.iloc[:, 0] = table.iloc[:, 0]
    return parts.median()


def _run(words: Sequence[str]) -> float:
    """Train a run in Lightning; return its seconds per image."""
    with tempfile.TemporaryDirectory() as folder:
        mine = [*words, f"paths.runs={folder}"]
        with open_run(make_spec(compose(mine), mine)) as run:
            fit(run)
        rows = [json.loads(row) for row in (Path(run.folder) / "metrics.jsonl").read_text().splitlines()]
    return 1 / _median([row["images_per_second"] for row in rows if "images_per_second" in row])


def _bare(words: Sequence[str]) -> float:
    """Take the same steps in a bare loop; return the seconds per image."""
    config, cpu = resolve(compose(list(words))), torch.device("cpu")
    torch.manual_seed(config["seed"])
    data = make_data(config)
    data.setup()
    step, batches = training_step(config, data, cpu), endless_batches(data, cpu)
    rates = []
    for _ in range(config["trainer"]["max_epochs"]):
        began = time.perf_counter()
        for images, labels in itertools.islice(batches, len(data.batches)):
            step(images, labels)
        rates.append(data.batch_size * len(data.batches) / (time.perf_counter() - began))
    return 1 / _median(rates)


def _median(values: Sequence[float]) -> float:
    return float(pd.Series(values).median())
