"""Runs on a GPU: no step waits for the device, a killed run goes on as it was, and several share the device."""

import json
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from coatlab.runs.record import read_metrics, read_record
from tests.gpu.runs import command, train
from tests.support.commandline import wait_for

FRACTALS = ["data=fractals", "data.train_size=1280", "data.test_size=200", "data.render=device"]


class Strict(L.Callback):
    """Let every wait for the device be an error, from the fourth step to the eighth."""

    steps = 0

    def on_train_batch_start(self, trainer: L.Trainer, *args: Any) -> None:
        if trainer.global_step == 3:
            torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        self.steps += torch.cuda.get_sync_debug_mode() != 0
        if trainer.global_step == 8:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "words", [[], ["trainer.cuda_graphs=false"], ["trainer=gpu"], FRACTALS, ["recipe.ema_decay=0.9"]]
)
def test_no_step_waits_for_the_device(words: list[str], tmp_path: Path) -> None:
    strict = Strict()
    try:
        train(tmp_path, *words, "trainer.log_every=1000", "trainer.max_epochs=1", callbacks=[strict])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert strict.steps == 5


@pytest.mark.parametrize("words", [[], ["trainer=gpu"]])
def test_a_killed_run_goes_on_as_it_was(words: list[str], tmp_path: Path) -> None:
    shared = [*words, "trainer.max_epochs=8", "trainer.checkpoint_every=0", "recipe.stochastic_depth=0.2"]
    whole = train(tmp_path / "whole", *shared)["final"]
    killed = tmp_path / "killed"
    process = command(killed, *shared)
    wait_for(lambda: _epochs(killed), 60)
    process.kill()
    printed = process.communicate()[0]
    assert 0 < _epochs(killed) < 8, printed
    again = command(killed, *shared)
    assert again.communicate()[0]
    assert again.returncode == 0
    record = read_record(next(killed.glob("*-s0-*")))
    assert len(record["attempts"]) == 2
    print("bit-identical:", all(record["final"][key] == whole[key] for key in ("train/loss", "test/loss")))
    assert record["final"]["train/loss"] == pytest.approx(whole["train/loss"], rel=0.02)
    assert record["final"]["test/accuracy"] == pytest.approx(whole["test/accuracy"], abs=0.02)


def test_eight_cells_share_the_device(tmp_path: Path) -> None:
    alone = train(tmp_path / "alone", "seed=3")["final"]
    sweep = command(tmp_path / "sweep", "seed=0,1,2,3,4,5,6,7", "cluster=local", "cluster.per_gpu=8")
    printed = sweep.communicate()[0]
    assert sweep.returncode == 0, printed
    records = [read_record(path.parent) for path in (tmp_path / "sweep").glob("*/record.json")]
    assert len(records) == 8
    assert {(one["status"], one["hardware"]["device"]) for one in records} == {("complete", "cuda")}
    (third,) = [one for one in records if one["config"]["seed"] == 3]
    assert third["final"]["train/loss"] == pytest.approx(alone["train/loss"], rel=0.02)
    assert all(row.get("peak_memory_mb", 1) > 0 for row in read_metrics(next((tmp_path / "sweep").glob("*-s0-*"))))


def _epochs(folder: Path) -> int:
    lines = [line for path in folder.glob("*/metrics.jsonl") for line in path.read_text().splitlines()]
    return sum("epoch" in json.loads(line) for line in lines if line.endswith("}"))
