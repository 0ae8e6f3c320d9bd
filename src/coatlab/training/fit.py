"""Train one run: data, network, trainer, from the last checkpoint if there is one, to the final measures."""

import logging
import math
import os
import signal
import statistics
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import torch
from lightning.fabric.accelerators.cuda import CUDAAccelerator
from lightning.fabric.accelerators.mps import MPSAccelerator
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from coatlab.budget.cost import Cost, cost_of
from coatlab.create import network_of
from coatlab.data.image_data import ImageData, make_data
from coatlab.errors import InputError
from coatlab.model.network import Network
from coatlab.process.memory import keep_freed_memory
from coatlab.process.place import place
from coatlab.process.signals import Signals
from coatlab.runs.donor import find
from coatlab.runs.record import read_metrics
from coatlab.runs.run import Run
from coatlab.runs.summary import show_plan
from coatlab.training.callbacks import Diverged, Guard, Measure, MovingAverage
from coatlab.training.checkpoints import AtomicCheckpoint, drop_training_state, newest, position, save_weights
from coatlab.training.leader import followers
from coatlab.training.log import MetricsFile
from coatlab.training.progress import LiveProgress
from coatlab.training.recipe import for_run
from coatlab.training.task import Task
from coatlab.training.transfer import transfer

if TYPE_CHECKING:
    from coatlab.tracking.mirror import WandbMirror


def fit(run: Run) -> None:
    """Train a run to its end and write its outcome into the record.

    Raises:
        InputError: the data cannot be had, or a GPU is asked for where there is none.
        Stopped: a signal came; the state is saved.
        Diverged: the loss is not finite; the record says so already.
    """
    config, settings = run.config, run.config["trainer"]
    _quiet()
    if settings["accelerator"] == "gpu" and not (CUDAAccelerator.is_available() or MPSAccelerator.is_available()):
        raise InputError("trainer.accelerator=gpu is not valid here: torch finds no GPU; valid: auto, cpu")
    kept = settings["keep_freed_memory"] and keep_freed_memory()
    here, world = place(), settings["devices"] * settings["nodes"]
    _check_processes(settings, here.world)
    threads = settings["threads"] or max(1, run.record["hardware"]["cores"] // settings["devices"])
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # else Lightning takes a number of its own where a run has processes
    # where nobody has started the other processes of the run
    with Signals() as signals, followers(run.folder, settings["devices"] - 1 if here.world == 1 else 0) as meet:
        data = make_data(config)
        data.share(here.rank, world)
        data.setup()
        data.recall(run.record.get("data", {}))
        data.on_facts = lambda: run.update(data=data.facts())
        L.seed_everything(config["seed"], verbose=False)
        network = _network(config, data)
        cost = cost_of(network)
        checkpoint = newest(run.folder)
        if config["init"]["name"] == "finetune" and not checkpoint:
            run.update(init=transfer(network, find(config)))
        state = checkpoint[1]["coatlab"] if checkpoint else {"metrics_bytes": 0}
        if checkpoint:
            data.batches.start_at(*position(checkpoint[1], len(data.batches)))
        metrics = MetricsFile(run.folder, keep=state["metrics_bytes"]) if run.leads else None
        mirror = _mirror(run) if run.leads else None
        guard = Guard(run.folder, metrics, signals, config["seed"], settings["checkpoint_every"])
        measure = Measure(settings["log_every"])
        trainer = _trainer(run, [logger for logger in (metrics, mirror) if logger], guard, measure)
        recipe = for_run(
            config["recipe"],
            batch=data.batch_size * settings["accumulate"],
            steps_per_epoch=math.ceil(len(data.batches) / settings["accumulate"]),
            epochs=settings["max_epochs"],
        )
        task = Task(
            network,
            config["recipe"] | recipe,
            channels_last=settings["channels_last"],
            num_classes=data.num_classes,
        )
        if settings["compile"]:
            task.network.compile()
        run.update(
            cost={"parameters": cost.parameters, "macs": cost.macs, "activations": cost.activations},
            budget=_budget(config, cost),
            attention=network.attention_fields(),
            data=data.facts(),
            recipe=recipe,
            hardware=run.record["hardware"] | _device(trainer) | {"keeps_freed_memory": kept},
            tracker=mirror.entry() if mirror else {"name": "none"},
        )
        title = f"going on after step {checkpoint[1]['global_step']}" if checkpoint else "about to train"
        if run.leads:
            show_plan(run.record, run.folder, title, images=len(data.sets["train"]))
        final: dict[str, float | None] = {}
        code = 1
        signals.arm(signal.SIGINT)  # until here Ctrl-C stops at once: there is nothing to save
        try:
            meet(signals.stop_if_received)
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint and str(checkpoint[0]), weights_only=True)
            trainer.test(task, datamodule=data, verbose=False)
            final = {**measure.row, **task.measures("test"), "step": trainer.global_step}
            if run.leads:
                final["images_per_second"] = _median_speed(run.folder)
                save_weights(run.folder, task.network, run.record["fingerprint"])
                timings = {"seconds": round(guard.elapsed(), 1), "attempts": len(run.record["attempts"])}
                run.complete(final, timings=timings)
                drop_training_state(run.folder)
            code = 0
        except Diverged as diverged:
            final = dict(measure.row)
            run.diverge(str(diverged), final)
            raise
        except SystemExit as left:  # so Lightning ends at a second Ctrl-C
            raise KeyboardInterrupt from left
        finally:
            _leave_group()
            if metrics:
                metrics.close()
            if mirror:
                mirror.finish({key: value for key, value in final.items() if value is not None}, code, run.record)
        signals.stop_if_received()  # it came too late for this run, but others may follow


def _leave_group() -> None:
    """Let go of the other processes, unless it was an error: then they may not answer."""
    if torch.distributed.is_initialized() and not isinstance(sys.exc_info()[1], Exception):
        torch.distributed.destroy_process_group()  # its threads must not outlive Python


def _check_processes(settings: Mapping[str, Any], started: int) -> None:
    """Check that the processes which a cluster has started are those that the config asks for."""
    world = settings["devices"] * settings["nodes"]
    asked = f"trainer.devices={settings['devices']} and trainer.nodes={settings['nodes']}"
    if started not in (1, world):
        raise InputError(f"{started} processes were started for one run, not {world} as {asked} ask for")
    if started == 1 and settings["nodes"] > 1:
        raise InputError(f"{asked} need a cluster that starts {world} processes, as srun or torchrun do")
    if settings["sync_batchnorm"] and world > 1 and not CUDAAccelerator.is_available():
        raise InputError("trainer.sync_batchnorm=true needs GPUs; on CPUs several processes need it to be false")


def _network(config: Mapping[str, Any], data: ImageData) -> Network:
    return network_of(
        config,
        image_size=data.image_size,
        num_classes=data.num_classes,
        channels=data.channels,
        stochastic_depth=config["recipe"]["stochastic_depth"],
    )


def _trainer(run: Run, loggers: list[Any], guard: Guard, measure: Measure) -> L.Trainer:
    settings, recipe = run.config["trainer"], run.config["recipe"]
    callbacks: list[L.Callback] = [guard, measure]
    if recipe["ema_decay"] is not None:
        callbacks.append(MovingAverage(recipe["ema_decay"]))
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


def _mirror(run: Run) -> "WandbMirror | None":
    settings = run.config["tracker"]
    if settings["name"] != "wandb":
        return None
    from coatlab.tracking.mirror import open_mirror  # W&B is imported only where it is used

    return open_mirror(
        settings,
        folder=run.folder,
        fingerprint=run.record["fingerprint"],
        config=run.record["config"],
        rows=read_metrics(run.folder),
    )


def _budget(config: Mapping[str, Any], cost: Cost) -> dict[str, Any]:
    """Return which plan was used and, at the budget's own resolution, how far its cost is off the budget."""
    reference = config["size"].get("budget")
    data = config["data"]
    shared = ("image_size", "channels", "num_classes")
    if reference is None or any(reference[key] != data[key] for key in shared):
        return {"plan": config["budget"]}
    off = {key: round(getattr(cost, key) / reference[key] - 1, 5) for key in ("parameters", "macs")}
    return {"plan": config["budget"], "reference": dict(reference), "off": off}


def _device(trainer: L.Trainer) -> dict[str, Any]:
    """Return what the record says of the device that trains."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"device": device.type, "gpu": name, "devices": trainer.world_size, "threads": torch.get_num_threads()}


def _median_speed(folder: Path) -> float:
    """Return the median over epochs of training images per second."""
    return statistics.median(row["images_per_second"] for row in read_metrics(folder) if "images_per_second" in row)


def _quiet() -> None:
    """Silence what Lightning says to people who wrote their own loop; its warnings about real trouble stay."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*`isinstance\\(treespec, LeafSpec\\)`.*",
        ".*your validation dataloaders? has `shuffle.*",
        ".*your dataloader is not resumable.*",  # it begins where the checkpoint was (sampler.py)
        ".*The `srun` command is available.*",  # a run outside of a job, on a machine of a cluster
    ):
        warnings.filterwarnings("ignore", message)
