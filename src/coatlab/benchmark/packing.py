"""What a sweep through cluster=local costs compared with the bare training steps of the same small, equal runs.

Bare: one process with one thread per core. Each takes its part of the runs one after the other and does nothing but
batches, forward, backward and optimizer. The sweep takes the same steps and does everything else that belongs to a run:
evaluation after every epoch and on the test images, checkpoints, records. Both are timed as a user experiences them,
from the start of Python to its end, and measured in turn.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import pandas as pd
import torch

from coatlab.benchmark.sweep import make_sweep
from coatlab.benchmark.throughput import endless_batches, training_step
from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import make_data
from coatlab.errors import RunError
from coatlab.process.machine import cores
from coatlab.process.memory import keep_freed_memory

# long enough that evaluating the test images, once per run, is a small part
RUN = ("data.train_size=8000", "data.eval_size=500", "data.train_eval_size=500", "trainer.max_epochs=8")
ALWAYS = ("trainer.accelerator=cpu", "trainer.threads=1", "tracker=none")
OWN = ("seed", "cluster", "paths.runs")


def measure(overrides: Sequence[str], *, runs: int, turns: int) -> pd.DataFrame:
    """Measure the sweep and the bare loops in turn.

    Returns:
        One row per turn: seconds of the sweep, seconds of the bare loops, and their ratio.

    Raises:
        InputError: an override is not valid, or coatlab is an installed wheel, without src/train.py.
        RunError: a run failed; the message has the end of its output.
    """
    runs_of = make_sweep(RUN, overrides, ALWAYS, OWN)
    words = runs_of.words
    rows = []
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as folder:
            seeds = "seed=" + ",".join(str(seed) for seed in range(runs))
            sweep = [runs_of.train, *words, seeds, "cluster=local", f"paths.runs={folder}"]
            local = _time([sweep])
        bare = [["-c", f"from {__name__} import train_bare; train_bare({words}, {seeds})"] for seeds in shares(runs)]
        rows.append({"sweep": local, "bare": _time(bare)})
    table = pd.DataFrame(rows)
    return table.assign(ratio=table["sweep"] / table["bare"])


def shares(runs: int) -> list[list[int]]:
    """Share the seeds 0 to runs - 1 among processes, one per core."""
    processes = min(cores(), runs)
    return [list(range(process, runs, processes)) for process in range(processes)]


def train_bare(words: Sequence[str], seeds: Sequence[int]) -> None:
    """Take the training steps of one run after the other, and do nothing else."""
    keep_freed_memory()
    torch.set_num_threads(1)
    for seed in seeds:
        config = resolve(compose([*words, f"seed={seed}"]))
        torch.manual_seed(seed)
        data = make_data(config)
        data.setup()
        step = training_step(config, data, torch.device("cpu"))
        steps = len(data.batches) * config["trainer"]["max_epochs"]
        for images, labels in itertools.islice(endless_batches(data, torch.device("cpu")), steps):
            step(images, labels)


def _time(commands: Sequence[Sequence[str]]) -> float:
    """Start Python commands together; return the seconds until all of them have ended."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        started = [subprocess.Popen([sys.executable, *command], stdout=output, stderr=output) for command in commands]
        try:
            failed = [process for process in started if process.wait() != 0]
            seconds = time.perf_counter() - began
        finally:
            for process in started:
                process.terminate()  # does nothing to one that has ended
        if failed:
            output.seek(0)
            raise RunError(f"a benchmarked command failed: {output.read()[-2000:]}")
    return seconds
