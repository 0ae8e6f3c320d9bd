"""Jobs measured in turn, round by round, so that whatever else the machine does falls on all of them alike.

A ratio is the median over rounds of the ratios within a round. `spread` tells how quiet the machine was: the distance
between the quartiles of a job's times, over their median.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

QUIET = 0.1  # spread up to which the machine counts as quiet
WARM_UP = 2  # calls of each job before the first round: caches, memory, compilation

Job = Callable[[], object]


def measure(jobs: Mapping[str, Job], rounds: int, device: torch.device, again: int = 1) -> pd.DataFrame:
    """Return the seconds of each job (columns) in each round (rows); every second round goes backwards.

    Args:
        jobs: by name.
        rounds: how often all of them are measured.
        device: what a job's work is waited for on.
        again: calls of a job in a round.
    """
    for job in jobs.values():
        for _ in range(WARM_UP):
            job()
    rows = []
    for number in range(rounds):
        order = list(jobs) if number % 2 == 0 else list(jobs)[::-1]
        seconds = {name: _seconds(jobs[name], device, again) for name in order}
        rows.append({name: seconds[name] for name in jobs})
    return pd.DataFrame(rows)


def ratio(seconds: pd.DataFrame, slow: str, fast: str) -> float:
    """Return how many times as fast one job is as another: the median over rounds."""
    return float((seconds[slow] / seconds[fast]).median())


def spread(seconds: pd.DataFrame) -> float:
    """Return the largest spread of any job."""
    low, middle, high = (seconds.quantile(q) for q in (0.25, 0.5, 0.75))
    return float(np.max((high - low) / middle))


def warning(seconds: pd.DataFrame) -> str:
    """Return a sentence if the machine was not quiet, else nothing."""
    found = spread(seconds)
    return unquiet(found) if found > QUIET else ""


def unquiet(found: float) -> str:
    """Return the sentence about a spread that is too large."""
    return (
        f"The machine is not quiet: half of the rounds differ by more than {found:.0%} of their median. Trust the "
        "ratios more than the times, and measure again when nothing else runs."
    )


def _seconds(job: Job, device: torch.device, again: int) -> float:
    wait(device)
    began = time.perf_counter()
    for _ in range(again):
        job()
    wait(device)
    return (time.perf_counter() - began) / again


def wait(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
