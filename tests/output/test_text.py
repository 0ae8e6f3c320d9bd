"""Text for people: one line, durations, and paths as they are printed."""

from pathlib import Path

import pytest

from coatlab.output.text import duration, line, shown


def test_a_line_has_no_control_characters() -> None:
    assert line("a\n\tb\x1b[0m  c\u200b") == "a b [0m c"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("seed=-1\n  is\twrong"), "seed=-1 is wrong"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (RuntimeError("\x1b[31mred\x1b[0m"), "[31mred [0m"),
        (KeyError("a\nb"), r"'a\nb'"),
        ("  said\r\nby Hydra ", "said by Hydra"),
    ],
)
def test_an_error_is_one_line(error: object, text: str) -> None:
    assert line(error) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (90000, "25 h 0 min")],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_path_is_relative_only_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    (tmp_path / "disk" / "runs").mkdir(parents=True)
    here.mkdir()
    (here / "runs").symlink_to(tmp_path / "disk" / "runs")
    monkeypatch.chdir(here)
    for path, text in {
        "runs": "runs",
        here / "runs" / "a": "runs/a",  # a link is shown by its name
        here: ".",
        tmp_path / "here-too": str(tmp_path / "here-too"),
        "../disk": str(tmp_path / "disk"),
        "runs/../x": str(tmp_path / "disk" / "x"),  # as the kernel has it
        here / "a" / ".." / "b": "b",
    }.items():
        assert shown(path) == text
