"""Whatever a listing meets gets one sentence, and is left out and counted if the run may go on; nothing hangs."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from coatlab.config.compose import compose, resolve
from coatlab.data.files.class_folders import catalog, scan
from coatlab.data.files.encoded import EncodedData
from coatlab.data.files.listing import make_listing
from coatlab.data.folder import Files
from coatlab.data.image_data import make_data
from coatlab.errors import InputError
from coatlab.runs.record import read_record, write_record
from tests.runs.test_record import WHOLE


@pytest.fixture(autouse=True)
def forget_earlier_calls() -> None:
    scan.cache_clear()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            Image.new("L", (2, 2)).save(tmp_path / folder / f"{number}.png")
    return tmp_path


def settings(root: Path, on_corrupt: str) -> dict[str, Any]:
    sizes = ["data.train_size=2", "data.eval_size=2", "data.train_eval_size=2", "data.test_size=2", "data.batch_size=2"]
    words = ["data=folder", f"data.root={root}", f"data.on_corrupt={on_corrupt}", *sizes, "data.image_size=32"]
    return resolve(compose([*words, "data.workers=0"]))


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(path))


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


MET: list[tuple[str, Callable[[Path], object], str, int]] = [
    ("cat/x.jpg", os.mkfifo, "cat/x.jpg is not a file but a pipe", 8),
    ("cat/x.jpg", make_socket, "cat/x.jpg is not a file but a socket", 8),
    ("cat/x.jpg", link("/dev/zero"), "cat/x.jpg is not a file but a device", 8),
    ("cat/x.jpg", link("/nowhere/x.jpg"), "cat/x.jpg is a link to nothing", 8),
    ("cat/more", link("/nowhere"), "cat/more is a link to nothing", 8),
    ("cat/x.jpg", link("x.jpg"), "cat/x.jpg is a link to itself", 8),
    ("cat/up", link(".."), "cat/up is the same folder as ", 8),
    ("cat/more", link("../dog"), "cat/more is the same folder as ", 8),
    ("cat/x.png", link("../dog/0.png"), "cat/x.png is the same file as dog/0.png, of another class", 7),
    ("cat/x.png", lambda path: os.link(path.parents[1] / "dog/0.png", path), "is the same file as dog/0.png", 7),
    ("cat/x.png", link("0.png"), "cat/x.png is the same file as cat/0.png", 8),
    ("cat/x.png", Path.touch, "cat/x.png is empty", 8),
]


@pytest.mark.parametrize(("name", "make", "sentence", "images"), MET)
def test_it_is_named_and_left_out_only_if_the_run_may_go_on(
    root: Path, name: str, make: Callable[[Path], object], sentence: str, images: int
) -> None:
    make(root / name)
    with pytest.raises(InputError, match=r"data\.on_corrupt=skip$") as refused:
        catalog(settings(root, "stop")["data"])
    assert sentence in str(refused.value)
    config = settings(root, "skip")
    config["data"] |= catalog(config["data"])
    data = make_data(config)
    assert isinstance(data, EncodedData)
    data.setup()
    facts = data.facts()
    assert facts["images"] == {"train": images}
    assert facts["corrupt"]["count"] == 1 + (images == 7)
    assert str(root / name) in facts["corrupt"]["names"]


@pytest.mark.parametrize("target", ["/nowhere", "dog"])
def test_a_class_that_is_a_link_to_nothing_or_to_another_one_is_refused(root: Path, target: str) -> None:
    (root / "owl").symlink_to(target)
    with pytest.raises(InputError, match=r"owl is a link to nothing|owl is the same folder as .*dog"):
        catalog(settings(root, "skip")["data"])


def test_a_test_image_that_is_a_training_image_is_named(root: Path) -> None:
    for part in ("train", "test"):
        (root / part).mkdir()
    for folder in ("cat", "dog"):
        (root / "test" / folder).mkdir()
        (root / "test" / folder / "0.png").symlink_to(f"../../train/{folder}/0.png")
        Image.new("L", (2, 2)).save(root / "test" / folder / "1.png")
        (root / folder).rename(root / "train" / folder)
    found = scan(root)
    assert [str(fault) for fault in found.faults] == [
        f"{root}/test/{folder}/0.png is the same file as train/{folder}/0.png" for folder in ("cat", "dog")
    ]
    assert found.test is not None
    assert [found.test.path(number) for number in range(2)] == [b"test/cat/1.png", b"test/dog/1.png"]


def test_links_in_all_directions_are_walked_once(root: Path) -> None:
    """30 folders that link to one another have more paths than can be walked."""
    for number in range(30):
        (root / "cat" / f"in{number}").mkdir()
    for number in range(30):
        for other in range(30):
            (root / "cat" / f"in{number}" / f"to{other}").symlink_to(f"../in{other}")
    found = scan(root)
    assert len(found.train.labels) == 8
    assert len(found.faults) == 900


def test_a_folder_that_cannot_be_listed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "cat" / "locked").mkdir()
    plain = os.scandir

    def scandir(path: Any) -> Any:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [str(fault) for fault in scan(root).faults] == [
        f"{root / 'cat' / 'locked'} cannot be listed (Permission denied)"
    ]


def test_what_cannot_be_read_later_is_an_error_with_a_reason(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that has become a pipe, or unreadable, since it was listed."""
    config = settings(root, "skip")
    config["data"] |= catalog(config["data"])
    data = make_data(config)
    data.setup()
    for path in list(root.rglob("*.png")):
        path.unlink()
        os.mkfifo(path)
    (batch,) = data.val_dataloader()[0]
    assert len(data.on_after_batch_transfer(batch, 0)[1]) == 0
    assert capsys.readouterr().err.count(".png cannot be decoded (it cannot be read: not a file)") == 2


def test_names_that_are_not_utf8_are_shown_in_escapes_and_can_be_recorded(root: Path, tmp_path: Path) -> None:
    name = os.fsencode(root) + b"/cat/\xff\xe9.png"
    os.rename(root / "cat" / "0.png", name)
    found = scan(root)
    files = Files(root, found.train)
    number = next(number for number in range(8) if b"\xff" in found.train.path(number))
    assert files.name(number) == f"{root}/cat/\\xff\\xe9.png"
    assert files.read(number) == Path(os.fsdecode(name)).read_bytes()
    written = WHOLE | {"data": {"names": [files.name(number)]}}
    write_record(tmp_path, written)
    assert read_record(tmp_path) == written


def test_one_long_name_does_not_make_every_name_long() -> None:
    listing = make_listing([b"x" * 4000, *(b"%d" % number for number in range(10_000))], range(10_001))
    assert len(listing.names) < 4000 + 5 * 10_000
    assert [listing.path(number) for number in (0, 1, 10_000)] == [b"x" * 4000, b"0", b"9999"]
