"""CIFAR through torchvision, with small files in the real format."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from coatlab.config.compose import compose, resolve
from coatlab.data.cifar import CIFAR
from coatlab.data.image_data import make_data
from coatlab.errors import InputError

EACH = 200  # two of each class of CIFAR-100


def write(source: type[datasets.CIFAR10], root: Path, classes: int, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Write random pictures in the format of the real archives, and tell torchvision their checksums."""
    folder = root / source.base_folder
    folder.mkdir(parents=True)
    random, pictures = np.random.default_rng(0), []
    label = "labels" if classes == 10 else "fine_labels"
    for listing in ("train_list", "test_list"):
        hashes = []
        for name, _ in getattr(source, listing):
            data = random.integers(0, 256, (EACH, 3072), dtype=np.uint8)
            content = pickle.dumps({"data": data, label: [i % classes for i in range(EACH)]})
            (folder / name).write_bytes(content)
            hashes.append([name, hashlib.md5(content).hexdigest()])
            pictures.append(data)
        monkeypatch.setattr(source, listing, hashes)
    names = pickle.dumps({source.meta["key"]: [str(i) for i in range(classes)]})
    (folder / source.meta["filename"]).write_bytes(names)
    monkeypatch.setattr(source, "meta", source.meta | {"md5": hashlib.md5(names).hexdigest()})
    return np.concatenate(pictures)


@pytest.mark.parametrize(("classes", "source"), [(10, datasets.CIFAR10), (100, datasets.CIFAR100)])
def test_pictures_and_labels_are_read(
    classes: int, source: type[datasets.CIFAR10], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = write(source, tmp_path, classes, monkeypatch)
    words = [f"data=cifar{classes}", f"data.root={tmp_path}", f"data.eval_size={classes}", "data.batch_size=8"]
    data = make_data(resolve(compose(words)))
    assert isinstance(data, CIFAR)
    data.setup()
    images = data.load()
    total = len(pictures)
    assert images.train.shape == (total - EACH, 3, 32, 32)
    assert np.array_equal(images.train.flatten(1).numpy(), pictures[:-EACH])
    assert np.array_equal(images.test.flatten(1).numpy(), pictures[-EACH:])
    assert images.train_labels[:EACH].tolist() == [i % classes for i in range(EACH)]
    batch, labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch.shape == (8, 3, 32, 32)
    assert labels.shape == (8,)


def test_a_folder_without_cifar_is_named(tmp_path: Path) -> None:
    config = resolve(compose(["data=cifar10", f"data.root={tmp_path}"]))
    with pytest.raises(InputError, match=f"data=cifar10 was not found in {tmp_path}.*set data.root"):
        make_data(config).setup()
