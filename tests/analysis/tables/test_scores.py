"""The main tables of a study whose rows have one budget: final metrics, with or without histories."""

from pathlib import Path

import pytest

from tests.analysis.command import COST, report
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow


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
    assert main_rows[["eval acc.", "test acc."]].notna().all(axis=None)
    verdicts = (tmp_path / "reports" / "layouts" / "verdicts.md").read_text()
    assert ("No figure curves: no complete run with a single budget has recorded epochs." in text) == (without == "all")
    assert "nan" not in text + verdicts


def test_of_random_labels_the_share_that_was_fitted_comes_first_and_chance_has_no_best(tmp_path: Path) -> None:
    for layout in ("CCCC", "CTTT"):
        for seed in range(2):
            make_run(tmp_path / "runs", f"layout={layout}", "data.random_labels=true", seed=seed, study="random_labels")
    rows, text = report(tmp_path, "random_labels")
    scores = rows[~rows["table"].str.startswith(COST)].dropna(axis=1, how="all")
    measures = [title for title in scores if title.endswith((" acc.", " loss"))]
    assert measures == ["train acc.", "train loss", "test acc.", "eval acc."]
    assert "gap" not in scores
    (line,) = [line for line in text.splitlines() if line.startswith("| CTTT ")][:1]
    assert "\u2020" not in "".join(line.split("|")[4:6])
    assert "**" not in "".join(line.split("|")[4:6])
    assert "train acc. is the share that was fitted" in text
