"""The command: what it refuses, in a sentence, before anything is written."""

import os
from pathlib import Path

import pytest

from analysis.__main__ import main
from coatlab.cli import one_sentence_errors
from coatlab.errors import InputError
from tests.support.commandline import Forked
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow


def test_a_place_for_reports_that_is_a_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reports").write_text("mine")
    (tmp_path / "runs").mkdir()
    with pytest.raises(SystemExit), one_sentence_errors():
        main(["family", "--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports")])
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: Not a directory ({tmp_path / 'reports'}")
    assert (tmp_path / "reports").read_text() == "mine"


@pytest.mark.parametrize("words", [["layouts"], ["family"], ["--publish", "layouts"], []])
def test_a_folder_of_runs_that_was_typed_has_to_be_there(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--runs=/nope is not valid: there is no such folder$"):
        main([*words, "--runs", "/nope"])
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=f"^--runs={tmp_path}/file is not valid: it is not a folder$"):
        main([*words, "--runs", str(tmp_path / "file")])


def test_no_study_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    assert "layouts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("study", "sentence"), [("layout", "did you mean layouts"), ("layouts", "holds no run of study layouts")]
)
def test_what_is_not_there_is_said(tmp_path: Path, study: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        main([study, "--runs", str(tmp_path)])


def test_the_command_line_refuses_in_a_sentence(tmp_path: Path) -> None:
    make_run(tmp_path, "layout=CCCC")
    make_run(tmp_path, "layout=CCTT", "recipe.lr=0.5")
    words = ["-m", "analysis", "layouts", "--runs", str(tmp_path), "--reports", str(tmp_path / "reports")]
    done = Forked(words, os.environ)
    _, err = done.communicate(timeout=200)
    assert done.returncode == 1
    assert err.startswith("error: rows that compare layout differ in more than that: recipe.lr is ")
    assert err.count("\n") == 1
