"""How many cells a machine should train at the same time: images per second of all of them together.

For each number, a sweep of equal runs without an end is started through cluster=local. When each of them has trained an
epoch, the epochs are counted that end within some seconds; then the sweep is stopped. What a run costs besides
(start-up, evaluation) is not part of it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from coatlab.benchmark.sweep import make_sweep
from coatlab.errors import RunError

# an epoch takes a GPU a fraction of a second
RUN = ("data.train_size=6400", "data.eval_size=500", "data.train_eval_size=500", "data.batch_size=64")
ALWAYS = ("trainer.max_epochs=1000000", "trainer.eval_every=1000000", "tracker=none", "trainer.progress=false")
OWN = ("seed", "cluster", "cluster.jobs", "paths.runs")
LOOK_SECONDS = 0.05
PATIENCE = 180.0  # seconds until each run must have trained an epoch


def measure(overrides: Sequence[str], numbers: Sequence[int], seconds: float) -> pd.DataFrame:
    """Measure each number of cells.

    Args:
        overrides: of the runs.
        numbers: of cells at the same time.
        seconds: in which epochs are counted.

    Returns:
        One row per number: cells, images per second of all and of one, and the seconds until each had trained an epoch.

    Raises:
        InputError: an override is not valid, or coatlab is an installed wheel, without src/train.py.
        RunError: a run failed; the message has the end of its output.
    """
    runs_of = make_sweep(RUN, overrides, ALWAYS, OWN)
    batch = runs_of.config["data"]["batch_size"]
    rows = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            sweep = [
                *runs_of.words,
                "seed=" + ",".join(map(str, range(number))),
                "cluster=local",
                f"cluster.jobs={number}",
            ]
            command = [sys.executable, runs_of.train, *sweep, f"paths.runs={folder}"]
            steps, waited, took = _watch(command, Path(folder), number, seconds)
        every = steps * batch / took
        rows.append({"cells": number, "images/s": every, "of one": every / number, "seconds to begin": waited})
    return pd.DataFrame(rows)


def _watch(command: Sequence[str], folder: Path, number: int, seconds: float) -> tuple[int, float, float]:
    """Start a sweep and count.

    Returns:
        The steps of all runs in some seconds, how long they took to begin, and these seconds.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        began = time.perf_counter()
        sweep = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            while len(before := _steps(folder)) < number:
                if sweep.poll() is not None or time.perf_counter() - began > PATIENCE:
                    output.seek(0)
                    logs = "".join(log.read_text(errors="replace")[-500:] for log in sorted(folder.glob(".logs/*")))
                    raise RunError(f"a benchmarked sweep did not begin: {output.read()[-1000:]} {logs[-2000:]}")
                time.sleep(LOOK_SECONDS)
            begun = time.perf_counter()
            time.sleep(seconds)
            after, ended = _steps(folder), time.perf_counter()
        finally:
            sweep.send_signal(signal.SIGINT)
            try:
                sweep.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(sweep.pid, signal.SIGKILL)  # the kernel ends its cells
                sweep.wait()
    return sum(after.values()) - sum(before.values()), begun - began, ended - begun


def _steps(folder: Path) -> dict[str, int]:
    """Return the steps of each run after its last whole epoch; of a run that has trained one."""
    found = {}
    for path in folder.glob("*/metrics.jsonl"):
        lines = [line for line in path.read_text(encoding="utf-8").split("\n")[:-1] if '"epoch"' in line]
        if lines:
            found[path.parent.name] = int(json.loads(lines[-1])["step"])
    return found
