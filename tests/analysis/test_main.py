"""The command: a study's tables from records that a test writes, against the same numbers by hand."""

import csv
import io
import json
from contextlib import nullcontext
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.read.folders import load
from analysis.report.contents import make_report
from analysis.studies.layouts import DESIGN
from coatlab.errors import InputError
from tests.analysis.command import blank_figures
from tests.support.made_runs import make_run, make_study

pytestmark = pytest.mark.slow


def tables(tmp_path: Path, study: str, *words: str, figures: bool = False) -> tuple[str, list[dict[str, str]]]:
    """Run the command and return table.md and the rows of table.csv, less those of cost and speed.

    Figures take most of its time; their files are blank unless a test asks for them.
    """
    with nullcontext() if figures else blank_figures():
        main([study, "--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports"), *words])
    folder = tmp_path / "reports" / study
    assert (folder / "table.tex").read_text().count(r"\toprule") == (folder / "table.md").read_text().count("\n| --")
    rows = csv.DictReader(io.StringIO((folder / "table.csv").read_text()))
    return (folder / "table.md").read_text(), [row for row in rows if not row["table"].startswith("Cost and speed")]


def test_the_table_averages_seeds_in_the_papers_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    for layout, seed, accuracy in [("CCTT", 0, 0.8), ("CCTT", 1, 0.9), ("ViT_REL", 0, 0.7)]:
        make_run(runs, f"layout={layout}", seed=seed, accuracy=accuracy)
    make_run(runs, "layout=CTTT", status="failed")
    make_run(runs, "layout=CCCC", study="other")
    text, rows = tables(tmp_path, "layouts")
    assert [row["layout"] for row in rows] == ["ViT_REL", "CCTT"]
    assert [float(row["eval acc."]) for row in rows] == pytest.approx([0.7, 0.85])
    assert [(row["seeds"], row["eval acc. n"]) for row in rows] == [("1", "1"), ("2", "2")]
    assert [float(row["parameters (M)"]) for row in rows] == [0.41, 0.41]
    assert "3 of 4 runs complete; 1 failed." in text
    assert "not in the tables: CTTT-relative-nano-fashion\\_mnist-s0-" not in text  # as it is within a word
    assert "not in the tables: CTTT-relative-nano-fashion_mnist-s0-" in text
    assert r"failed (ZeroDivisionError: a \| b)" in text
    assert "Unequal seeds: 1 of 2 rows lack some of the seeds 0, 1." in text
    printed = capsys.readouterr().out
    assert "84.0% [79.0%, 89.0%] (n=2)" in printed  # of the official test files
    assert printed.splitlines()[-1] == str(tmp_path / "reports" / "layouts" / "report.html")


def test_every_number_equals_a_few_lines_of_pandas(tmp_path: Path) -> None:
    folders = [
        make_run(tmp_path / "runs", f"layout={layout}", seed=seed, accuracy=accuracy)
        for layout, base in [("CCCC", 0.6), ("CTTT", 0.7)]
        for seed, accuracy in enumerate([base, base + 0.03, base + 0.05])
    ]
    records = [json.loads((folder / "record.json").read_text()) for folder in folders]
    plain = pd.DataFrame([{"layout": one["config"]["layout"]["name"], **one["final"]} for one in records])
    means = plain.groupby("layout").mean()
    _, rows = tables(tmp_path, "layouts")
    titles = {
        "train loss": "train_eval/loss",
        "eval acc.": "eval/accuracy",
        "gap": "gap",
        "images/s": "images_per_second",
    }
    for row in rows:
        for title, measure in titles.items():
            assert float(row[title]) == pytest.approx(means.loc[row["layout"], measure])


def test_a_planted_confound_is_refused_and_footnoted_where_it_is_allowed(tmp_path: Path) -> None:
    for seed in range(2):
        make_run(tmp_path / "runs", "layout=CCCC", seed=seed)
        make_run(tmp_path / "runs", "layout=CCTT", seed=seed)
    folder = make_run(tmp_path / "runs", "layout=CCTT", "data.batch_size=32", seed=2)
    with pytest.raises(InputError, match=rf"data.batch_size is 32 in {folder.name}, not 128"):
        tables(tmp_path, "layouts")
    assert not (tmp_path / "reports").exists()
    text, rows = tables(tmp_path, "layouts", "--allow", "data.batch_size")
    assert f"Compared although data.batch_size is 32 in {folder.name}, not 128 (--allow data.batch_size)." in text
    # never averaged with the others
    assert [(row["layout"], row["batch_size"], row["seeds"]) for row in rows] == [
        ("CCCC", "128", "2"),
        ("CCTT", "32", "1"),
        ("CCTT", "128", "2"),
    ]


def legend(tmp_path: Path, study: str) -> set[str]:
    """Return what the legend of the curves names, and of how many seeds the lines are."""
    root = ElementTree.parse(tmp_path / "reports" / study / "figures" / "curves.svg")
    (found,) = [group for group in root.iter() if str(group.get("id")).startswith("legend_")]
    return {str(element.text) for element in found.iter() if (element.text or "").strip()}


def test_runs_of_two_precisions_are_never_averaged(tmp_path: Path) -> None:
    for word in ("layout=CCCC", "layout=CCTT", "layout=CCTT trainer.precision=bf16-mixed"):
        make_run(tmp_path / "runs", *word.split(), accuracy=0.5 if "bf16" in word else 0.8)
    text, rows = tables(tmp_path, "layouts", figures=True)
    assert [(row["layout"], row["precision"], row["seeds"], float(row["eval acc."])) for row in rows] == [
        ("CCCC", "32-true", "1", 0.8),
        ("CCTT", "32-true", "1", 0.8),
        ("CCTT", "bf16-mixed", "1", 0.5),
    ]
    assert "Warning: 2 precisions" in text
    named = {f"{layout}, precision={one}" for layout, one in [("CCCC", "32-true"), ("CCTT", "32-true")]}
    assert legend(tmp_path, "layouts") == {*named, "CCTT, precision=bf16-mixed", "one seed, so no interval"}


def test_an_allowed_key_needs_to_be_of_one_data_set_alone(tmp_path: Path) -> None:
    for words in ([], ["data=fractals"], ["data=fractals", "data.classes_seed=1"]):
        make_run(tmp_path / "runs", f"layout={'CTTT' if len(words) == 2 else 'CCTT'}", *words)
    text, rows = tables(tmp_path, "layouts", "--allow", "data.classes_seed")
    assert [(row["table"], row["layout"]) for row in rows] == [
        ("fashion_mnist", "CCTT"),
        ("fractals", "CCTT"),
        ("fractals", "CTTT"),
    ]
    assert "(--allow data.classes_seed)" in text
    assert "does not exist" not in (tmp_path / "reports" / "layouts" / "verdicts.md").read_text()
    for study in ("layouts", "all"):
        with pytest.raises(
            InputError, match=r"--allow data.class_seed does not exist \(did you mean data.classes_seed"
        ):
            tables(tmp_path, study, "--allow", "data.class_seed")


@pytest.mark.parametrize("allowed", ["data.batch_size", "data"])
def test_what_is_allowed_is_told_apart_in_figures_as_in_tables(tmp_path: Path, allowed: str) -> None:
    for word in ("layout=CCCC", "layout=CCTT", "layout=CCTT data.batch_size=32"):
        make_run(tmp_path / "runs", *word.split())
    tables(tmp_path, "layouts", "--allow", allowed, figures=True)
    named = {"CCCC, batch_size=128", "CCTT, batch_size=128", "CCTT, batch_size=32"}
    assert legend(tmp_path, "layouts") == {*named, "one seed, so no interval"}


def test_settings_of_an_attention_are_told_apart_in_figures_as_in_tables(tmp_path: Path) -> None:
    for word in ("attention=relative", "attention=linear", "attention=linear attention.feature_map=softmax"):
        make_run(tmp_path / "runs", *word.split(), study="attention")
    _, rows = tables(tmp_path, "attention", figures=True)
    assert [(row["attention"], row["feature_map"], row["seeds"]) for row in rows] == [
        ("relative", "–", "1"),
        ("linear", "elu", "1"),
        ("linear", "softmax", "1"),
    ]
    named = {"relative", "linear, feature_map=elu", "linear, feature_map=softmax"}
    assert legend(tmp_path, "attention") == {*named, "one seed, so no interval"}


@pytest.mark.parametrize("words", [["all"], ["relative", "--allow", "init.donor"]])
def test_starts_from_different_runs_are_never_averaged(tmp_path: Path, words: list[str]) -> None:
    for epochs, accuracy in ((2, 0.5), (4, 0.9)):
        for seed in range(2):  # whose donors differ in the seed alone
            again = {"seed": seed, "study": "relative"}
            folder = make_run(
                tmp_path / "runs", "data=fractals", f"trainer.max_epochs={epochs}", seed=seed, study="other"
            )
            donor = json.loads((folder / "record.json").read_text())["fingerprint"]
            make_run(tmp_path / "runs", "init=finetune", donor=donor, accuracy=accuracy + seed / 100, **again)
    _, rows = tables(tmp_path, *words)
    tuned = [row for row in rows if row.get("init") != "scratch"]
    assert sorted((float(row["eval acc."]), row["seeds"]) for row in tuned) == [(0.505, "2"), (0.905, "2")]
    assert len({row["donor"] for row in tuned}) == 2


def test_code_and_hardware_are_warnings(tmp_path: Path) -> None:
    code = {"version": "0.1.0", "commit": "b" * 40, "dirty": True}
    for layout in ("CCCC", "CCTT"):
        make_run(tmp_path / "runs", f"layout={layout}")
        make_run(tmp_path / "runs", f"layout={layout}", seed=1, code=code, hardware={"cpu": "another", "device": "cpu"})
    text, _ = tables(tmp_path, "layouts")
    assert f"Warning: 2 code versions: {'a' * 12} (2), {'b' * 12} with changes (2)." in text
    assert "Warning: 2 CPUs: a processor (2), another (2)." in text


def test_code_that_goes_with_the_factor_is_refused_and_footnoted_where_it_is_allowed(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "layout=CCCC")
    make_run(tmp_path / "runs", "layout=CCTT", code={"version": "0.1.0", "commit": "b" * 40, "dirty": True})
    with pytest.raises(InputError, match="no version of the code in common: CCCC none has aaaaaaaaaaaa, CCTT relative"):
        tables(tmp_path, "layouts")
    assert not (tmp_path / "reports").exists()
    text, _ = tables(tmp_path, "layouts", "--allow", "code")
    assert "Compared although rows have no version of the code in common: CCCC none has aaaaaaaaaaaa" in text


def test_sizes_are_judged_each_by_itself(tmp_path: Path) -> None:
    for size in ("tiny", "nano"):
        for layout in ("CCCC", "CCCT"):
            make_run(tmp_path / "runs", f"layout={layout}", f"size={size}")
    tables(tmp_path, "layouts")
    verdicts = (tmp_path / "reports" / "layouts" / "verdicts.md").read_text()
    assert "Claim G, best at size nano: generalization" in verdicts
    assert "Claim G, best at size tiny: generalization" in verdicts
    assert "Claim C, training: capacity" in verdicts  # of which there are no runs
    assert "differ in more than that" not in verdicts


def test_rows_of_fewer_seeds_are_not_hidden_behind_others_with_the_same_images(tmp_path: Path) -> None:
    make_study(tmp_path, "layouts", "data=fractals", "layout=CCCC", seeds=3)
    make_study(tmp_path, "layouts", "data=fractals", "layout=CCTT", seeds=2)
    make_study(tmp_path, "layouts", "data=fractals", "layout=CCCC", "recipe=tuned", seeds=4)
    compared = make_report("layouts", load(tmp_path, "layouts"), DESIGN, [], []).compared
    assert compared.startswith("fractals (15,000 images); 2 to 4 seeds; size nano; ")


def test_data_sets_are_tables_of_their_own_and_what_one_lacks_is_said(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "layout=CCCC")
    make_run(tmp_path / "runs", "layout=CCTT")
    make_run(tmp_path / "runs", "layout=CCTT", "data=fractals")
    text, rows = tables(tmp_path, "layouts")
    assert {row["table"]: row["layout"] for row in rows} == {
        "fashion_mnist": "CCTT",
        "fractals": "CCTT",
    }
    assert len(rows) == 3
    assert text.count("Missing, because no run of it is complete here: CCCC.") == 1


def test_attention_variants_stand_in_order_and_a_vit_is_named_plainly(tmp_path: Path) -> None:
    for layout, attention in [("CCTT", "linear"), ("ViT_REL", "relative"), ("CCTT", "window"), ("ViT_REL", "absolute")]:
        make_run(tmp_path / "runs", f"layout={layout}", f"attention={attention}", study="attention")
    text, rows = tables(tmp_path, "attention")
    assert [(row["table"], row["attention"], row["layout"]) for row in rows] == [
        ("layout ViT_REL", "relative", "ViT_REL"),
        ("layout ViT_REL", "absolute", "ViT"),
        ("layout CCTT", "window*", "CCTT"),
        ("layout CCTT", "linear", "CCTT"),
    ]
    assert text.count("is global in S4") == 2  # of the table and of that of costs
    verdicts = (tmp_path / "reports" / "attention" / "verdicts.md").read_text()
    assert verdicts.count("- window in CCTT is global in S4: its field covers the grid there.") == 1  # claim A


def test_transfer_compares_layouts_and_starts_at_a_resolution(tmp_path: Path) -> None:
    for layout in ("CCTT", "CTTT"):
        folder = make_run(tmp_path / "runs", f"layout={layout}", "data=fractals", study="transfer")
        donor = json.loads((folder / "record.json").read_text())["fingerprint"]
        make_run(tmp_path / "runs", f"layout={layout}", study="transfer")
        make_run(tmp_path / "runs", f"layout={layout}", "init=finetune", study="transfer", donor=donor)
    text, rows = tables(tmp_path, "transfer")
    assert [(row["table"], row["layout"], row["init"]) for row in rows if "fashion" in row["table"]] == [
        ("fashion_mnist", layout, start) for layout in ("CCTT", "CTTT") for start in ("scratch", "finetune")
    ]
    assert len(rows) == 6
    assert "Missing" not in text


def test_a_combination_that_is_missing_is_named(tmp_path: Path) -> None:
    for words in (["init=scratch"], ["init=scratch", "attention=absolute"], ["init=finetune", "attention=absolute"]):
        make_run(tmp_path / "runs", *words, study="relative")
    text, _ = tables(tmp_path, "relative")
    assert "Missing, because no run of it is complete here: relative finetune." in text


def test_details_are_rows_of_their_own(tmp_path: Path) -> None:
    for word in ("seed=0", "network.norm=layer", "plan.head_size=24"):
        make_run(tmp_path / "runs", word, study="details")
    make_run(tmp_path / "runs", "data.train_size=4000", "trainer.max_epochs=15", study="details")
    text, rows = tables(tmp_path, "details")
    assert "All verdicts of a report" not in text  # no claim is made about them
    assert [row["table"] for row in rows] == ["4,000 images"] + ["all images"] * 3
    assert sorted((row["norm"], row["head_size"]) for row in rows[1:]) == [
        ("batch", "16"),
        ("batch", "24"),
        ("layer", "16"),
    ]
    assert "downsample" not in rows[0]


def test_all_is_every_run_and_compares_nothing(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "layout=CCTT")
    make_run(tmp_path / "runs", "layout=CCTT", seed=1)
    make_run(tmp_path / "runs", "layout=CCCC", "data.batch_size=64", study="other")
    text, rows = tables(tmp_path, "all")
    assert [(row["layout"], row["seeds"]) for row in rows] == [("CCCC", "1"), ("CCTT", "2")]
    assert "**" not in text


def test_a_study_without_a_complete_run_has_only_notes(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "layout=CCTT", status="failed")
    text, rows = tables(tmp_path, "layouts")
    assert rows == []
    assert "0 of 1 runs complete; 1 failed." in text
