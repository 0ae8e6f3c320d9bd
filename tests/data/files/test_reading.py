"""A file is read whole; what is not a file is an error at once, and nothing waits."""

import os
from pathlib import Path

import pytest

from coatlab.data.files.reading import read_file


def test_a_file_is_read_by_any_name(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff"
    with open(name, "wb") as file:
        file.write(b"x" * 3_000_000)
    assert len(read_file(name)) == 3_000_000
    (tmp_path / "empty").touch()
    assert read_file(str(tmp_path / "empty")) == b""


def test_what_is_no_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/zero")):
        with pytest.raises(OSError, match=r"not a file|Is a directory"):
            read_file(str(path))
    with pytest.raises(FileNotFoundError):
        read_file(str(tmp_path / "nowhere"))
