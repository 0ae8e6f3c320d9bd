"""Folders of a split are understood, or refused; they are never learned as classes."""

from pathlib import Path

import pytest
from PIL import Image

from coatlab.data.files.class_folders import scan
from coatlab.errors import InputError


@pytest.fixture(autouse=True)
def forget_earlier_calls() -> None:
    scan.cache_clear()


def tree(root: Path, folders: str) -> Path:
    """Make folders with two images in each."""
    for folder in folders.split():
        (root / folder).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (2, 2)).save(root / folder / f"{number}.png")
    return root


@pytest.mark.parametrize(
    ("folders", "classes", "train", "test"),
    [
        ("Training/a Training/b Testing/a Testing/b", "a b", "Training", "Testing"),
        ("Train/a Train/b Test/a Test/b", "a b", "Train", "Test"),
        ("train/a train/b valid/a valid/b", "a b", "train", "valid"),
        ("TRAIN/a TRAIN/b Validation/a", "a b", "TRAIN", "Validation"),
        ("train/a train/b val/a val/b test/a test/b", "a b", "train", "test"),
        ("training/a training/b", "a b", "training", None),
        ("a b", "a b", ".", None),
        ("a/2020 a/2021 b/2020", "a b", ".", None),
        ("train bus", "bus train", ".", None),
        ("valid invalid", "invalid valid", ".", None),
        ("test_tube train_station dog", "dog test_tube train_station", ".", None),
        ("train/a train/train", "a train", "train", None),
    ],
)
def test_a_split_is_understood(tmp_path: Path, folders: str, classes: str, train: str, test: str | None) -> None:
    found = scan(tree(tmp_path, folders))
    assert found.classes == tuple(classes.split())
    images = {
        part: [Path(listing.path(number).decode()) for number in range(len(listing.labels))]
        for part, listing in ((train, found.train), (test, found.test))
        if listing is not None
    }
    assert set(images) == {train} | ({test} if test else set())
    for part, paths in images.items():
        written = sorted(path.relative_to(tmp_path) for path in (tmp_path / str(part)).rglob("*.png"))
        assert sorted(paths) == written
        assert f"{len(paths)} " in found.found
        assert str(tmp_path / str(part)) in found.found


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (
            "test/a test/b val/a val/b",
            "the folders test, val of .* look like a split, not like classes; call them train",
        ),
        ("train test", "the folders test, train of .* look like a split"),
        ("train", "the folders train of .* look like a split"),
        ("validation/a validation/b", "the folders validation of .* look like a split"),
        ("train2017 val2017", "the folders train2017, val2017 of .* look like a split"),
        ("training_set/a test_set/a", "the folders test_set, training_set of .* look like a split"),
        ("seg_train/a seg_test/a seg_pred", "the folders seg_pred, seg_test, seg_train of .* look like a split"),
        ("fold1/a fold1/b fold2/a", "the folders fold1, fold2 of .* look like a split"),
        ("dev/a eval/a", "the folders dev, eval of .* look like a split"),
        (
            "set/train/a set/train/b set/test/a",
            "test, train of .*/set look like a split.*did you mean data.root=.*/set?",
        ),
        ("images/train/a images/val/a labels", "train, val of .*/images look like a split"),
        ("a/train a/test b/train b/test", "test, train of .*/a look like a split"),
        ("train/train/a train/test/a", "test, train of .*/train look like a split"),
        ("set/a set/b", "has one class folder, set; at least two are needed; did you mean data.root=.*/set?"),
        ("train/images/a train/images/b", "has one class folder, images; .*did you mean data.root=.*/train/images?"),
        ("a", "has one class folder, a; at least two are needed$"),
        ("a b test/a test/b", "/test looks like a part of a split, but the folders beside it look like classes"),
        ("a b Validation", "/Validation looks like a part of a split"),
        ("a b valid/a", "/valid looks like a part of a split"),
        ("bus car train/engine train/wagon", "beside it there are images in bus, car: it can be a class or hold"),
        ("Train/a train/b", "has Train and train, which are both called train; keep one of them"),
        ("train/a train/b test/a Testing/a", "has Testing and test, which are both called test"),
        ("train/a train/b test", "/test has no image in a class folder"),
        ("train/a train/b test/a test/A", "/test has the class A, which .*/train does not have"),
    ],
)
def test_what_may_be_a_split_is_refused(tmp_path: Path, folders: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        scan(tree(tmp_path, folders))


def test_what_is_left_aside_is_said(tmp_path: Path) -> None:
    tree(tmp_path, "train/a train/b test/a val/a notes more")
    Image.new("L", (2, 2)).save(tmp_path / "train" / "loose.png")
    for number in range(3):
        (tmp_path / "train" / "a" / f"{number}.HEIC").touch()
    (tmp_path / "train" / "b" / "Thumbs.db").touch()
    assert scan(tmp_path).aside == (
        "more/",
        "notes/",
        "val/",
        f"1 images directly in {tmp_path / 'train'}",
        "files in class folders: 3 .heic, 1 .db",
        "classes without a test image: b",
    )
