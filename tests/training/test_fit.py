"""A run tried with one batch leaves nothing; epochs of fewer batches are another experiment, exactly resumed."""

import json

import pytest

from analysis.read.weights import weights_mark
from coatlab.runs.record import read_metrics
from coatlab.runs.weights import WEIGHTS
from tests.support.commandline import CommandLine, wait_for

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("words", [[], ["trainer.devices=2", "recipe.ema_decay=0.9"]])
def test_a_dry_run_computes_one_batch_and_leaves_nothing(words: list[str], command: CommandLine) -> None:
    done = command.run("trainer.fast_dev_run=true", *words)
    assert done.returncode == 0, done.stderr
    assert "dry run: one batch of each was computed (loss: train 2." in done.stdout
    assert "no run folder was written" in done.stdout
    assert not command.runs.exists()


def test_a_dry_run_finds_what_would_stop_a_run_and_is_refused_in_a_sweep(command: CommandLine) -> None:
    wrong = command.run("trainer.fast_dev_run=true", "attention.name=x", "attention._target_=no.such.Thing")
    assert wrong.returncode == 1
    assert "error: attention._target_=no.such.Thing cannot be imported" in wrong.stderr
    sweep = command.run("--multirun", "trainer.fast_dev_run=true", "seed=0,1")
    assert sweep.returncode == 1
    assert "trainer.fast_dev_run=true is not valid in a sweep; try one of its runs, without --multirun" in sweep.stderr
    assert not list(command.runs.glob("C*"))


def test_epochs_of_fewer_batches_are_another_experiment(command: CommandLine) -> None:
    words = ["tracker=none", "trainer.max_epochs=2", "trainer.log_every=1"]
    assert command.run(*words, "trainer.limit_train_batches=3").returncode == 0
    folder, record = command.folder(), command.record()
    assert (record["final"]["step"], record["recipe"]["steps"]) == (6, 6)  # the schedule ends with the run
    assert read_metrics(folder)[-1]["epoch"] == 2
    done = command.run(*words, "trainer.limit_train_batches=null")
    assert done.returncode == 0
    (other,) = [path for path in command.runs.glob("C*") if path != folder]
    assert json.loads((other / "record.json").read_text())["final"]["step"] == 20


def test_a_run_of_fewer_batches_is_resumed_exactly(
    command: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = ["tracker=csv", "trainer.max_epochs=12", "trainer.log_every=1", "trainer.limit_train_batches=3"]
    process = command.start(*words)
    wait_for(lambda: any(len(read_metrics(folder)) > 8 for folder in command.runs.glob("C*")))
    process.send_signal(2)
    process.communicate(timeout=120)
    folder = command.folder()
    before = len(read_metrics(folder))
    assert command.record()["status"] == "interrupted"
    assert command.run(*words).returncode == 0
    other = CommandLine(tmp_path_factory.mktemp("undisturbed"))
    assert other.run(*words).returncode == 0
    rows, expected = (read_metrics(one.folder()) for one in (command, other))
    speed = {"images_per_second", "peak_memory_mb"}
    assert len(rows) > before
    assert [{k: v for k, v in row.items() if k not in speed} for row in rows] == [
        {k: v for k, v in row.items() if k not in speed} for row in expected
    ]
    table = (folder / "csv" / "metrics.csv").read_text().splitlines()
    assert (
        len(table) == 1 + len(rows) + 1
    )  # a head, and the test's row; the rows of the first attempt are not lost, and none is there twice


def test_checkpointed_activations_change_neither_the_run_nor_its_identity(
    command: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = ["tracker=none", "trainer.max_epochs=1", "recipe.stochastic_depth=0.3"]
    other = CommandLine(tmp_path_factory.mktemp("checkpointed"))
    assert command.run(*words).returncode == 0
    assert other.run(*words, "trainer.checkpoint_activations=true").returncode == 0
    assert other.folder().name == command.folder().name
    one, two = (weights_mark(each.folder() / WEIGHTS) for each in (command, other))
    assert one is not None
    assert one == two
