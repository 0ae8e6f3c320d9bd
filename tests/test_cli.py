"""What is meant for the user is one line and exit code 1; a defect keeps its traceback."""

import sys

import pytest

from coatlab.cli import one_sentence_errors
from coatlab.config.compose import compose
from coatlab.errors import InputError, RunError, Stopped, not_one_of


@pytest.mark.parametrize("error", [InputError("seed=-1\n is wrong"), RunError("seed=-1 is wrong")])
def test_our_errors_are_a_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, one_sentence_errors():
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: seed=-1 is wrong\n"


def test_ours_inside_another_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), one_sentence_errors():
        try:
            raise InputError("the reason")
        except InputError as reason:
            raise RuntimeError("wrapped") from reason
    assert capsys.readouterr().err == "error: the reason\n"


def test_a_defect_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError), one_sentence_errors():
        _ = 1 / 0


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Stopped(15), 143)])
def test_a_stop_has_the_shells_exit_code(error: BaseException, code: int) -> None:
    with pytest.raises(SystemExit) as ended, one_sentence_errors():
        raise error
    assert ended.value.code == code


def test_a_key_that_does_not_exist_is_said_whatever_the_other_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["status.py", "attention", "data.sed=1"])  # a study that is named as a group is
    with pytest.raises(SystemExit), one_sentence_errors():
        compose(["data.sed=1"])
    assert capsys.readouterr().err.startswith("error: the key data.sed does not exist")


def test_the_nearest_choice_is_suggested() -> None:
    assert str(not_one_of("size", "nanno", ["nano", "micro"])) == (
        "size=nanno does not exist (did you mean nano?); valid: nano, micro"
    )
