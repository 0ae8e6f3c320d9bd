"""The words that are no study's name stay apart from those that are, and the help names them all."""

import pytest

from analysis.__main__ import main
from analysis.words import NO_SWEEP, RESULTS, TRACKERS
from coatlab.config.files import choices


def test_no_study_has_the_name_of_what_is_none() -> None:
    assert not set(NO_SWEEP) & set(choices("sweep"))


def test_the_help_names_what_may_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(name in told for name in (*NO_SWEEP, *TRACKERS, *choices("sweep")))


def test_results_are_published_beside_the_code() -> None:
    assert (RESULTS / "README.md").is_file()
