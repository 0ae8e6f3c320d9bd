"""Stopped at any moment and started again: the same weights, bit for bit, one record, one tracker run."""

import os
import pkgutil
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from coatlab.data.image_data import Batch
from coatlab.data.in_memory import Gather
from coatlab.errors import Stopped
from coatlab.runs.record import read_metrics
from coatlab.runs.run import open_run
from coatlab.training.fit import fit
from tests.support.commandline import REPOSITORY, TINY, CommandLine, kill, last_of_each_key, wait_for
from tests.support.specs import spec_of

pytestmark = pytest.mark.slow

SLOW = ["trainer.max_epochs=12", "trainer.checkpoint_every=0.2"]  # a few seconds
STOCHASTIC = ["recipe.stochastic_depth=0.3"]  # draws random numbers at every step


def weights(command: CommandLine) -> dict[str, torch.Tensor]:
    content = torch.load(command.folder() / "checkpoints" / "weights.pt", weights_only=True)
    return dict(content["network"])


def course(command: CommandLine) -> list[dict]:
    """Return the rows of metrics.jsonl less what a clock measured."""
    measured = ("images_per_second", "peak_memory_mb")
    return [{k: v for k, v in row.items() if k not in measured} for row in read_metrics(command.folder())]


def assert_same_run(one: CommandLine, other: CommandLine) -> None:
    left, right = weights(one), weights(other)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    assert course(one) == course(other)
    keys = ("eval/accuracy", "eval/loss", "train/loss", "test/accuracy", "step")
    assert [one.record()["final"][k] for k in keys] == [other.record()["final"][k] for k in keys]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    command = CommandLine(tmp_path_factory.mktemp("undisturbed"))
    done = command.run(*SLOW, *STOCHASTIC, "tracker=none")
    assert done.returncode == 0, done.stderr
    return command


def steps(command: CommandLine) -> int:
    folders = list(command.runs.glob("*/metrics.jsonl"))
    return len(folders[0].read_bytes().splitlines()) if folders else 0


def test_ten_kills_at_random_moments(command: CommandLine, undisturbed: CommandLine) -> None:
    moments = random.Random(0)
    kills = 0
    while kills < 10:
        process = command.start(*SLOW, *STOCHASTIC)
        before = steps(command)
        wait_for(lambda: process.poll() is not None or steps(command) != before)  # noqa: B023
        time.sleep(moments.uniform(0, 0.25))
        finished = process.poll() is not None
        kill(process)
        if finished:
            break
        kills += 1
    done = command.run(*SLOW, *STOCHASTIC)
    assert done.returncode == 0, done.stderr
    assert kills >= 5, "the run ended before it could be killed often enough"
    assert_same_run(command, undisturbed)
    record = command.record()
    assert record["status"] == "complete"
    assert len(record["attempts"]) >= kills + 1
    segments = list((command.folder() / "wandb").glob("offline-run-*"))
    assert len(segments) == 1  # `wandb sync` sees one run; earlier segments are set aside
    assert segments[0].name.endswith(record["fingerprint"])
    assert not list(command.folder().rglob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops_and_the_same_command_goes_on(
    command: CommandLine, undisturbed: CommandLine, number: int
) -> None:
    process = command.start(*SLOW, *STOCHASTIC, "tracker=none", "trainer.checkpoint_every=1000")
    wait_for(lambda: steps(command) >= 3)
    process.send_signal(number)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 128 + number, err
    assert command.record()["status"] == "interrupted"
    assert f"stopped by {signal.Signals(number).name}; the state is saved" in err
    assert "Traceback" not in err
    done = command.run(*SLOW, *STOCHASTIC, "tracker=none")
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("epoch ") for line in done.stderr.splitlines()), done.stderr  # no warning
    assert_same_run(command, undisturbed)


def test_a_terminal_that_is_closed_saves_and_stops(command: CommandLine, undisturbed: CommandLine) -> None:
    terminal, inside = os.openpty()
    words = last_of_each_key([*TINY, *SLOW, *STOCHASTIC, "tracker=none", "trainer.checkpoint_every=1000"])
    process = subprocess.Popen(
        [sys.executable, "src/train.py", *words],
        cwd=REPOSITORY,
        env=command.environment,
        preexec_fn=lambda: os.login_tty(inside),
    )
    os.close(inside)
    wait_for(lambda: steps(command) >= 3)
    os.close(terminal)
    process.wait(100)
    assert command.record()["status"] == "interrupted"
    assert (command.folder() / "checkpoints" / "last.ckpt").exists()
    done = command.run(*SLOW, *STOCHASTIC, "tracker=none")
    assert done.returncode == 0, done.stderr
    assert_same_run(command, undisturbed)


PLACES = [
    "training.callbacks.guard.Guard.on_train_start",
    "training.callbacks.guard.Guard.on_validation_batch_start",
    "training.callbacks.guard.Guard.on_test_batch_start",
    "training.fit.drop_training_state",  # the run is complete, and a sweep would begin the next one
]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("place", PLACES)
def test_a_signal_is_heard_at_any_time(
    place: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, _, name = f"coatlab.{place}".rpartition(".")
    meant = pkgutil.resolve_name(f"coatlab.{place}")

    def stop(*arguments: Any, **others: Any) -> Any:
        monkeypatch.undo()
        os.kill(os.getpid(), number)
        return meant(*arguments, **others)

    monkeypatch.setattr(f"{owner}.{name}", stop)
    words = last_of_each_key([*TINY, "trainer.max_epochs=1", "tracker=none", f"paths.runs={tmp_path}"])
    with pytest.raises(Stopped) as stopped, open_run(spec_of(*words)) as run:
        fit(run)
    assert stopped.value.signal_number == number
    status = "complete" if place == PLACES[-1] else "interrupted"
    assert run.record["status"] == status


def test_a_signal_is_heard_while_a_worker_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meant, process = Gather.batch, os.getpid()

    def stuck(self: Gather, epoch: int, indices: torch.Tensor) -> Batch:
        if os.getpid() != process:  # in a worker
            os.kill(process, signal.SIGTERM)
            time.sleep(600)
        return meant(self, epoch, indices)

    monkeypatch.setattr(Gather, "batch", stuck)
    monkeypatch.setattr("coatlab.process.signals.WAIT_SECONDS", 2)
    words = last_of_each_key([*TINY, "tracker=none", "data.workers=1", f"paths.runs={tmp_path}"])
    with pytest.raises(Stopped), open_run(spec_of(*words)) as run:
        fit(run)
    assert run.record["status"] == "interrupted"


def test_a_second_ctrl_c_is_recorded_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **others: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("coatlab.training.callbacks.guard.Guard.on_train_batch_start", stop)
    words = [*TINY, "tracker=none", f"paths.runs={tmp_path}"]
    with pytest.raises(KeyboardInterrupt), open_run(spec_of(*words)) as run:
        fit(run)
    assert (run.record["status"], run.record["error"]) == ("interrupted", "stopped by Ctrl-C")


VARIANTS = {
    "ema": ["recipe.ema_decay=0.9", "trainer.eval_every=2", "trainer.eval_at=[100,1000,1500]"],
    "augmentation": [
        "recipe=in1k",
        "recipe.ema_decay=0.9",
        "recipe.scale_lr=false",
        "recipe.stochastic_depth=0.2",
        "data.workers=2",
        "data.train_size=256",  # PIL augments them slowly
        "trainer.log_every=2",
    ],
    "accumulation": ["trainer.accumulate=3", "trainer.eval_every=2", "trainer.eval_at=[500,1000,1500]"],
    "random_features": ["attention=linear", "attention.feature_map=favor"],
    "vit": ["layout=ViT_REL", "plan.blocks=[1,2]", "plan.widths=[16,16]", "plan.strides=[8,1]"],
}


@pytest.mark.parametrize("name", VARIANTS)
def test_other_ways_to_train_resume_exactly_too(name: str, tmp_path: Path) -> None:
    overrides = [*SLOW, *VARIANTS[name], "trainer.max_epochs=3", "tracker=none"]
    whole, cut = CommandLine(tmp_path / "whole"), CommandLine(tmp_path / "cut")
    assert whole.run(*overrides).returncode == 0
    process = cut.start(*overrides)
    wait_for(lambda: steps(cut) >= 4)
    kill(process)
    done = cut.run(*overrides)
    assert done.returncode == 0, done.stderr
    assert len(cut.record()["attempts"]) == 2
    assert_same_run(whole, cut)
