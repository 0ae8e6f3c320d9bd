"""What a sweep shows: a line per finished cell, and on a terminal bars with epoch, speed and time left."""

import io
import json
from pathlib import Path

from rich.console import Console

from coatlab.cluster.board import Board
from coatlab.runs.spec import Spec
from tests.support.specs import bare


def cell(folder: Path, *rows: dict[str, float]) -> Spec:
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return bare(folder, epochs=20)


def test_a_log_file_gets_a_line_per_cell() -> None:
    console = Console(file=io.StringIO(), width=40)
    with Board(3, console) as board:
        board.update({})
        board.end("CCTT-s0", None, note="log: a")
        board.end("CCTT-s1", "the loss [nan] is not finite", note="log: b")
        board.end("CCTT-s2", None, elsewhere=True)
    assert console.file.getvalue().splitlines() == [
        "1/3  done    CCTT-s0",
        "2/3  failed  CCTT-s1  the loss [nan] is not finite  log: b",
        "3/3  runs elsewhere  CCTT-s2",
    ]


def test_a_terminal_shows_epoch_speed_and_time_left(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system=None)
    running = cell(tmp_path / "CCTT-s0", {"step": 5}, {"step": 10, "epoch": 7, "images_per_second": 1650.4})
    fresh = cell(tmp_path / "CCTT-s1")
    with Board(4, console) as board:
        board.update({"CCTT-s0": running, "CCTT-s1": fresh})
        first = console.file.getvalue()
        board.end("CCTT-s0", None)
        board.end("CCCC-s0", "killed")
        board.update({"CCTT-s1": fresh})
    assert "7/20 epochs, 1650 images/s" in first
    assert "0/20 epochs" in first
    assert "2 running, 0 failed" in first
    assert " left" not in first  # nothing has moved since the start, so there is no rate
    last = console.file.getvalue()[len(first) :]
    assert "1 running, 1 failed, about 0:00:00 left" in last
    assert "2/4" in last


def test_a_narrow_terminal_cuts_names_and_no_number(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    name = "CCTT-relative-nano-fashion_mnist-s0-0123abcd"
    running = cell(tmp_path / name, {"step": 10, "epoch": 7, "images_per_second": 16504.4})
    with Board(400, console) as board:
        board.update({name: running})
        first = console.file.getvalue()
    assert "epochs, 16504 images/s" in first
    assert " 7/20 " in first
    assert "0/400 1 running, 0 failed" in first
    assert "CCTT-relative" in first
