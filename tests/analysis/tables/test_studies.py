"""Tables of studies end to end: records that a test writes, the command, its CSV, against a few lines of pandas."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.paper.quotes import PAPER
from coatlab.errors import InputError
from tests.made_runs import make_run

pytestmark = pytest.mark.slow

BLOCKS = {"V0": "2,1,2,5,1", "V1": "2,1,1,6,1", "V2": "2,1,3,4,1"}
COST = "Cost and speed, "


def report(tmp_path: Path, study: str) -> tuple[pd.DataFrame, str]:
    """Run the command and return table.csv, less its numbers of intervals, and table.md."""
    main([study, "--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports")])
    folder = tmp_path / "reports" / study
    return pd.read_csv(folder / "table.csv"), (folder / "table.md").read_text()


def made(tmp_path: Path, study: str, *words: str, seed: int = 0, **entries: Any) -> dict[str, Any]:
    folder = make_run(tmp_path / "runs", *words, seed=seed, study=study, **entries)
    return json.loads((folder / "record.json").read_text())


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
            (here,) = tuned[tuned["table"].str.contains(f"image_size={pixels}")][f"paper, {larger} px"]
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
        "paper, 224 px": (("ImageNet-1K", "top1_224"), "image_size=32"),
        "paper, ImageNet-21K": (("ImageNet-21K to ImageNet-1K", "pretrain_precision_at_1_224"), "fractals"),
        "paper, 21K to 1K, 384 px": (("ImageNet-21K to ImageNet-1K", "finetune_top1_384"), "image_size=64"),
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
    nano = rows[rows["table"].str.contains("size.name=nano") & ~rows["table"].str.startswith(COST)]
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


def test_cost_and_speed_are_means_of_the_records(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    records = [
        made(
            tmp_path,
            "layouts",
            f"layout={layout}",
            seed=seed,
            timings={"seconds": numbers.uniform(10, 20), "attempts": 1},
            cost={"parameters": place * 1e5, "macs": place * 1e6, "activations": place * 1e7},
        )
        for place, layout in enumerate(("CCCC", "CTTT"), start=1)
        for seed in range(3)
    ]
    rows, text = report(tmp_path, "layouts")
    plain = pd.DataFrame(
        [
            {
                "layout": one["config"]["layout"]["name"],
                **{key: value / 1e6 for key, value in one["cost"].items()},
                "seconds": one["timings"]["seconds"],
                "images/s": one["final"]["images_per_second"],
                "peak memory (MB)": one["final"]["peak_memory_mb"],
            }
            for one in records
        ]
    )
    plain = plain.rename(
        columns={"parameters": "parameters (M)", "macs": "MACs (M)", "activations": "activations (MB)"}
    )
    means = plain.groupby("layout").mean()
    found = rows[rows["table"] == f"{COST}data.name=fashion_mnist"].set_index("layout")[means.columns]
    pd.testing.assert_frame_equal(found.astype(float), means, check_dtype=False)
    assert "trained on CPU a processor, precision 32-true" in text


def test_speeds_of_different_hardware_are_rows_of_their_own(tmp_path: Path) -> None:
    made(tmp_path, "layouts", "layout=CCCC")
    made(tmp_path, "layouts", "layout=CCTT")
    fast = {"cpu": "a processor", "device": "cuda", "gpu": "a GPU", "devices": 2}
    made(tmp_path, "layouts", "layout=CCTT", seed=1, hardware=fast, timings={"seconds": 2.5, "attempts": 1})
    rows, text = report(tmp_path, "layouts")
    speed = rows[rows["table"].str.startswith(COST)]
    assert speed[["layout", "hardware", "seeds", "seconds"]].to_numpy().tolist() == [
        ["CCCC", "CPU a processor, precision 32-true", 1, 12.5],
        ["CCTT", "CPU a processor, precision 32-true", 1, 12.5],
        ["CCTT", "GPU a GPU, devices 2, precision 32-true", 1, 2.5],
    ]
    main_rows = rows[~rows["table"].str.startswith(COST)].set_index("layout")
    assert main_rows["images/s"].isna().to_dict() == {"CCCC": False, "CCTT": True}
    assert "images/s: of different hardware" in text
    assert "Warning: 2 devices" in text


def test_accuracy_at_matched_loss_stands_beside_the_final_ones(tmp_path: Path) -> None:
    # the loss falls in a straight line, and accuracy is straight in it: at the loss that the slower one ends with
    ends = {"CCCC": 0.5, "CTTT": 0.2}
    for layout, end in ends.items():
        folder = make_run(tmp_path / "runs", f"layout={layout}", epochs=1)
        losses = np.linspace(2.0, end, 7)
        rows = [
            {"step": 10 * epoch, "epoch": epoch, "train_eval/loss": loss, "eval/accuracy": 1 - loss / 4}
            for epoch, loss in enumerate(losses, start=1)
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows, text = report(tmp_path, "layouts")
    found = rows[~rows["table"].str.startswith(COST)].set_index("layout")["acc. at matched loss"]
    assert found.to_dict() == pytest.approx(dict.fromkeys(ends, 1 - 0.5 / 4))
    assert "where the train loss comes down to 0.5, the lowest that every curve here reaches." in text


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
    assert ("1 of 2 runs have none: their curves begin below it, or were not recorded." in text) == (without == "CCCC")
    verdicts = (tmp_path / "reports" / "layouts" / "verdicts.md").read_text()
    assert ("no accuracy at that loss, since its curve" in verdicts) == (without in ("CCCC", "all"))
    assert ("matched at a training loss of" in verdicts) == (without != "all")
    assert ("No figure curves: no complete run has recorded epochs." in text) == (without == "all")
    assert "nan" not in text + verdicts


def test_accuracy_over_data_size_of_all_images_is_no_figure(tmp_path: Path) -> None:
    made(tmp_path, "data_size", "layout=CCCC")
    rows, text = report(tmp_path, "data_size")
    assert rows["layout"].tolist() == ["CCCC", "CCCC"]
    assert "No figure data_size: accuracy against training images needs runs with data.train_size." in text


def test_accuracy_over_data_size_has_a_column_a_size(tmp_path: Path) -> None:
    records = [
        made(
            tmp_path,
            "data_size",
            f"layout={layout}",
            f"data.train_size={size}",
            f"trainer.max_epochs={epochs}",
            seed=seed,
            accuracy=0.5 + size / 1e5 + place / 100 + seed / 1000,
        )
        for place, layout in enumerate(("CTTT", "CCCC"))
        for size, epochs in ((16000, 4), (1000, 20))
        for seed in range(2)
        if (layout, size) != ("CCCC", 16000)
    ]
    rows, text = report(tmp_path, "data_size")
    first = rows[rows["table"] == rows["table"].iloc[0]].set_index("layout")
    plain = pd.DataFrame(
        [
            {
                "layout": one["config"]["layout"]["name"],
                "size": one["config"]["data"]["train_size"],
                "accuracy": one["final"]["eval/accuracy"],
            }
            for one in records
        ]
    ).pivot_table(index="layout", columns="size", values="accuracy")
    assert first.index.tolist() == ["CCCC", "CTTT"]
    for size in (1000, 16000):
        assert first[f"{size:,} images"].to_numpy() == pytest.approx(plain[size].to_numpy(), nan_ok=True)
    assert "Epochs: 1,000 images 20, 16,000 images 4." in text
    titles = list(dict.fromkeys(rows["table"]))
    assert [title for title in titles if "train_size=" in title][:2] == [
        "data.train_size=1000",
        "data.train_size=16000",
    ]
