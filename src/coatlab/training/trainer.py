"""Lightning's trainer, set up for a run: what it must not do itself, and what the machine must have."""

import logging
import os
import warnings
from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.fabric.accelerators.cuda import CUDAAccelerator
from lightning.fabric.accelerators.mps import MPSAccelerator
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from coatlab.errors import InputError
from coatlab.process.machine import asked_threads, gpu_cells
from coatlab.process.place import place
from coatlab.runs.run import Run
from coatlab.training.callbacks.average import MovingAverage
from coatlab.training.callbacks.graphs import CudaGraphs, records
from coatlab.training.callbacks.measure import Measure
from coatlab.training.callbacks.progress import LiveProgress
from coatlab.training.checkpoints import AtomicCheckpoint


def make_trainer(run: Run, loggers: list[Any], callbacks: list[L.Callback], measure: Measure) -> L.Trainer:
    """Build the trainer of a run; `measure`, one of the callbacks, has what is displayed."""
    settings, recipe = run.config["trainer"], run.config["recipe"]
    if recipe["ema_decay"] is not None:
        callbacks.append(MovingAverage(recipe["ema_decay"]))
    callbacks.append(CudaGraphs(settings))
    if settings["progress"] and run.leads:
        callbacks.append(LiveProgress(run.folder.name, measure))
    world = settings["devices"] * settings["nodes"]
    plugins: list[Any] = [AtomicCheckpoint()]
    if "COATLAB_RANK" in os.environ or place().world == 1:
        plugins.append(LightningEnvironment())
    elif "SLURM_JOB_ID" in os.environ:
        plugins.append(SLURMEnvironment(auto_requeue=False))  # Lightning must not requeue: there is one requeuer only
    return L.Trainer(
        accelerator=settings["accelerator"],
        devices=settings["devices"],
        num_nodes=settings["nodes"],
        strategy="ddp" if world > 1 else "auto",
        sync_batchnorm=settings["sync_batchnorm"] and world > 1,
        precision=settings["precision"],
        max_epochs=settings["max_epochs"],
        accumulate_grad_batches=settings["accumulate"],
        gradient_clip_val=recipe["gradient_clip"],
        deterministic=settings["deterministic"],
        logger=loggers,
        callbacks=callbacks,
        plugins=plugins,
        default_root_dir=run.folder,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,  # nothing goes through Lightning's log; a larger number only warns about short epochs
        use_distributed_sampler=False,
    )


def check_machine(settings: Mapping[str, Any], started: int) -> None:
    """Check that this machine, and the processes that a cluster has started, are what the config asks for.

    Args:
        settings: the config's `trainer`.
        started: processes that were started for the run.

    Raises:
        InputError: there is no GPU, or none for this precision, or another number of processes.
    """
    if settings["accelerator"] == "gpu" and not has_gpu(settings):
        raise InputError("trainer.accelerator=gpu is not valid here: torch finds no GPU; valid: auto, cpu")
    records(settings, "cuda" if has_gpu(settings) and CUDAAccelerator.is_available() else "cpu")
    if settings["precision"] == "16-mixed" and not has_gpu(settings):
        raise InputError(
            "trainer.precision=16-mixed is not valid on a CPU, where Lightning would train in bfloat16; "
            "valid: bf16-mixed, 32-true, 64-true"
        )
    world = settings["devices"] * settings["nodes"]
    asked = f"trainer.devices={settings['devices']} and trainer.nodes={settings['nodes']}"
    if started not in (1, world):
        raise InputError(f"{started} processes were started for one run, not {world} as {asked} ask for")
    if started == 1 and settings["nodes"] > 1:
        raise InputError(f"{asked} need a cluster that starts {world} processes, as srun or torchrun do")
    if settings["sync_batchnorm"] and world > 1 and not CUDAAccelerator.is_available():
        raise InputError("trainer.sync_batchnorm=true needs GPUs; on CPUs several processes need it to be false")


def has_gpu(settings: Mapping[str, Any]) -> bool:
    """Tell whether a run trains on a GPU where it may."""
    return settings["accelerator"] != "cpu" and (CUDAAccelerator.is_available() or MPSAccelerator.is_available())


def set_threads(settings: Mapping[str, Any], cores: int) -> None:
    """Let this process compute on as many CPU threads as asked for, here or by OMP_NUM_THREADS, or on its share."""
    threads = settings["threads"] or asked_threads() or max(1, cores // settings["devices"])
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # else Lightning takes a number of its own where a run has processes


def same_float32() -> None:
    """Let convolutions on a GPU compute in float32 where matrix products do.

    Of itself cuDNN takes TF32, with 10 bits, for convolutions in float32: a run would be another experiment than on a
    CPU. Who wants it sets torch.set_float32_matmul_precision, which the record names.
    """
    torch.backends.cudnn.allow_tf32 = torch.get_float32_matmul_precision() != "highest"


def device_facts(trainer: L.Trainer, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record says of the device that trains; the environment can turn float32 into TF32."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "device": device.type,
        "gpu": name,
        "gpu_cells": gpu_cells() if name else None,
        "devices": trainer.world_size,
        "threads": torch.get_num_threads(),
        "float32": torch.get_float32_matmul_precision(),
        "cuda_graphs": records(settings, device.type),
    }


def quiet_lightning() -> None:
    """Silence what Lightning says to people who wrote their own loop; its warnings about real trouble stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*`isinstance\\(treespec, LeafSpec\\)`.*",
        ".*your validation dataloaders? has `shuffle.*",
        ".*your dataloader is not resumable.*",  # it begins where the checkpoint was (data/sampler.py)
        ".*The `srun` command is available.*",  # a run outside of a job, on a machine of a cluster
    ):
        warnings.filterwarnings("ignore", message)
