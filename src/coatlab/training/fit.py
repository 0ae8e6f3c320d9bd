"""Train one run to its end: its parts are put together, trained by Lightning, and its outcome is recorded.

`dry_run` tries one batch instead: `trainer.fast_dev_run=true`.
"""

import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import torch

from coatlab.data.loader import worded
from coatlab.process.memory import keep_freed_memory
from coatlab.process.place import place
from coatlab.process.signals import Signals
from coatlab.runs.correct import write_correct
from coatlab.runs.record import read_metrics
from coatlab.runs.run import Run, open_run
from coatlab.runs.spec import Spec
from coatlab.runs.summary import show_start
from coatlab.tracking.local import local_loggers, log_test
from coatlab.training.callbacks.guard import Guard
from coatlab.training.callbacks.measure import Diverged, Measure
from coatlab.training.checkpoints import drop_training_state, save_weights
from coatlab.training.distributed.leader import Meet, followers
from coatlab.training.log import MetricsFile
from coatlab.training.start import Start, facts, make_start
from coatlab.training.trainer import (
    check_machine,
    device_facts,
    make_trainer,
    quiet_lightning,
    same_float32,
    set_threads,
)

if TYPE_CHECKING:
    from coatlab.tracking.mirror import WandbMirror


def fit(run: Run, callbacks: Sequence[L.Callback] = ()) -> None:
    """Train a run to its end and write its outcome into the record; `callbacks` are there to watch.

    Raises:
        InputError: the data cannot be had, or a GPU is asked for where there is none.
        RunError: a process that prepares batches has ended.
        Stopped: a signal came; the state is saved.
        Diverged: the loss is not finite; the record says so already.
    """
    settings, here = run.config["trainer"], place()
    quiet_lightning()
    check_machine(settings, here.world)
    kept = settings["keep_freed_memory"] and keep_freed_memory()
    set_threads(settings, run.record["hardware"]["cores"])
    same_float32()
    # where nobody has started the other processes of the run
    count = settings["devices"] - 1 if here.world == 1 else 0
    with Signals(watched=True) as signals, followers(run.folder, count) as meet:
        start = make_start(run, here, settings["devices"] * settings["nodes"])
        start.data.on_wait = signals.stop_if_waiting
        metrics = MetricsFile(run.folder, keep=start.metrics_bytes) if run.leads else None
        mirror = _mirror(run, signals) if run.leads else None
        guard, measure = _callbacks(run, metrics, signals)
        others = local_loggers(run)
        loggers = [*filter(None, (metrics, mirror)), *others]
        trainer = make_trainer(run, loggers, [guard, measure, *callbacks], measure)
        device = device_facts(trainer, settings)
        run.record["attempts"][-1] |= {key: device[key] for key in ("device", "gpu", "devices", "threads")}
        run.update(
            **facts(run, start),
            hardware=run.record["hardware"] | device | {"keeps_freed_memory": kept},
            tracker=mirror.entry() if mirror else _no_tracker(run),
        )
        if run.leads:
            show_start(run.record, run.folder, start.title, images=len(start.data.sets["train"]))
        signals.arm(signal.SIGINT)  # until here Ctrl-C stops at once: there is nothing to save
        final: dict[str, float | None] = {}
        code = 1
        try:
            _train(trainer, start, meet, signals)
            correct = start.task.correct(start.data)
            final |= {**measure.row, **start.task.measures("test"), "test/images": len(correct)}
            final["step"] = trainer.global_step
            log_test(others, final)  # before the run is complete: else nobody would write this row again
            if metrics:
                _complete(run, start, final, correct, metrics, guard.elapsed())
            code = 0
        except Diverged as diverged:
            final |= measure.row
            run.diverge(str(diverged), final)
            raise
        finally:
            _leave_group()
            if metrics:
                metrics.close()
            if mirror:
                ended = mirror.finish(final, code, run.record, hurry=signals.received is not None)
                run.update(tracker=mirror.entry() | {"ended": ended})
        signals.stop_if_received()  # it came too late for this run, but others may follow


def _callbacks(run: Run, metrics: MetricsFile | None, signals: Signals) -> tuple[Guard, Measure]:
    settings, mark = run.config["trainer"], run.record["fingerprint"]
    evaluated = settings["eval_every"], settings["eval_at"] or ()
    guard = Guard(run.folder, mark, metrics, signals, run.config["seed"], settings["checkpoint_every"], *evaluated)
    return guard, Measure(settings["log_every"], *evaluated)


def dry_run(spec: Spec) -> None:
    """Train, evaluate and test one batch of a run, and say so; nothing is kept and no tracker hears of it.

    It is Lightning's `fast_dev_run`, on one device, in a temporary folder.

    Raises:
        InputError: as `fit`.
    """
    settings = {**spec.config["trainer"], "devices": 1, "nodes": 1, "max_epochs": 1}
    with tempfile.TemporaryDirectory(prefix="coatlab-dry-") as folder:
        config = {**spec.config, "trainer": settings}
        with open_run(replace(spec, config=config, folder=Path(folder) / spec.folder.name)) as run:
            quiet_lightning()
            check_machine(settings, 1)
            set_threads(settings, run.record["hardware"]["cores"])
            same_float32()
            start = make_start(run, place(), 1)
            trainer = L.Trainer(
                fast_dev_run=True,
                accelerator=settings["accelerator"],
                devices=1,
                precision=settings["precision"],
                gradient_clip_val=config["recipe"]["gradient_clip"],
                deterministic=settings["deterministic"],
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
                default_root_dir=folder,
            )
            trainer.fit(start.task, datamodule=start.data)
            trainer.test(start.task, datamodule=start.data, verbose=False)
            found = start.task.measures("train", "eval", "test")
    losses = ", ".join(f"{name} {found[f'{name}/loss']:.3f}" for name in ("train", "eval", "test"))
    print(f"dry run: one batch of each was computed (loss: {losses}); no run folder was written")


def _train(trainer: L.Trainer, start: Start, meet: Meet, signals: Signals) -> None:
    """Train to the last step, and look at the test files once."""
    path = start.checkpoint and str(start.checkpoint[0])
    try:
        meet(signals.stop_if_received)
        trainer.fit(start.task, datamodule=start.data, ckpt_path=path, weights_only=True)
        trainer.test(start.task, datamodule=start.data, verbose=False)
    except SystemExit as left:  # so Lightning ends at a second Ctrl-C
        raise KeyboardInterrupt from left
    except RuntimeError as error:
        if (ended := worded(error)) is None:
            raise
        raise ended from error


def _complete(
    run: Run,
    start: Start,
    final: dict[str, float | None],
    correct: torch.Tensor,
    metrics: MetricsFile,
    seconds: float,
) -> None:
    """Keep the weights and what they got right, write that the run is complete, and drop what a resume would need."""
    rows = metrics.synced()
    final["images_per_second"] = _median_speed(run.folder)
    if start.data.official_test:
        write_correct(run.folder, correct.numpy())
    save_weights(run.folder, start.task.network, run.record["fingerprint"])
    run.complete(final, rows=rows, timings={"seconds": round(seconds, 1), "attempts": len(run.record["attempts"])})
    drop_training_state(run.folder)


def _leave_group() -> None:
    """Let go of the other processes, unless it was an error: then they may not answer."""
    if torch.distributed.is_initialized() and not isinstance(sys.exc_info()[1], Exception):
        torch.distributed.destroy_process_group()  # its threads must not outlive Python


def _mirror(run: Run, signals: Signals) -> "WandbMirror | None":
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
        look=signals.stop_if_received,
    )


def _no_tracker(run: Run) -> dict[str, Any]:
    """Return the tracker's entry for the record where there is none, by config, by environment, or for trouble."""
    settings, mode = run.config["tracker"], None
    if settings["name"] == "wandb" and settings["mode"] == "auto":
        from coatlab.tracking.session import asked_mode

        mode = asked_mode()
    return {"name": "none", **({"mode": mode} if mode == "disabled" else {})}


def _median_speed(folder: Path) -> float:
    """Return the median over epochs of training images per second."""
    return statistics.median(row["images_per_second"] for row in read_metrics(folder) if "images_per_second" in row)
