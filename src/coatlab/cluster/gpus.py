"""The GPUs of this machine, asked of the driver and not of torch, and how many cells fit on one.

Measured on an H200 with 16 cores: cells of `nano`, batches of 64, train on 7,700 images per second one at a time, on
20,500 sixteen at a time, and on 50,900 with CUDA's MPS, by which their kernels run side by side instead of in turn.
"""

import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coatlab.config.targets import is_ours, python_path

OWN = 0.7e9  # bytes that a process has on a GPU before it computes: CUDA's context and the code of its libraries
KEPT = 2  # a step's peak memory over the activations that are counted, at most: 0.5 (bfloat16) to 2 were measured
STATES = 16  # bytes of a parameter: itself, its gradient and two moments
MPS = "nvidia-cuda-mps-control"
USED = 0.9  # the part of a GPU's memory that is shared out


def visible_gpus() -> list[str]:
    """List the GPUs that CUDA would show: CUDA_VISIBLE_DEVICES, or all that the driver names."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    return [str(n) for n in range(sum(line.startswith("GPU ") for line in _nvidia_smi("-L")))]


def per_gpu(configs: Sequence[Mapping[str, Any]], gpus: Sequence[str], cores: int) -> int:
    """Return how many cells share a GPU: as many as there are cores for, if its memory holds them; at least one.

    Args:
        configs: of the cells, resolved.
        gpus: as `visible_gpus` names them.
        cores: of this machine.
    """
    if not gpus:
        return 1
    smallest = min(memory(gpu) for gpu in gpus)
    largest = max((needed(config) for config in configs), default=math.inf)
    return max(1, min(cores // len(gpus), int(USED * smallest / largest)))


def hint(places: Sequence[str]) -> str:
    """Return a sentence about MPS if cells share a GPU of this machine without it, else nothing.

    Args:
        places: the GPU of each cell that runs at the same time.
    """
    alone = len(set(places)) == len(places) or not any(places)
    running = (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")) / "control").exists()
    if alone or running or not shutil.which(MPS):
        return ""
    return f"cells that share a GPU take turns there; side by side they are faster: {MPS} -d before a sweep starts MPS"


def memory(gpu: str) -> float:
    """Return the bytes of memory of a GPU; 0 if the driver does not tell."""
    found = _nvidia_smi(f"--id={gpu}", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    return int(found[0]) * 2.0**20 if found and found[0].strip().isdigit() else 0.0


def needed(config: Mapping[str, Any]) -> float:
    """Return how many bytes of a GPU a cell needs at most; infinitely many if its network cannot be counted yet."""
    if config["data"]["num_classes"] is None or not is_ours("attention", python_path("attention", config["attention"])):
        return math.inf
    from coatlab.budget.counted import count_ahead  # here, because it imports torch

    cost, images = count_ahead(config), config["data"]["batch_size"]
    return OWN + KEPT * cost.activations * images + STATES * cost.parameters


def _nvidia_smi(*words: str) -> list[str]:
    try:
        done = subprocess.run(["nvidia-smi", *words], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
