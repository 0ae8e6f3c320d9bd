"""What each row reaches, in one number: at equal loss where there are budgets, else at the end."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.compare.panels import make_panels
from analysis.read.folders import load
from analysis.studies.layouts import DESIGN
from analysis.tables.dots import Dots, dots_of, summary_table
from analysis.tabular import mean_of
from tests.support.made_runs import make_run

LADDER = {4: 0.4, 12: 0.1, 36: 0.005}  # epochs: final training loss


def plots(runs: Path, *expected: str) -> list[Dots]:
    loaded = load(runs, "layouts")
    return dots_of(make_panels(loaded.complete, DESIGN, loaded.donors), mean_of, expected)


def test_budgets_are_read_at_equal_loss_and_abundant_images_at_the_end(tmp_path: Path) -> None:
    for layout, accuracy in (("CTTT", 0.7), ("ViT_REL", 0.6)):
        for epochs, loss in LADDER.items():
            make_run(tmp_path, f"layout={layout}", f"trainer.max_epochs={epochs}", accuracy=accuracy, loss=loss)
    make_run(tmp_path, "layout=CTTT", "data=fractals", accuracy=0.5)
    few, many = plots(tmp_path, "CTTT", "CCCC")
    assert [(dot.name, dot.stages) for dot in few.dots] == [("ViT_REL", "T"), ("CTTT", "CTTT")]
    assert [dot.value.mean for dot in few.dots] == pytest.approx([0.59, 0.69])
    assert "at equal training loss, 0.03 to 0.2" in few.measure
    assert (few.missing, many.missing) == (["CCCC"], ["ViT_REL", "CCCC"])
    assert many.measure == "test accuracy"
    table = summary_table([few, many])
    assert [column.title for column in table.columns] == ["name", few.title, many.title]
    assert [row[0] for row in table.rows] == ["ViT_REL", "CTTT"]
    assert table.rows[0][2] is None


def test_more_than_two_panels_are_rows(tmp_path: Path) -> None:
    for data in ("fashion_mnist", "cifar10", "fractals"):
        make_run(tmp_path, "layout=CTTT", f"data={data}", accuracy=0.5)
    table = summary_table(plots(tmp_path))
    assert len(table.columns) == 3
    assert len({row[0] for row in table.rows}) == 3
    wide = summary_table(plots(tmp_path), 3)
    assert [len(wide.columns), len(wide.rows)] == [4, 1]
    assert wide.rows[0][1:] == [row[2] for row in table.rows]


def test_rows_of_several_factors_are_named_by_all_and_missed_by_the_first(tmp_path: Path) -> None:
    for layout in ("CCTT", "CTTT"):
        for attention in ("relative", "linear"):
            make_run(tmp_path, f"layout={layout}", f"attention={attention}", study="attention")
    make_run(tmp_path, "layout=CCTT", "data=fractals", study="attention")
    loaded = load(tmp_path, "attention")
    design = replace(DESIGN, factors=("layout", "attention"), budgets=None)
    few, many = dots_of(make_panels(loaded.complete, design, loaded.donors), mean_of, ["CCTT", "CCCC"])
    assert [dot.name for dot in few.dots] == ["CCTT, relative", "CCTT, linear", "CTTT, relative", "CTTT, linear"]
    assert (few.missing, many.missing) == (["CCCC"], ["CCCC", "CTTT"])


def test_local_attention_that_covers_a_grid_is_marked_in_its_place_and_the_mark_is_explained(tmp_path: Path) -> None:
    for attention in ("linear", "window", "neighborhood", "relative"):
        make_run(tmp_path, f"attention={attention}", study="attention", accuracy=0.5)
    loaded = load(tmp_path, "attention")
    design = replace(DESIGN, factors=("attention",), panels=(), budgets=None)
    (found,) = dots_of(make_panels(loaded.complete, design, loaded.donors), mean_of, ["window", "linear"])
    table = summary_table([found])
    assert [row[0] for row in table.rows] == ["relative", "window*", "neighborhood*", "linear"]
    assert found.missing == []
    assert [note for note in table.notes if note.startswith("* window in CCTT is global in S4")]


def test_random_labels_are_fitted_not_generalized_from(tmp_path: Path) -> None:
    folders = [make_run(tmp_path, f"layout={name}", "data.random_labels=true") for name in ("CCTT", "CTTT")]
    (one,) = plots(tmp_path)
    assert one.measure == "training accuracy, the share of random labels that was fitted"
    fitted = [json.loads((folder / "record.json").read_text())["final"]["train_eval/accuracy"] for folder in folders]
    assert [dot.value.mean for dot in one.dots] == pytest.approx(fitted)
