"""Endless data: a seed gives the same images everywhere, none recurs, and none that is evaluated is trained on."""

import hashlib
import json
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coatlab.config.compose import compose, resolve
from coatlab.data.fractals import Fractals, Instances
from coatlab.data.ifs import find_systems
from coatlab.data.image_data import make_data
from tests.support.commandline import CommandLine, Forked

SIZES = {"train_size": 400, "eval_size": 100, "train_eval_size": 60, "test_size": 50, "num_classes": 10}


def source(cache: Path, **changes: Any) -> Fractals:
    config = resolve(compose(["data=fractals"]))
    data = make_data(config | {"data": config["data"] | SIZES | {"cache": str(cache)} | changes})
    assert isinstance(data, Fractals)
    return data


def ready(cache: Path, **changes: Any) -> Fractals:
    data = source(cache, **changes)
    data.setup()
    return data


def hashes(images: torch.Tensor) -> set[str]:
    return {hashlib.sha256(image.numpy().tobytes()).hexdigest() for image in images}


def marks(cache: Path) -> list[str]:
    data = ready(cache)
    images = hashlib.sha256(data.sets["eval"].images.numpy().tobytes()).hexdigest()
    return [data.facts()["classes_sha256"], images]


def send_marks(cache: Path, pipe: Connection) -> None:
    pipe.send(marks(cache))


@pytest.mark.slow
def test_two_processes_agree_on_classes_and_evaluation_images(tmp_path: Path) -> None:
    here, there = Forked.context.Pipe()  # of a Python that was started for itself
    process = Forked.context.Process(target=send_marks, args=(tmp_path / "other", there))
    process.start()
    assert here.recv() == marks(tmp_path / "ours")
    process.join()


def test_every_training_image_is_new_and_none_is_evaluated_on(tmp_path: Path) -> None:
    data = ready(tmp_path)
    train = data.sets["train"]
    epochs = [train.batch(epoch, torch.arange(400))[0] for epoch in range(3)]
    seen = [hashes(images) for images in epochs]
    held_out = hashes(data.sets["eval"].images) | hashes(data.sets["test"].images)
    assert len(set.union(*seen)) == 1200
    assert len(held_out) == 150
    assert not set.union(*seen) & held_out
    assert hashes(data.sets["train_eval"].images) <= seen[0]
    for name in ("eval", "test", "train_eval"):
        counts = data.sets[name].labels.bincount(minlength=10)
        assert counts.max() - counts.min() <= 1


def test_a_split_has_training_images_of_its_own_and_all_else_in_common(tmp_path: Path) -> None:
    first, other = ready(tmp_path), ready(tmp_path, split_seed=1)
    assert first.facts() == other.facts()
    for name in ("eval", "test"):
        assert torch.equal(first.sets[name].images, other.sets[name].images)
    for name in ("train", "train_eval"):
        mine, its = (hashes(data.sets[name].batch(0, torch.arange(60))[0]) for data in (first, other))
        assert len(mine | its) == 120
    assert torch.equal(other.sets["train"].batch(0, torch.arange(60))[0], other.sets["train_eval"].images)


def test_a_random_label_belongs_to_its_image_and_says_nothing_of_its_class(tmp_path: Path) -> None:
    true, random = ready(tmp_path), ready(tmp_path, random_labels=True)
    places = torch.arange(400)
    images, classes = true.sets["train"].batch(0, places)
    same, labels = random.sets["train"].batch(0, places)
    assert torch.equal(images, same)
    assert (labels == classes).float().mean().item() == pytest.approx(0.1, abs=0.075)  # five standard errors
    assert labels.bincount(minlength=10).min() > 10
    some = torch.tensor([7, 399, 0])
    assert torch.equal(random.sets["train"].batch(0, some)[1], labels[some])
    assert torch.equal(random.sets["train_eval"].labels, labels[:60])
    assert not torch.equal(random.sets["train"].batch(1, places)[1], labels)  # these are other images
    assert torch.equal(random.sets["eval"].labels, true.sets["eval"].labels)


@settings(max_examples=10)
@given(st.permutations(range(12)), st.integers(0, 3), st.integers(0, 2**31))
@pytest.mark.slow
def test_an_image_depends_only_on_seed_epoch_and_index(order: list[int], epoch: int, seed: int) -> None:
    instances = Instances(find_systems(5, 0), 12, 2, seed, 16, 1, rendered=True)
    whole, labels = instances.batch(epoch, torch.arange(12))
    some, their_labels = instances.batch(epoch, torch.tensor(order[:5]))
    assert torch.equal(some, whole[order[:5]])
    assert torch.equal(their_labels, labels[order[:5]])
    assert labels.tolist() == [index % 5 for index in range(12)]


@pytest.mark.slow
def test_workers_and_the_device_give_the_same_batches(tmp_path: Path) -> None:
    def batches(**changes: Any) -> list[torch.Tensor]:
        data = ready(tmp_path, batch_size=100, **changes)
        return [data.on_after_batch_transfer(batch, 0)[0] for batch in data.train_dataloader()]

    expected = batches()
    assert len(expected) == 4
    for other in (batches(workers=2), batches(render="device")):
        assert all(torch.equal(one, two) for one, two in zip(expected, other, strict=True))


@pytest.mark.slow
def test_classes_are_cached_and_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    first = ready(tmp_path)
    (path,) = (tmp_path / "fractals").iterdir()
    content = path.read_bytes()
    for damaged in (content[:100], b"", content[:-1] + bytes([content[-1] ^ 1])):
        path.write_bytes(damaged)
        assert ready(tmp_path).facts() == first.facts()
        assert path.read_bytes() == content
    assert ready(tmp_path, classes_seed=1).facts() != first.facts()


def test_a_cache_that_cannot_be_written_is_reported_and_not_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fractals").write_text("not a folder")
    assert len(ready(tmp_path).sets["eval"]) == 100
    assert "cannot be written" in capsys.readouterr().out


def test_pixels_are_normalized(tmp_path: Path) -> None:
    data = ready(tmp_path, num_classes=100, eval_size=1000)
    images, _ = data.on_after_batch_transfer((data.sets["eval"].images, data.sets["eval"].labels), 0)
    assert images.mean().item() == pytest.approx(0, abs=0.05)
    assert images.std().item() == pytest.approx(1, abs=0.05)


def test_a_run_on_fractals_learns_and_its_record_names_the_classes(command: CommandLine) -> None:
    sizes = ["data.num_classes=10", "data.test_size=200", "data.image_size=32", "data.train_size=2560"]
    done = command.run("data=fractals", *sizes, "trainer.max_epochs=2", "tracker=none", "data.workers=1")
    assert done.returncode == 0, done.stderr
    record = command.record()
    assert record["data"]["classes_sha256"] == ready(Path(record["config"]["data"]["cache"])).facts()["classes_sha256"]
    assert record["final"]["eval/accuracy"] > 0.2  # chance is 0.1, with a standard error of 0.02
    assert json.loads((command.folder() / "record.json").read_text())["config"]["data"]["name"] == "fractals"
