"""Class folders are read as torchvision reads them; the hash depends on the files, not on where they are."""

import shutil
from pathlib import Path

import pytest
from torchvision.datasets import ImageFolder

from coatlab.config.compose import compose, resolve
from coatlab.data.files.class_folders import catalog, scan
from coatlab.data.files.listing import Listing
from coatlab.errors import InputError
from tests.data.image_files import write_folders


@pytest.fixture(autouse=True)
def forget_earlier_calls() -> None:
    scan.cache_clear()


def same(listing: Listing | None, root: Path, part: str) -> bool:
    assert listing is not None
    theirs = ImageFolder(str(root / part)).samples
    ours = [(str(root / listing.path(n).decode()), int(label)) for n, label in enumerate(listing.labels)]
    return ours == theirs


def test_files_and_classes_are_those_of_imagefolder(tmp_path: Path) -> None:
    write_folders(tmp_path / "train", each=5)
    write_folders(tmp_path / "val", each=2, skip=5)
    nested = tmp_path / "train" / "class_1" / "more"
    nested.mkdir()
    shutil.copy(tmp_path / "train" / "class_1" / "000.JPEG", nested)
    (tmp_path / "train" / "class_2" / "notes.txt").write_text("no image")
    found = scan(tmp_path)
    assert found.classes == ("class_0", "class_1", "class_2", "class_3")
    assert same(found.train, tmp_path, "train")
    assert same(found.test, tmp_path, "val")


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    files = write_folders(tmp_path, each=2)
    before = scan(tmp_path)
    (tmp_path / ".thumbnails").mkdir()
    shutil.copy(files[0], files[0].with_name("._000.JPEG"))
    scan.cache_clear()
    assert scan(tmp_path).content == before.content
    assert scan(tmp_path).classes == before.classes


@pytest.mark.parametrize("name", ["__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN"])
def test_what_systems_put_beside_classes_is_left_out(name: str, tmp_path: Path) -> None:
    files = write_folders(tmp_path, each=2)
    before = scan(tmp_path)
    for place in (tmp_path / name, files[0].parent / name):  # thumbnails would be trained on
        place.mkdir()
        shutil.copy(files[0], place)
    scan.cache_clear()
    after = scan(tmp_path)
    assert (after.content, after.classes, after.faults) == (before.content, before.classes, ())
    assert after.aside == ()


def test_names_that_look_alike_are_said_or_refused(tmp_path: Path) -> None:
    write_folders(tmp_path / "train", each=2, classes=2)
    upper, composed, decomposed = (tmp_path / "train" / name for name in ("Class_0", "caf\u00e9", "cafe\u0301"))
    shutil.copytree(tmp_path / "train" / "class_0", upper)
    (upper / "left").mkdir()
    shutil.copy(upper / "000.JPEG", upper / "left" / "other.JPEG")
    shutil.copytree(upper, composed)
    assert scan(tmp_path).aside == (
        "folders in class folders are no classes: left",
        "classes that differ in capitals only: Class_0 and class_0",
    )
    shutil.copytree(upper, tmp_path / "test" / decomposed.name)
    scan.cache_clear()
    hint = f"it has {composed.name}, in other capitals or another form of Unicode"
    with pytest.raises(InputError, match=f"test has the class {decomposed.name}, which .*train does not have; {hint}"):
        scan(tmp_path)
    shutil.copytree(upper, decomposed)
    with pytest.raises(InputError, match=r"train has 2 folders that are called .*, in several forms of Unicode"):
        scan(tmp_path)


def test_without_a_train_folder_the_root_has_the_classes(tmp_path: Path) -> None:
    write_folders(tmp_path, each=2)
    found = scan(tmp_path)
    assert same(found.train, tmp_path, ".")
    assert found.test is None


def test_the_hash_depends_on_names_and_sizes_but_not_on_the_place(tmp_path: Path) -> None:
    files = write_folders(tmp_path / "a", each=3)
    hashes = [scan(tmp_path / "a").content]
    (tmp_path / "a").rename(tmp_path / "b")
    assert scan(tmp_path / "b").content == hashes[0]
    moved = tmp_path / "b" / files[0].relative_to(tmp_path / "a")
    moved.write_bytes(moved.read_bytes() + b"\0")
    scan.cache_clear()
    hashes.append(scan(tmp_path / "b").content)
    moved.rename(moved.with_name("renamed.jpg"))
    scan.cache_clear()
    hashes.append(scan(tmp_path / "b").content)
    assert len(set(hashes)) == 3


def test_the_config_gets_classes_and_hash(tmp_path: Path) -> None:
    write_folders(tmp_path, each=3)
    words = ["data=folder", f"data.root={tmp_path}", "data.eval_size=4", "data.test_size=4"]
    assert catalog(resolve(compose(words))["data"]) == {"num_classes": 4, "content": scan(tmp_path).content}
    with pytest.raises(InputError, match=r"data.num_classes=7, but .* has 4 classes"):
        catalog(resolve(compose([*words, "data.num_classes=7"]))["data"])


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data=folder needs data.root"):
        catalog(resolve(compose(["data=folder"]))["data"])
    with pytest.raises(InputError, match=r"nowhere is not a folder"):
        scan(tmp_path / "nowhere")
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "a.jpg").touch()
    with pytest.raises(
        InputError, match=r"flat must have one folder per class, and has none; its images are not in class folders"
    ):
        scan(flat)
    (tmp_path / "lacks" / "cat").mkdir(parents=True)
    with pytest.raises(InputError, match=r"lacks/cat has no image"):
        scan(tmp_path / "lacks")
    write_folders(tmp_path / "both" / "train", each=1, classes=2)
    write_folders(tmp_path / "both" / "test", each=1, classes=3)
    with pytest.raises(InputError, match=r"both/test has the class class_2, which .*both/train does not have"):
        scan(tmp_path / "both")
