"""Every study of analysis/studies, end to end: what its sweep trains is in its tables, and the paper stands beside it.

The first tests run over all studies there are: a new one needs no entry here. The others are about what the paper's
tables say, against the CSVs.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.claims.claim import load_claims
from analysis.compare.design import Design
from analysis.paper.quotes import PAPER
from coatlab.config.compose import compose, resolve
from coatlab.config.files import groups
from coatlab.config.words import flatten
from coatlab.errors import InputError
from tests.analysis.command import COST, STUDIES, made, report
from tests.support.commandline import REPOSITORY
from tests.support.made_runs import make_run, make_study

pytestmark = pytest.mark.slow

EVERY_BUDGET = "Every budget, "
BLOCKS = {"V0": "2,1,2,5,1", "V1": "2,1,1,6,1", "V2": "2,1,3,4,1"}


def design(study: str) -> Design:
    return import_module(f"analysis.studies.{study}").DESIGN


@pytest.mark.parametrize("study", STUDIES)
def test_a_design_names_keys_and_figures_that_there_are(study: str) -> None:
    config = resolve(compose([f"sweep={study}"]))
    keys = {*groups(), *flatten(config)}
    assert set(design(study).factors) <= keys
    assert set(design(study).panels) <= keys
    assert design(study).lead in ("layout", "attention")
    for figure in design(study).figures:
        assert (REPOSITORY / "analysis" / "figures" / f"{figure}.py").is_file()


@pytest.mark.parametrize("study", STUDIES)
def test_what_a_sweep_trains_is_in_the_tables_figures_and_verdicts_of_its_study(tmp_path: Path, study: str) -> None:
    folders = make_study(tmp_path / "runs", study, seeds=2)
    rows, text = report(tmp_path, study)
    scores = rows[~rows["table"].str.startswith(COST)].dropna(subset=["seeds"])
    apart = scores["table"].str.removeprefix(EVERY_BUDGET)  # of these a table over budgets holds the runs again
    scores = scores[~scores["table"].isin(apart[apart != scores["table"]])]
    assert scores["seeds"].sum() == len(folders)
    assert set(scores["seeds"]) == {2}
    assert f"{len(folders)} of {len(folders)} runs complete." in text
    assert "Missing" not in text
    facts = json.loads((tmp_path / "reports" / study / "report.json").read_text())
    assert facts["figures"]
    assert facts["figures"] == [name for name in design(study).figures if f"No figure {name}: " not in text]
    assert [claim["key"] for claim in facts["claims"]] == [claim.key for claim in load_claims(study)]
    verdicts = (tmp_path / "reports" / study / "verdicts.md").read_text()
    assert "differ in more than that" not in verdicts


def fine_tuned(tmp_path: Path, study: str, donor: Mapping[str, Any], *words: str) -> None:
    made(tmp_path, study, "init=finetune", *words, donor=donor["fingerprint"])


def paper(table: int) -> pd.DataFrame:
    return pd.read_csv(PAPER / f"table{table}.csv")


def test_table_2_stands_beside_pre_training_and_both_resolutions(tmp_path: Path) -> None:
    for layout in ("CCTT", "CTTT"):
        donor = made(tmp_path, "transfer", f"layout={layout}", "data=fractals")
        for pixels in (32, 64):
            made(tmp_path, "transfer", f"layout={layout}", f"data.image_size={pixels}")
            fine_tuned(tmp_path, "transfer", donor, f"layout={layout}", f"data.image_size={pixels}")
    rows, text = report(tmp_path, "transfer")
    printed = paper(2).set_index("metric") / 100
    for layout in ("CCTT", "CTTT"):
        own = rows[(rows["layout"] == layout) & ~rows["table"].str.startswith(COST)]
        tuned = own[own["init"] == "finetune"]
        for pixels, larger in ((32, 224), (64, 384)):
            (here,) = tuned[tuned["table"].str.contains(f"image_size {pixels}")][f"paper, {larger} px"]
            assert here == pytest.approx(printed.loc[f"transfer_top1_{larger}", layout])
        (before,) = own[own["table"].str.contains("fractals")]["paper, JFT"]
        assert before == pytest.approx(printed.loc["pretrain_precision_at_1_jft", layout])
        # from scratch the paper has none
        scratch = own[own["init"] == "scratch"]
        assert len(scratch) == 2
        assert scratch[["paper, 224 px", "paper, 384 px", "paper, JFT"]].isna().all(axis=None)
    assert "Compare orderings and differences, not values." in text
    assert "no complete run stands beside" not in text


def test_table_6_is_found_by_attention_and_start(tmp_path: Path) -> None:
    for attention in ("relative", "absolute"):
        donor = made(tmp_path, "relative", f"attention={attention}", "data=fractals")
        made(tmp_path, "relative", f"attention={attention}")
        for pixels in (32, 64):
            fine_tuned(tmp_path, "relative", donor, f"attention={attention}", f"data.image_size={pixels}")
    rows, text = report(tmp_path, "relative")
    rows = rows[~rows["table"].str.startswith(COST)]
    printed = paper(6).set_index(["setting", "metric"])
    places = {
        "paper, 224 px": (("ImageNet-1K", "top1_224"), "image_size 32"),
        "paper, ImageNet-21K": (("ImageNet-21K to ImageNet-1K", "pretrain_precision_at_1_224"), "fractals"),
        "paper, 21K to 1K, 384 px": (("ImageNet-21K to ImageNet-1K", "finetune_top1_384"), "image_size 64"),
    }
    for title, (row, table) in places.items():
        found = rows.dropna(subset=[title]).set_index("attention")[title]
        assert found.to_dict() == pytest.approx(
            {
                "relative": printed.loc[row, "with_relative"] / 100,
                "absolute": printed.loc[row, "without_relative"] / 100,
            }
        )
        assert rows.dropna(subset=[title])["table"].str.contains(table).all()
    assert "paper, 384 px" not in rows
    assert "paper, 384 px: no complete run stands beside relative 85.7%, absolute 85.3% (Table 6," in text


def test_a_start_on_the_same_data_is_table_6s_larger_resolution(tmp_path: Path) -> None:
    donor = made(tmp_path, "relative")
    fine_tuned(tmp_path, "relative", donor, "data.image_size=64")
    rows, _ = report(tmp_path, "relative")
    assert rows["paper, 384 px"].dropna().tolist() == [0.857]
    assert "paper, 21K to 1K, 384 px" not in rows


def test_starts_from_different_data_are_never_averaged(tmp_path: Path) -> None:
    for seed in range(2):  # whose donors differ in the seed alone
        donor = made(tmp_path, "relative", "data=fractals", seed=seed)
        made(tmp_path, "relative", "init=finetune", seed=seed, donor=donor["fingerprint"])
    rows, _ = report(tmp_path, "relative")
    assert rows[~rows["table"].str.startswith(COST)]["seeds"].tolist() == [2, 2]
    other = made(tmp_path, "other", "data=fractals", "data.train_size=500")["fingerprint"]
    folder = make_run(tmp_path / "runs", "init=finetune", seed=2, study="relative", donor=other)
    with pytest.raises(InputError, match=rf"init.donor is \"{other}\" in {folder.name}, not"):
        report(tmp_path, "relative")


def test_table_7_is_found_by_blocks(tmp_path: Path) -> None:
    for blocks in BLOCKS.values():
        made(tmp_path, "stage_depth", f"plan.blocks=[{blocks}]")
    made(tmp_path, "stage_depth", "size=coatnet_2", "plan.blocks=[2,2,2,18,2]", "data.image_size=224")
    rows, text = report(tmp_path, "stage_depth")
    printed = paper(7).query("setting == 'ImageNet-1K'").set_index("variant")["top1"] / 100
    nano = rows[rows["table"].str.contains("size nano") & ~rows["table"].str.startswith(COST)]
    beside = nano.set_index("blocks")["paper, 1K"]
    assert beside.to_dict() == pytest.approx({BLOCKS[name].replace(",", "-"): printed[name] for name in BLOCKS})
    (large,) = rows[rows["table"].str.contains("coatnet_2") & ~rows["table"].str.startswith(COST)]["paper, 1K"]
    assert large == pytest.approx(printed["V1"])
    assert "paper, 21K: no complete run stands beside V0 53.0%, V1 53.0%" in text
    assert "Missing" not in text  # the blocks of one size are none of another


def test_tables_8_and_9_are_found_by_the_detail_that_changes(tmp_path: Path) -> None:
    changed = ["seed=0", "plan.head_size=24", "network.norm=layer", "network.downsample=depthwise_conv"]
    for word in changed:
        made(tmp_path, "details", word)
    rows, text = report(tmp_path, "details")
    rows = rows[~rows["table"].str.startswith(COST)].set_index(["head_size", "norm", "downsample"])
    eight = paper(8).query("setting == 'ImageNet-1K'").set_index("variant")["top1"] / 100
    nine = paper(9).query("model == 'CoAtNet-0'").set_index("downsample")
    assert rows["paper, Table 8"].dropna().to_dict() == pytest.approx(
        {
            (16, "batch", "expand_conv"): eight["default (head 32 and BatchNorm)"],
            (24, "batch", "expand_conv"): eight["head size 64"],
            (16, "layer", "expand_conv"): eight["LayerNorm in MBConv"],
        }
    )
    assert rows["paper, Table 9"].dropna().to_dict() == pytest.approx(
        {(16, "batch", stride): nine["top1"][stride] / 100 for stride in ("expand_conv", "depthwise_conv")}
    )
    assert rows["paper's MACs (M)"].dropna().to_dict() == pytest.approx(
        {(16, "batch", stride): nine["gmacs"][stride] * 1000 for stride in ("expand_conv", "depthwise_conv")}
    )
    assert "no complete run stands beside CoAtNet-1 expand_conv 83.3%" in text
