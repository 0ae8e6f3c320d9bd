"""The main tables of a study: the accuracy at matched training loss beside the final metrics."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.analysis.command import COST, report
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow


def test_accuracy_at_matched_loss_stands_beside_the_final_ones(tmp_path: Path) -> None:
    # the loss falls in a straight line, and accuracy is straight in it: at the loss that the slower one ends with
    ends = {"CCCC": 0.5, "CTTT": 0.2}
    for layout, end in ends.items():
        folder = make_run(tmp_path / "runs", f"layout={layout}", epochs=7)
        losses = np.linspace(2.0, end, 7)
        rows = [
            {"step": 10 * epoch, "epoch": epoch, "train_eval/loss": loss, "eval/accuracy": 1 - loss / 4}
            for epoch, loss in enumerate(losses, start=1)
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        record = json.loads((folder / "record.json").read_text())
        last = {key: value for key, value in rows[-1].items() if key != "step"}
        record["final"] |= last | {"gap": record["final"]["train_eval/accuracy"] - last["eval/accuracy"]}
        (folder / "record.json").write_text(json.dumps(record))
    rows, text = report(tmp_path, "layouts")
    found = rows[~rows["table"].str.startswith(COST)].set_index("layout")["acc. at matched loss"]
    assert found.to_dict() == pytest.approx(dict.fromkeys(ends, 1 - 0.5 / 4))
    assert "where the train loss falls to 0.5, the lowest value that every curve here reaches." in text


@pytest.mark.parametrize("without", ["none", "CCCC", "fractals", "all"])
def test_runs_whose_epochs_were_not_recorded_are_in_the_tables_and_nothing_else_is_said_of_them(
    tmp_path: Path, without: str
) -> None:
    for layout in ("CCCC", "CTTT"):
        for words in ([], ["data=fractals"]):
            folder = make_run(tmp_path / "runs", f"layout={layout}", *words)
            if without == "all" or without in (layout, *words, *(word.partition("=")[2] for word in words)):
                (folder / "metrics.jsonl").unlink()
    rows, text = report(tmp_path, "layouts")
    main_rows = rows[~rows["table"].str.startswith(COST)]
    assert main_rows["eval acc."].notna().all()
    matched = main_rows.get("acc. at matched loss", pd.Series(np.nan, main_rows.index)).isna()
    expected = {
        "none": [False] * 4,
        "CCCC": [True, False] * 2,
        "fractals": [False, False, True, True],
        "all": [True] * 4,
    }
    assert matched.tolist() == expected[without]
    assert ("1 of 2 runs have none: their curves begin below that loss, or were not recorded." in text) == (
        without == "CCCC"
    )
    verdicts = (tmp_path / "reports" / "layouts" / "verdicts.md").read_text()
    assert ("no accuracy at that loss, since its curve" in verdicts) == (without in ("CCCC", "all"))
    assert ("matched at a training loss of" in verdicts) == (without != "all")
    assert ("No figure curves: no complete run has recorded epochs." in text) == (without == "all")
    assert "nan" not in text + verdicts
