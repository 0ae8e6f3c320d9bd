"""Faults end a run or are counted, and are listed in one sentence of bounded length."""

import os

import pytest

from coatlab.data.files.faults import Fault, listed, printable, refuse_faults, why
from coatlab.errors import InputError


def test_faults_end_a_run_unless_they_are_left_out() -> None:
    faults = [Fault(f"{number}.png", "is empty") for number in range(7)]
    refuse_faults([], "stop")
    refuse_faults(faults, "skip")
    with pytest.raises(InputError) as refused:
        refuse_faults(faults, "stop")
    assert str(refused.value) == (
        "0.png is empty, 1.png is empty, 2.png is empty, 3.png is empty, 4.png is empty and 2 more; replace or remove "
        "it, or leave such images out with data.on_corrupt=skip"
    )
    assert listed(["a"]) == "a"


def test_every_path_can_be_written_as_utf8_and_is_told_from_others() -> None:
    names = [b"plain", "画".encode(), b"\xff\xfe", b"\xff", b"a\nb"]
    shown = [printable(name) for name in names]
    assert shown == ["plain", "画", r"\xff\xfe", r"\xff", "a\nb"]
    assert [printable(os.fsdecode(name)) for name in names] == shown
    assert len({text.encode() for text in shown}) == len(names)


def test_the_systems_reason_is_given_without_path_and_number() -> None:
    assert why(PermissionError(13, "Permission denied", "/x")) == "Permission denied"
    assert why(OSError("odd")) == "odd"
    assert why(OSError()) == "OSError"
