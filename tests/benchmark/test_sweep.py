"""The words of a benchmark's runs: a user replaces the usual ones, and what cannot be started is told."""

from pathlib import Path

import pytest

from coatlab.benchmark import sweep
from coatlab.benchmark.sweep import make_sweep
from coatlab.errors import InputError


def test_overrides_replace_the_usual_words() -> None:
    made = make_sweep(["data.train_size=640", "data.batch_size=64"], ["data.train_size=320"], ["tracker=none"])
    assert sorted(made.words) == ["data.batch_size=64", "data.train_size=320", "tracker=none"]
    assert made.config["data"]["train_size"] == 320
    assert Path(made.train).is_file()


def test_bad_words_and_a_missing_checkout_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"data\.batch_size=0 is not valid"):
        make_sweep([], ["data.batch_size=0"], [])
    monkeypatch.setattr(sweep, "repository", lambda: None)
    with pytest.raises(InputError, match="an installed wheel has no"):
        make_sweep([], [], [])
