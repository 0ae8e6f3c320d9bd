"""A program goes on when its output loses its reader, and says all it can as long as there is one."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coatlab.output.lasting import lasting_output


def writing(descriptor: int, unbuffered: bool = False) -> None:
    """Write two lines to standard output, which is a descriptor; as `python -u` has it, if unbuffered."""
    before = sys.stdout
    file = io.FileIO(descriptor, "w")
    own = io.TextIOWrapper(file if unbuffered else io.BufferedWriter(file), write_through=unbuffered)
    with own as sys.stdout:
        try:
            with lasting_output():
                print("first", flush=True)
                print("second")
                assert sys.stdout.fileno() == descriptor
        finally:
            sys.stdout, before = before, sys.stdout


def test_what_is_printed_arrives(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    writing(os.open(tmp_path / "log", os.O_WRONLY | os.O_APPEND))
    assert (tmp_path / "log").read_text() == "before\nfirst\nsecond\n"


def test_what_is_unbuffered_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with io.TextIOWrapper(io.FileIO(tmp_path / "log", "w"), write_through=True) as unbuffered:
        monkeypatch.setattr(sys, "stdout", unbuffered)
        with lasting_output():
            sys.stdout.write("at once")
            assert (tmp_path / "log").read_text() == "at once"
        monkeypatch.undo()


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("kind", [os.pipe, os.openpty], ids=["pipe", "terminal"])
def test_a_reader_that_is_gone_is_no_error(kind: Callable[[], tuple[int, int]], unbuffered: bool) -> None:
    reader, writer = kind()
    os.close(reader)
    writing(writer, unbuffered)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_one() -> None:
    with pytest.raises(OSError, match="No space left"):
        writing(os.open("/dev/full", os.O_WRONLY))


def test_a_stream_that_is_no_file_stays(capsys: pytest.CaptureFixture[str]) -> None:
    stream = sys.stdout
    with lasting_output():
        assert sys.stdout is stream
        print("as before")
    assert capsys.readouterr().out == "as before\n"
