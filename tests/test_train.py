"""The command line, end to end on real images: it trains, records, skips, refuses and explains."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from coatlab import create_model
from coatlab.data.image_data import make_data
from coatlab.runs.correct import read_correct
from coatlab.runs.record import SCHEMA, read_metrics, rows_damage
from tests.support.commandline import CommandLine, kill, wait_for
from tests.support.disk import SmallDisk

pytestmark = pytest.mark.slow

EPOCH_ROW = {
    "step", "epoch", "train/loss", "train/accuracy", "train_eval/loss", "train_eval/accuracy",
    "eval/loss", "eval/accuracy", "gap", "lr", "images_per_second", "peak_memory_mb",
}  # fmt: skip


def test_a_run_trains_records_and_is_skipped_the_second_time(command: CommandLine) -> None:
    done = command.run("layout=CCTT", "attention=relative")
    assert done.returncode == 0, done.stderr
    record, rows = command.record(), read_metrics(command.folder())
    assert record["status"] == "complete"
    assert command.folder().name == f"CCTT-relative-nano-fashion_mnist-s0-{record['fingerprint'][:8]}"
    epochs = [row for row in rows if "epoch" in row]
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert all(set(row) == EPOCH_ROW for row in epochs)
    assert [row["step"] for row in rows if "train/step_loss" in row] == [5, 10, 15, 20, 25, 30]
    assert epochs[-1]["gap"] == pytest.approx(epochs[-1]["train_eval/accuracy"] - epochs[-1]["eval/accuracy"])
    assert record["final"]["eval/accuracy"] == epochs[-1]["eval/accuracy"]
    assert record["final"]["train_eval/loss"] < epochs[0]["train_eval/loss"]
    assert record["tracker"]["mode"] == "offline"
    assert record["tracker"]["id"] == record["fingerprint"]
    assert record["hardware"]["threads"] == record["attempts"][-1]["threads"] == 1
    assert record["attempts"][-1]["device"] == record["hardware"]["device"]
    assert record["hardware"]["float32"] == "highest"
    assert rows_damage(command.folder(), record["rows"], whole=True) is None
    assert record["budget"]["plan"] == "typed"
    assert record["budget"]["off"]["parameters"] == round(record["cost"]["parameters"] / 410538 - 1, 5)
    for told in ("layout", "CCTT", "parameters", "MACs", "train loss", "evaluation accuracy", "gap", "time"):
        assert told in done.stdout
    assert str(command.folder()) in done.stdout
    assert f"python -m coatlab.upload --runs {command.runs}" in done.stdout
    before = {
        path: path.read_bytes() for path in command.folder().rglob("*") if path.is_file() and path.name != ".lock"
    }
    again = command.run("layout=CCTT", "attention=relative", "trainer=cpu", "tracker=none")
    assert again.returncode == 0
    assert again.stdout.startswith("already complete")
    assert {path: path.read_bytes() for path in before if path.suffix != ".log"} == {
        path: content
        for path, content in before.items()
        if path.suffix != ".log"  # W&B's service ends a little later
    }


def test_the_recorded_weights_give_the_recorded_accuracy(command: CommandLine) -> None:
    assert command.run("tracker=csv").returncode == 0
    config, final = command.record()["config"], command.record()["final"]
    with open(command.folder() / "csv" / "metrics.csv", newline="") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    test = {key: final[key] for key in ("step", "test/loss", "test/accuracy", "test/images")}
    assert rows == [*read_metrics(command.folder()), test]
    data = make_data(config)
    data.setup()
    network = create_model("CCTT", size="nano", image_size=32, channels=1, num_classes=10, plan=config["plan"]).eval()
    network.load_state_dict(torch.load(command.folder() / "checkpoints" / "weights.pt", weights_only=True)["network"])
    correct: list[bool] = []
    with torch.no_grad():
        for batch in data.test_dataloader():
            images, labels = data.on_after_batch_transfer(batch, 0)
            correct += (network(images).argmax(1) == labels).tolist()
    final = command.record()["final"]
    assert final["test/accuracy"] == pytest.approx(sum(correct) / len(correct), abs=2e-4)
    assert final["test/images"] == len(correct)
    kept = read_correct(command.folder(), len(correct))
    assert kept is not None
    assert (kept != np.array(correct)).sum() <= 1  # one may be on the edge


def test_a_sweep_with_a_cell_that_cannot_be_is_refused_before_anything_is_trained(command: CommandLine) -> None:
    words = ["--multirun", "layout=CCCC,CCTT,ViT_REL", "attention=relative", "tracker=none", "trainer.max_epochs=1"]
    done = command.run(*words)
    # ViT_REL has two entries in its plan and gets five from the tiny plan
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: plan.blocks=[1, 1, 1, 1, 1] has 5 entries; layout=ViT_REL needs 2: S0 and one per stage\n"
    )
    assert not command.runs.exists()


def test_a_layout_without_attention_is_one_run_and_a_vit_may_have_any(command: CommandLine) -> None:
    variants = "attention=relative,post,absolute,window,neighborhood,linear"
    done = command.run("--multirun", "layout=CCCC", variants, "tracker=none", "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    assert command.folder().name.startswith("CCCC-none-")
    assert command.record()["attention"] == {}
    assert "same as another      5" in done.stdout
    plan = ["plan.blocks=[1,2]", "plan.widths=[16,16]", "plan.strides=[8,1]"]
    done = command.run("layout=ViT_REL", "attention=window", *plan, "tracker=none", "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    (folder,) = command.runs.glob("ViT_REL-window-*")
    record = json.loads((folder / "record.json").read_text())
    assert record["attention"] == {"S1": {"grid": [4, 4], "field": [2, 2], "reach": "local"}}


def test_a_run_that_diverges_stops_and_stays_diverged(command: CommandLine) -> None:
    words = ["recipe.lr=1e30", "recipe.gradient_clip=null", "recipe.warmup_steps=0", "tracker=none"]
    for _ in range(2):
        done = command.run(*words)
        assert done.returncode == 1
        assert done.stderr.strip().splitlines()[-1].startswith("error: ")
        assert "Traceback" not in done.stderr
        assert command.record()["status"] == "diverged"
        assert "not finite" in command.record()["error"]
        assert len(command.record()["attempts"]) == 1


def test_a_run_held_by_another_process_is_refused(command: CommandLine) -> None:
    process = command.start("trainer.max_epochs=500", "tracker=none")
    wait_for(lambda: list(command.runs.glob("*/metrics.jsonl")))
    done = command.run("trainer.max_epochs=500", "tracker=none")
    kill(process)
    assert done.returncode == 1
    assert f"is being run by process {process.pid} on" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["layout=CCTX"], "layout=CCTX does not exist (did you mean CCTT?); valid: CCCC, CCCT, CCTT, CTTT, ViT_REL"),
        (["layout=TCCC"], "layout=TCCC puts convolution after attention; every C must come before every T"),
        (["attention=windw"], "attention=windw does not exist"),
        (["size=big"], "size=big does not exist"),
        (["data.trian_size=5"], "the key data.trian_size does not exist (did you mean data.train_size?)"),
        (["trainr.max_epochs=5"], "the key trainr does not exist (did you mean trainer?)"),
        (["data.image_size=33"], "image_size=33 is not divisible by 16"),
        (["layout=CCCC", "size=coatnet_3"], "size=coatnet_3 has no plan for layout=CCCC"),
        (["data.root=/nowhere"], "data.root=/nowhere does not hold the files of fashion_mnist"),
        (["paths.runs=/proc/nowhere"], "paths.runs=/proc/nowhere cannot be used"),
        (["data.channels=3"], "data.channels=3, but the images of data=fashion_mnist have 1"),
        (["data.num_classes=5"], "data.num_classes=5, but data=fashion_mnist has 10 classes"),
        (["data=cifar10", "data.num_classes=5"], "data.num_classes=5 does not exist; valid: 10, 100"),
        (["data.train_size=60000"], "data.train_size=60000 is more than there are; at most 55000"),
        (["--multirun", "layout=CCTT,TCCC"], "layout=TCCC puts convolution after attention"),
        (["seed"], "seed has no value; write seed=VALUE"),
        (["trainer=gpu"], "trainer.accelerator=gpu is not valid here: torch finds no GPU; valid: auto, cpu"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_1(command: CommandLine, words: list[str], sentence: str) -> None:
    done = command.run(*words, "tracker=none", tiny=False, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert sentence in line
    assert not list(command.runs.glob("*/record.json"))  # nothing has failed


def test_a_truncated_data_file_is_named_and_nothing_is_overwritten(command: CommandLine, tmp_path: Path) -> None:
    from tests.data.test_fashion_mnist import source

    folder = tmp_path / "images"
    shutil.copytree(source()._find(), folder, copy_function=shutil.copy)
    damaged = next(folder.glob("train-images*"))
    damaged.write_bytes(damaged.read_bytes()[:50_000])
    done = command.run(f"data.root={folder}", "tracker=none")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {damaged} is damaged")
    assert damaged.stat().st_size == 50_000


def test_a_newer_record_is_refused_and_kept(command: CommandLine) -> None:
    assert command.run("tracker=none", "trainer.max_epochs=1").returncode == 0
    path = command.folder() / "record.json"
    path.write_text(json.dumps(command.record() | {"schema": 99}))
    before = path.read_bytes()
    done = command.run("tracker=none", "trainer.max_epochs=1")
    assert done.returncode == 1
    assert f"has schema 99, newer than {SCHEMA}," in done.stderr
    assert path.read_bytes() == before


def test_a_disk_that_fills_up_is_a_sentence_and_more_room_lets_the_run_go_on(
    command: CommandLine, small_disk: SmallDisk
) -> None:
    small_disk.leave(600)
    words = ["tracker=none", "trainer.checkpoint_every=0"]
    command.environment["COATLAB_RUNS"] = str(small_disk.path)
    command.runs = small_disk.path
    done = command.run(*words)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: No space left on device")
    assert "Traceback" not in done.stderr
    assert command.record()["status"] in ("failed", "running")
    small_disk.make_room()
    again = command.run(*words)
    assert again.returncode == 0, again.stderr
    assert command.record()["status"] == "complete"
    assert len(command.record()["attempts"]) == 2


def test_a_defect_keeps_its_traceback_and_the_record_says_failed(command: CommandLine) -> None:
    done = command.run("tracker=none", "data._target_=no.such.Surprise")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert command.record()["status"] == "failed"
    assert "no.such.Surprise" in command.record()["error"]


def test_help_explains_the_keys_and_lists_every_choice(command: CommandLine) -> None:
    text = command.run("--help", tiny=False).stdout
    groups = ["layout", "attention", "size", "data", "recipe", "trainer", "tracker"]
    for key in [*groups, "data.train_size", "data.batch_size", "data.root", "trainer.max_epochs", "seed"]:
        assert f"  {key}=" in text
    for choice in ("ViT_REL", "relative", "coatnet_7", "nano", "cifar100", "study", "wandb", "gpu"):
        assert choice in text


def test_the_same_command_gives_the_same_numbers(tmp_path: Path) -> None:
    finals = []
    for name in ("one", "other"):
        command = CommandLine(tmp_path / name)
        assert command.run("tracker=none", "recipe.stochastic_depth=0.2").returncode == 0
        finals.append(
            {k: v for k, v in command.record()["final"].items() if k not in ("images_per_second", "peak_memory_mb")}
        )
    assert finals[0] == finals[1]


def test_other_precision_memory_format_and_loss_train(command: CommandLine) -> None:
    done = command.run(
        "trainer.precision=bf16-mixed", "trainer.channels_last=false", "recipe.loss=sigmoid", "tracker=none"
    )
    assert done.returncode == 0, done.stderr
    assert command.record()["final"]["eval/accuracy"] > 0.1
