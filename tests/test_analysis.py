"""The study's table, from records that a test writes."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.load import load_runs
from coatlab.configs import compose, resolve
from coatlab.errors import InputError
from coatlab.run import open_run

FINAL = {
    "train_eval/loss": 0.5,
    "train_eval/accuracy": 0.9,
    "eval/accuracy": 0.8,
    "test/accuracy": 0.79,
    "gap": 0.1,
    "images_per_second": 100.0,
}


def write(
    runs: Path, layout: str, seed: int, accuracy: float | None, study: str = "layouts", attention: str = "relative"
) -> None:
    words = [f"paths.runs={runs}", f"layout={layout}", f"seed={seed}", f"study={study}", f"attention={attention}"]
    config = resolve(compose(words))
    if accuracy is None:
        with pytest.raises(ZeroDivisionError), open_run(config):
            raise ZeroDivisionError("a | b")
        return
    with open_run(config) as run:
        local = attention in ("window", "neighborhood")
        seen = {"S3": {"reach": "local" if local else "global"}, "S4": {"reach": "covering" if local else "global"}}
        cost = {"parameters": 400_000, "macs": 6_000_000}
        run.complete(FINAL | {"eval/accuracy": accuracy}, cost=cost, attention=seen)


def test_the_table_averages_seeds_in_the_papers_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    for layout, seed, accuracy in [("CCTT", 0, 0.8), ("CCTT", 1, 0.9), ("ViT_REL", 0, 0.7)]:
        write(runs, layout, seed, accuracy)
    write(runs, "CTTT", 0, None)
    write(runs, "CCCC", 0, 0.5, study="other")
    main(["layouts", "--runs", str(runs), "--reports", str(tmp_path / "reports")])
    text = (tmp_path / "reports" / "layouts" / "table.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    table = pd.DataFrame(rows[2:], columns=rows[0])
    assert table["layout"].tolist() == ["ViT_REL", "CCTT"]
    assert table["eval acc."].tolist() == ["70.0%", "85.0%"]
    assert table["seeds"].tolist() == ["1", "2"]
    assert "3 of 4 runs complete" in text
    assert "not in the table: CTTT-relative-nano-fashion_mnist-s0-" in text
    assert "failed (ZeroDivisionError: a | b)" in text
    printed = capsys.readouterr().out
    assert text in printed
    assert printed.strip().endswith("table.md")


def test_attention_variants_stand_in_order_and_a_vit_is_named_plainly(tmp_path: Path) -> None:
    cells = [("CCTT", "linear"), ("ViT_REL", "relative"), ("CCTT", "window"), ("ViT_REL", "absolute")]
    for layout, attention in cells:
        write(tmp_path, layout, 0, 0.8, study="attention", attention=attention)
    main(["attention", "--runs", str(tmp_path), "--reports", str(tmp_path / "reports")])
    text = (tmp_path / "reports" / "attention" / "table.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines() if line.startswith("|")][2:]
    assert rows == [["relative", "ViT_REL"], ["absolute", "ViT"], ["window*", "CCTT"], ["linear", "CCTT"]]
    assert text.count("is global in S4") == 1


def test_all_is_every_run(tmp_path: Path) -> None:
    write(tmp_path, "CCTT", 0, 0.8)
    write(tmp_path, "CCCC", 0, 0.5, study="other")
    assert len(load_runs(tmp_path)) == 2
    assert load_runs(tmp_path, "other")["attention"].tolist() == ["none"]


def test_no_study_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    assert "layouts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("study", "sentence"), [("layout", "did you mean layouts"), ("layouts", "holds no run of study layouts")]
)
def test_what_is_not_there_is_said(tmp_path: Path, study: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        main([study, "--runs", str(tmp_path)])


def test_runs_that_differ_in_a_detail_are_rows_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = [[], ["plan.blocks=[2,1,2,5,1]"], ["network.norm=layer"], ["plan.head_size=24"]]
    for words in changes:
        with open_run(resolve(compose([f"paths.runs={tmp_path}", "study=details", *words]))) as run:
            run.complete(FINAL, cost={"parameters": 400_000, "macs": 6_000_000})
    main(["details", "--runs", str(tmp_path), "--reports", str(tmp_path / "reports")])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    rows = [
        dict(zip(*(map(str.strip, line.split("|")) for line in (lines[0], other)), strict=True)) for other in lines[2:]
    ]
    assert [row["seeds"] for row in rows] == ["1"] * 4
    assert sorted((row["blocks"], row["norm"], row["head_size"]) for row in rows) == [
        ("2-1-2-5-1", "batch", "16"),
        ("2-1-3-4-1", "batch", "16"),
        ("2-1-3-4-1", "batch", "24"),
        ("2-1-3-4-1", "layer", "16"),
    ]
    assert "downsample" not in lines[0]
