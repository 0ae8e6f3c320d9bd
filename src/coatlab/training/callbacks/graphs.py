"""CUDA graphs: the network's passes in training are recorded once, and each step launches them as a whole.

A step of a small network is hundreds of kernels of a few microseconds each, fewer than Python needs to ask for one. A
recorded pass is asked for once. The kernels, their order and their random numbers stay the same, and so do the results.
Evaluation is not recorded.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import lightning as L
import torch
from torch import Tensor

from coatlab.config.words import written
from coatlab.errors import InputError, RunError
from coatlab.output.text import line
from coatlab.training.task import Task

HALF = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}  # what Lightning's mixed precisions compute in
# Under these settings a pass cannot be recorded: what a step does is not the same each time, or is done elsewhere.
WITHOUT: dict[str, Any] = {
    "accumulate": 1,  # gradients stay where they were recorded, and the next batch's would overwrite them
    "devices": 1,
    "nodes": 1,
    "compile": False,
    "checkpoint_activations": False,
}


def records(settings: Mapping[str, Any], device: str) -> bool:
    """Tell whether the passes of a run are recorded.

    Args:
        settings: the config's `trainer`.
        device: its kind, as in cuda.

    Raises:
        InputError: they are to be, and cannot.
    """
    asked = settings["cuda_graphs"]
    against = [f"trainer.{key}={written(settings[key])}" for key, value in WITHOUT.items() if settings[key] != value]
    if asked is True and device != "cuda":
        raise InputError(f"trainer.cuda_graphs=true is not valid on a {device}, only on CUDA; valid: auto, false")
    if asked is True and against:
        raise InputError(f"trainer.cuda_graphs=true is not valid with {', '.join(against)}; valid: auto, false")
    return asked is not False and device == "cuda" and not against


class CudaGraphs(L.Callback):
    """Record the passes when the network is on its device and has the weights that training begins with.

    Args:
        settings: the config's `trainer`, which says whether.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Record, where that is asked for and possible."""
        device = trainer.strategy.root_device
        if records(self.settings, device.type):
            assert isinstance(pl_module, Task)
            shape: tuple[int, ...] = trainer.datamodule.shape  # type: ignore[attr-defined]
            record(pl_module, torch.zeros(shape, device=device), str(trainer.precision))


def record(task: Task, images_BCHW: Tensor, precision: str) -> None:
    """Record the network's passes for batches of a shape; from now on they are replayed in training.

    Other batches, as those from which corrupt images were left out, are computed as before.

    Args:
        task: on a GPU, in training mode.
        images_BCHW: of the batch's shape.
        precision: of the trainer, as in `bf16-mixed`.

    Raises:
        RunError: the network does what cannot be recorded, such as reading a number from the GPU.
    """
    network, plain = task.network, task.network.forward
    before = [buffer.clone() for buffer in network.buffers()]
    images_BCHW = images_BCHW.to(task.dtype, memory_format=task.memory_format)
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)  # passes are recorded in a stream apart
    try:
        with autocast(precision, images_BCHW.device):
            torch.cuda.make_graphed_callables(network, (images_BCHW,))
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RunError(
            f"the passes of the network cannot be recorded as CUDA graphs ({line(error)}); "
            "with trainer.cuda_graphs=false they need not be"
        ) from error
    recorded = network.forward
    network.forward = lambda x: (recorded if x.shape == images_BCHW.shape else plain)(x)
    with torch.no_grad():
        for buffer, value in zip(network.buffers(), before, strict=True):
            buffer.copy_(value)  # the passes that precede the recording have changed the statistics


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context of a mixed precision, in which casts of weights are not kept: recordings need that."""
    half = HALF.get(precision)
    return nullcontext() if half is None else torch.autocast(device.type, half, cache_enabled=False)
