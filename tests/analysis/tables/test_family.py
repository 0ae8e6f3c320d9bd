"""The family: its tables from the command line against conf/size, the counts and the paper's CSVs."""

import json
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from analysis.__main__ import main
from analysis.tables import family
from coatlab.budget.__main__ import main as budget
from coatlab.budget.family import MEMBERS
from coatlab.config.files import conf_dir
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow

PAPER = Path(family.__file__).parents[1] / "paper"
ACCURACY = {"1K": "top1_in1k", "21K to 1K": "top1_in21k_to_in1k"}


def tables(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Run the command; return the rows of both tables, and table.md."""
    (tmp_path / "runs").mkdir(exist_ok=True)
    main(["family", "--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports")])
    rows = pd.read_csv(tmp_path / "reports" / "family" / "table.csv")
    (plans, costs) = (rows[rows["table"] == title] for title in rows["table"].unique())
    return plans, costs, (tmp_path / "reports" / "family" / "table.md").read_text()


def test_without_a_run_the_family_is_compared_with_the_paper(tmp_path: Path) -> None:
    plans, costs, text = tables(tmp_path)
    printed = pd.read_csv(PAPER / "family.csv")
    ours = plans[["stride", "blocks", "width", "head size"]].reset_index(drop=True).astype(float)
    theirs = printed[["stride", "blocks", "width", "head_size"]].astype(float).set_axis(ours.columns, axis=1)
    assert plans[["model", "stage", "kind"]].to_numpy().tolist() == printed.iloc[:, :3].to_numpy().tolist()
    different = ~(ours.eq(theirs) | (ours.isna() & theirs.isna())).all(axis=1)
    assert (plans["paper"] != "the same").tolist() == different.tolist()
    ((model, stage, differs),) = plans.loc[different.to_numpy(), ["model", "stage", "paper"]].to_numpy().tolist()
    assert (model, stage, differs) == ("CoAtNet-6", "S4", "width 2048")
    assert "CoAtNet-6, S4 differs: with the width of Table 12 it counts 1,350 M parameters" in text
    assert "We have no accuracies yet" in text
    member = costs[~costs["model"].str.contains("prints")].rename(columns={"pixels": "image_size"})
    both = member.merge(pd.read_csv(PAPER / "costs.csv"), on=["model", "image_size"])
    assert len(both) == len(member) == len(pd.read_csv(PAPER / "costs.csv"))
    assert both["off, parameters"].to_numpy() == pytest.approx(both["parameters (M)"] / both["params_m"] - 1)
    assert both["off, MACs"].to_numpy() == pytest.approx(both["MACs (G)"] / both["gmacs"] - 1)
    for title, column in ACCURACY.items():
        assert both[f"paper, {title}"].to_numpy() == pytest.approx(both[column].to_numpy() / 100, nan_ok=True)


def test_the_widths_are_those_of_conf() -> None:
    rows = family.plans_table().rows
    for size in ("coatnet_0", "coatnet_7"):
        plan = OmegaConf.load(conf_dir() / "size" / f"{size}.yaml").plans.CCTT
        flat = [width for entry in plan.widths for width in (entry if not isinstance(entry, int) else [entry])]
        assert [row[5] for row in rows if row[0] == size.replace("coatnet_", "CoAtNet-")] == flat


def test_a_plan_that_is_not_the_papers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    read = family.read_csv
    changed = [
        row | {"blocks": "4"} if (row["model"], row["stage"]) == ("CoAtNet-1", "S1") else row for row in read("family")
    ]
    monkeypatch.setattr(family, "read_csv", lambda file: changed if file == "family" else read(file))
    table = family.plans_table()
    told = {tuple(row[:2]): row[-1] for row in table.rows if row[-1] != "the same"}
    assert told == {("CoAtNet-1", "S1"): "blocks 4", ("CoAtNet-6", "S4"): "width 2048"}
    assert "CoAtNet-1, S1 differs: it is not known why." in table.notes


def test_accuracies_are_of_runs_on_imagenet_and_experiments_are_never_averaged(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    words = ("size=coatnet_0", "data=imagenet", "data.image_size=224")
    for seed, accuracy in enumerate((0.80, 0.82)):
        make_run(runs, *words, seed=seed, study="any", accuracy=accuracy)
    make_run(runs, *words, "recipe.lr=0.5", study="any", accuracy=0.5)
    # not of the family: another plan, another detail, other images, not complete, from nobody knows where
    make_run(runs, *words, "plan.blocks=[2,2,3,6,2]", study="any", accuracy=0.1)
    make_run(runs, *words, "network.norm=layer", study="any", accuracy=0.1)
    make_run(runs, *words, "init=finetune", study="any", accuracy=0.1)
    make_run(runs, *words, seed=7, study="any", status="failed")
    large = ("size=coatnet_2", "data.image_size=384", "data=imagenet")
    for data, accuracy in (("webdataset", 0.9), ("fractals", 0.1)):
        folder = make_run(runs, "size=coatnet_2", f"data={data}", "data.image_size=384", study="any")
        donor = json.loads((folder / "record.json").read_text())["fingerprint"]
        make_run(runs, *large, "init=finetune", study="any", donor=donor, accuracy=accuracy)
    _, costs, text = tables(tmp_path)
    small = costs[(costs["model"] == "CoAtNet-0") & (costs["pixels"] == 224)]
    assert sorted(small["test acc., 1K"]) == pytest.approx([0.49, 0.80])  # the records' test is their eval less 0.01
    assert (small["paper, 1K"] == 0.816).all()
    assert "CoAtNet-0 at 224 pixels has rows that differ in recipe.lr." in text
    tuned = costs[(costs["model"] == "CoAtNet-2") & (costs["pixels"] == 384)]
    assert tuned[["test acc., 21K to 1K", "paper, 21K to 1K"]].to_numpy().tolist() == [[0.89, 0.871]]
    assert costs[["test acc., 1K", "test acc., 21K to 1K"]].notna().sum().sum() == 3


def test_the_counts_are_written_where_the_table_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coatlab.budget.family.MEMBERS", {224: range(1)})
    monkeypatch.setattr("coatlab.budget.family.AS_PRINTED", (0, 224, "plan.blocks=[2,2,3,6,2]"))
    assert budget(["family", "--write", str(tmp_path / "family.csv"), "--format", "csv"]) == 0
    written = pd.read_csv(tmp_path / "family.csv", keep_default_na=False)
    committed = pd.read_csv(family.COUNTED, keep_default_na=False)
    assert written.iloc[0].to_dict() == committed.iloc[0].to_dict()
    assert written["plan"].tolist() == ["", "plan.blocks=[2,2,3,6,2]"]
    assert (tmp_path / "family.csv").read_text() in capsys.readouterr().out


def test_the_members_counted_are_those_of_the_papers_tables() -> None:
    printed = pd.read_csv(PAPER / "costs.csv")[["image_size", "model"]].to_numpy().tolist()
    counted = [[pixels, f"CoAtNet-{number}"] for pixels, numbers in MEMBERS.items() for number in numbers]
    assert sorted(counted) == sorted(printed)


def test_other_runs_are_no_runs_of_the_family(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "size=nano")
    make_run(tmp_path / "runs", "size=coatnet_0", "data.image_size=32")  # on other images
    tables(tmp_path)
    assert (tmp_path / "reports" / "family" / "runs.csv").read_text().strip() == ""
