"""Which of the processes that train one run together this one is, as torchrun, Slurm or the leader has set it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A process's rank among `world`; `launch` is the same for all that were started together."""

    rank: int
    world: int
    launch: str | None = None


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """Read rank and number of processes from the environment, as torchrun or Slurm have set it."""
    if "COATLAB_RANK" in environment:  # one of ours
        return Place(int(environment["COATLAB_RANK"]), int(environment["COATLAB_WORLD"]))
    if "TORCHELASTIC_RUN_ID" in environment:
        launch = f"{environment['TORCHELASTIC_RUN_ID']}-{environment.get('TORCHELASTIC_RESTART_COUNT', 0)}"
        return Place(int(environment["RANK"]), int(environment["WORLD_SIZE"]), launch)
    # set by srun for each task; an allocation's own shell has SLURM_NTASKS alone
    if int(environment.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in environment:
        job = f"{environment['SLURM_JOB_ID']}.{environment['SLURM_STEP_ID']}"
        launch = f"{job}-{environment.get('SLURM_RESTART_COUNT', 0)}"
        return Place(int(environment["SLURM_PROCID"]), int(environment["SLURM_STEP_NUM_TASKS"]), launch)
    return Place(0, 1)
