"""This process's rank among those that train one run together: set by torchrun, by Slurm or by the leader.

The leader is coatlab's own process that starts the others of a run (`training/distributed/leader.py`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A process's rank among `world` processes; `launch` is the same for all that were started together."""

    rank: int
    world: int
    launch: str | None = None


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """Read rank and number of processes from the environment."""
    if "COATLAB_RANK" in environment:  # started by the leader
        return Place(int(environment["COATLAB_RANK"]), int(environment["COATLAB_WORLD"]))
    if "TORCHELASTIC_RUN_ID" in environment:
        launch = f"{environment['TORCHELASTIC_RUN_ID']}-{environment.get('TORCHELASTIC_RESTART_COUNT', 0)}"
        return Place(int(environment["RANK"]), int(environment["WORLD_SIZE"]), launch)
    # srun sets these for each task; the shell of an allocation has SLURM_NTASKS but not these
    if int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in environment:
        job = f"{environment['SLURM_JOB_ID']}.{environment['SLURM_STEP_ID']}"
        launch = f"{job}-{environment.get('SLURM_RESTART_COUNT', 0)}"
        return Place(int(environment["SLURM_PROCID"]), int(environment["SLURM_STEP_NUM_TASKS"]), launch)
    return Place(0, 1)
