"""The benchmark of cells: steps of whole epochs are counted, and what cannot be measured is said."""

from pathlib import Path

import pandas as pd
import pytest

from coatlab.benchmark import cells
from coatlab.benchmark.__main__ import main
from coatlab.errors import InputError, RunError
from tests.support.commandline import TINY

WORDS = [word for word in TINY if not word.startswith(("trainer.max_epochs", "data.train_size"))]


def test_steps_are_those_of_the_last_whole_epoch(tmp_path: Path) -> None:
    for name, rows in {
        "two": '{"step": 10, "epoch": 1}\n{"step": 15}\n{"step": 20, "epoch": 2}\n{"step": 25',
        "none": '{"step": 5, "lr": 0.1}\n',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(rows)
    assert cells._steps(tmp_path) == {"two": 20}


@pytest.mark.slow
def test_the_command_measures_each_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "data.train_size=640", "--at-once", "1,2", "--seconds", "1"]
    assert main(["cells", *words, "--reports", str(tmp_path)]) == 0
    assert "How many cells at the same time?" in capsys.readouterr().out
    measured = pd.read_csv(tmp_path / "benchmark-cells" / "measured.csv")
    assert list(measured["cells"]) == [1, 2]
    assert (measured["images/s"] > 0).all()
    assert measured["of one"].tolist() == pytest.approx((measured["images/s"] / measured["cells"]).tolist())


@pytest.mark.slow
def test_a_sweep_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"(?s)did not begin.*data\.root"):
        cells.measure(["data.root=/nowhere"], [1], 1)


def test_options_that_would_do_nothing_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--turns", "--device"):
        with pytest.raises(SystemExit):
            main(["cells", option, "2"])
        assert f"unrecognized arguments: {option}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--at-once", "1,x"], "--at-once=1,x is not valid; it must be comma-separated whole numbers"),
        (["--seconds", "-1"], "--seconds=-1 is not valid; it must be a number above 0"),
        (["--seconds", "nan"], "--seconds=nan is not valid; it must be a number above 0"),
        (["data.batch_size=0"], r"data\.batch_size=0 is not valid"),
    ],
)
def test_bad_words_are_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        main(["cells", *words])
