"""Text for people: one line whatever an error says, and durations in words."""

import pytest

from coatlab.output.text import duration, one_line


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
    assert one_line(error) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
