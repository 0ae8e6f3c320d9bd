"""Corrupt images are named and counted, and stop the run or are left out; evaluated images are never trained on."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatlab.config.catalog import with_content
from coatlab.config.compose import compose, resolve
from coatlab.data.files.class_folders import scan
from coatlab.data.files.encoded import IN_A_ROW, Encoded, EncodedData
from coatlab.data.image_data import make_data
from coatlab.errors import InputError
from tests.data.image_files import FEW, cut, write_folders
from tests.support.commandline import last_of_each_key


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 4 classes with 30 files each."""
    folder = tmp_path_factory.mktemp("pictures")
    write_folders(folder, each=30)
    return folder


def source(root: Path, *words: str) -> EncodedData:
    scan.cache_clear()
    every = ["data=folder", f"data.root={root}", *FEW, "data.test_size=16", "data.workers=0", *words]
    data = make_data(with_content(resolve(compose(last_of_each_key(every)))))
    assert isinstance(data, EncodedData)
    data.setup()
    return data


def numbers(data: EncodedData, name: str) -> list[int]:
    part = data.sets[name]
    assert isinstance(part, Encoded)
    return part.picks.tolist()


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.integers(16, 80), st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_evaluated_images_are_never_trained_on(root: Path, train: int, held: int, test: int, seed: int) -> None:
    words = [f"data.train_size={train}", f"data.eval_size={held}", f"data.test_size={test}", f"data.split_seed={seed}"]
    data = source(root, *words)
    parts = {name: numbers(data, name) for name in ("train", "eval", "test", "train_eval")}
    assert [len(parts[name]) for name in ("train", "eval", "test")] == [train, held, test]
    assert len({*parts["train"], *parts["eval"], *parts["test"]}) == train + held + test
    assert set(parts["train_eval"]) <= set(parts["train"])
    smaller = source(root, *words, "data.train_size=16")
    assert set(numbers(smaller, "train")) <= set(parts["train"])
    assert numbers(smaller, "eval") == parts["eval"]


def test_random_labels_are_those_of_the_training_images_in_another_order(root: Path) -> None:
    true, random = source(root), source(root, "data.random_labels=true")
    labels = {}
    for name in ("train", "train_eval", "eval", "test"):
        assert numbers(true, name) == numbers(random, name)
        places = torch.arange(len(true.sets[name]))
        labels[name] = [data.sets[name].batch(0, places)[1] for data in (true, random)]
    for name in ("eval", "test"):
        assert torch.equal(*labels[name])
    assert not torch.equal(*labels["train"])
    assert torch.equal(*(part.bincount() for part in labels["train"]))
    by_number = dict(zip(numbers(random, "train"), labels["train"][1].tolist(), strict=True))
    assert labels["train_eval"][1].tolist() == [by_number[number] for number in numbers(random, "train_eval")]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_batches_do_not_depend_on_workers(root: Path, workers: int) -> None:
    words = ["recipe.random_crop=true", "recipe.horizontal_flip=true", "recipe.randaugment={layers: 2, magnitude: 5}"]
    data = source(root, *words, f"data.workers={workers}", "seed=3")
    batches = list(data.train_dataloader())
    direct = [data.sets["train"].batch(epoch, indices) for epoch, indices in data.batches]
    assert len(batches) == 4
    for (images, labels), (expected, expected_labels) in zip(batches, direct, strict=True):
        assert torch.equal(images, expected)
        assert torch.equal(labels, expected_labels)


def corrupt_one_of(data: EncodedData, name: str) -> tuple[Path, bytes]:
    """Cut a file of a set in half; return its path and its former content."""
    path = Path(data.corrupt["train"].contents.name(numbers(data, name)[3]))
    content = path.read_bytes()
    cut(path)
    return path, content


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_in_training_another_image_replaces_a_skipped_one(root: Path, workers: int) -> None:
    data = source(root, "data.on_corrupt=skip", f"data.workers={workers}")
    told: list[dict[str, object]] = []
    data.on_facts = lambda: told.append(data.facts())
    path, content = corrupt_one_of(data, "train")
    try:
        batches = [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]
    finally:
        path.write_bytes(content)
    assert [len(labels) for _, labels in batches] == [16] * 4
    expected = {"images": {"train": 120}, "corrupt": {"count": 1, "names": [str(path)]}}
    assert data.facts() == expected
    assert told == [expected]
    again = source(root, "data.on_corrupt=skip")
    again.recall(expected)
    assert again.facts() == expected


def test_in_evaluation_a_skipped_image_is_left_out(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = source(root, "data.on_corrupt=skip")
    path, content = corrupt_one_of(data, "eval")
    try:
        (batch,) = data.val_dataloader()[0]
        assert [len(part) for part in data.on_after_batch_transfer(batch, 0)] == [15, 15]
        assert data.left_out("eval").nonzero()[:, 0].tolist() == [3]
    finally:
        path.write_bytes(content)
    assert f"left out: {path} cannot be decoded" in capsys.readouterr().err


def test_an_image_that_stops_the_run_is_named_and_read_again_once_mended(root: Path) -> None:
    data = source(root)
    path, content = corrupt_one_of(data, "train")
    try:
        with pytest.raises(InputError, match=rf"{path} cannot be decoded \(.+\); replace or remove it"):
            for batch in data.train_dataloader():
                data.on_after_batch_transfer(batch, 0)
    finally:
        path.write_bytes(content)
    again = source(root)
    again.recall(data.facts())
    assert again.facts()["corrupt"]["count"] == 0


def test_a_folder_of_nothing_but_corrupt_files_ends(tmp_path: Path) -> None:
    for path in write_folders(tmp_path, each=60, classes=2):
        path.write_bytes(b"")
    data = source(tmp_path, "data.on_corrupt=skip", "data.train_size=16")
    with pytest.raises(InputError, match=f"{IN_A_ROW} images in a row cannot be decoded"):
        for batch in data.train_dataloader():
            data.on_after_batch_transfer(batch, 0)


@pytest.mark.slow
def test_files_that_change_after_the_run_was_named_are_refused(root: Path) -> None:
    config = with_content(resolve(compose(["data=folder", f"data.root={root}", *FEW])))
    config["data"]["content"] = "another"
    with pytest.raises(InputError, match=r"have changed; run the command again"):
        make_data(config).setup()
