"""Each fault is planted alone in runs that are otherwise as a training leaves them, and is refused by name."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from analysis.compare.audit import _impossible as impossible
from analysis.compare.audit import audited, require_derivable
from analysis.compare.design import Design
from analysis.compare.panels import make_panels
from analysis.read.folders import Loaded, load
from analysis.studies.layouts import DESIGN
from coatlab.errors import InputError
from coatlab.runs.identity import fingerprint, folder_name
from tests.support.made_runs import make_run

LAYOUTS = ("CCCC", "CCTT")
ANY = Design(factors=("layout",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two layouts with two seeds each."""
    runs = tmp_path_factory.mktemp("made")
    for layout in LAYOUTS:
        for seed in range(2):
            folder = make_run(runs, f"layout={layout}", seed=seed, epochs=3)
            torch.manual_seed(seed)
            (folder / "checkpoints").mkdir()
            content = {"fingerprint": folder.name, "network": {"weight": torch.randn(4, 4)}}
            torch.save(content, folder / "checkpoints" / "weights.pt")
    return runs


@pytest.fixture
def runs(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the runs, in which a fault can be planted."""
    return shutil.copytree(made, tmp_path / "runs")


def first(runs: Path) -> Path:
    return min(runs.glob("CCTT-*-s0-*"))


def second(runs: Path) -> Path:
    return min(runs.glob("CCTT-*-s1-*"))


def change(folder: Path, part: str, entries: Mapping[str, Any]) -> None:
    """Change entries of a part of a record."""
    record = json.loads((folder / "record.json").read_text())
    record[part] |= entries
    (folder / "record.json").write_text(json.dumps(record))


def change_last_row(folder: Path, entries: Mapping[str, Any]) -> None:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rows[-1] |= entries
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def change_both(folder: Path, entries: Mapping[str, Any]) -> None:
    """Change the last row and the final measures alike."""
    change_last_row(folder, entries)
    change(folder, "final", entries)


def refusal(loaded: Loaded, design: Design = ANY, allow: tuple[str, ...] = ()) -> str:
    """Return the sentence with which runs are refused; empty if they are not."""
    try:
        require_derivable(loaded)
        for panel in make_panels(loaded.complete, design, loaded.donors, allow):
            audited(panel, design, allow)
    except InputError as error:
        return str(error)
    return ""


def test_runs_as_they_are_made_pass(runs: Path) -> None:
    assert refusal(load(runs), DESIGN) == ""
    assert refusal(Loaded(load(runs).runs.iloc[:0], load(runs).history)) == ""


def other_config(folder: Path) -> None:
    config = json.loads((folder / "record.json").read_text())["config"]
    change(folder, "recipe", {})
    change(folder, "config", {"recipe": config["recipe"] | {"lr": 1.0}})


def renamed(folder: Path) -> None:
    folder.rename(folder.with_name("CCTT-of-monday"))


def too_many_epochs(folder: Path) -> None:
    """Ask for four epochs, by the right name, where three were trained."""
    record = json.loads((folder / "record.json").read_text())
    record["config"]["trainer"]["max_epochs"] = 4
    record["fingerprint"] = fingerprint(record["config"])
    (folder / "record.json").write_text(json.dumps(record))
    folder.rename(folder.with_name(folder_name(record["config"])))


def same_rows(folder: Path) -> None:
    shutil.copy(folder / "metrics.jsonl", second(folder.parent) / "metrics.jsonl")
    final = json.loads((folder / "record.json").read_text())["final"]
    change(second(folder.parent), "final", final)


def same_weights(folder: Path) -> None:
    content = torch.load(folder / "checkpoints" / "weights.pt")
    torch.save(content | {"fingerprint": "its own"}, second(folder.parent) / "checkpoints" / "weights.pt")


FINAL: list[tuple[dict[str, Any], str]] = [  # planted in the final measures alone
    ({"eval/accuracy": 0.9, "gap": None}, "has eval/accuracy 0.9 as its final measure, but 0.8 in the last row"),
    ({"train/loss": 7.0}, "has train/loss 7 as its final measure"),
    ({"step": 29}, "ended at step 29, although 30 steps were asked for"),
    ({"epoch": 2}, "ended at epoch 2, although 3 epochs were asked for"),
    ({"test/accuracy": 1.01}, "has test/accuracy 1.01, which is not between 0 and 1"),
    ({"test/accuracy": -0.1}, "has test/accuracy -0.1, which is not between 0 and 1"),
    ({"test/loss": -0.1}, "has test/loss -0.1, which is below 0"),
    ({"test/loss": None}, "has no finite test/loss at its end"),
    ({"test/images": 9999}, "has test/accuracy 0.79, which is no number of right ones among 9999 images"),
]
ROW: list[tuple[dict[str, Any], str]] = [  # in the last row alone
    ({"train_eval/loss": 0.25}, "but 0.25 in the last row of its history"),
    ({"step": 31}, "ended at step 30, but the last row of its history is of step 31"),
]
HALF = {"train_eval/accuracy": 0.5, "eval/accuracy": 0.5, "gap": 0.0}
BOTH: list[tuple[dict[str, Any], str]] = [
    ({"train/loss": None}, "has no finite train/loss at its end"),
    ({"train/accuracy": 1.5}, "has train/accuracy 1.5, which is not between 0 and 1"),
    (HALF | {"gap": 0.1}, "has a gap of 0.1, but its accuracies 0.5 and 0.5 differ by another"),
]
OTHERS: list[tuple[Callable[[Path], object], str]] = [
    (too_many_epochs, "ended at epoch 3, although 4 epochs were asked for"),
    (lambda run: change(run, "recipe", {"steps": 40}), "ended at step 30, although 40 steps were asked for"),
    (other_config, "has the fingerprint .{16} in its record, but its config has .{16}"),
    (renamed, "CCTT-of-monday is not the name of the folder of a run with the fingerprint"),
    (same_rows, "with seeds 0 and 1, have the same rows of metrics"),
    (same_weights, "with seeds 0 and 1, have the same weights"),
    (
        lambda run: change(run, "cost", {"macs": 13_200_000}),
        "has 13,200,000 macs, but other runs of the same network have 6,600,000",
    ),
]
PLANTED = [
    *((lambda run, entries=entries: change(run, "final", entries), told) for entries, told in FINAL),
    *((lambda run, entries=entries: change_last_row(run, entries), told) for entries, told in ROW),
    *((lambda run, entries=entries: change_both(run, entries), told) for entries, told in BOTH),
    *OTHERS,
]


@pytest.mark.parametrize(("plant", "sentence"), PLANTED, ids=[sentence[:40] for _, sentence in PLANTED])
def test_a_planted_fault_is_refused_and_named(runs: Path, plant: Callable[[Path], object], sentence: str) -> None:
    plant(folder := first(runs))
    told = refusal(load(runs))
    assert re.search(sentence, told)
    assert folder.name in told or "of-monday" in told or "4 epochs" in told
    assert told.startswith("numbers that cannot be derived again from the runs: ")
    assert told.endswith("; move these runs away, or delete them to train them again")
    assert "\n" not in told


def test_a_row_in_the_middle_that_cannot_be_is_refused(runs: Path) -> None:
    path = first(runs) / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["eval/accuracy"] = 1.25
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "has eval/accuracy 1.25, which is not between 0 and 1 in its history" in refusal(load(runs))


@pytest.mark.parametrize("images", [7, 1000, 10_000, 60_000, 999_983])
def test_every_accuracy_that_a_training_can_measure_is_one_of_its_images(images: int) -> None:
    """A mean of zeros and ones in float32, as the training takes it, whatever the number of images."""
    right = torch.randint(0, images + 1, (200,), generator=torch.Generator().manual_seed(0)).tolist()
    accuracies = [float(torch.tensor(float(number)) / torch.tensor(float(images))) for number in right]
    runs = pd.DataFrame({"run": "one", "test/accuracy": accuracies, "test/images": images, "status": "complete"})
    assert list(impossible(runs, pd.DataFrame({"fingerprint": [], "step": []}))) == []
    assert list(impossible(runs.assign(**{"test/images": images + 1}).head(1), pd.DataFrame())) != []


def test_a_donor_whose_record_was_changed_is_refused(runs: Path) -> None:
    donor = make_run(runs, "layout=CCTT", "data=fractals", study="other")
    mark = json.loads((donor / "record.json").read_text())["fingerprint"]
    run = make_run(runs, "layout=CCTT", "init=finetune", donor=mark)
    loaded = load(runs, "layouts")
    assert refusal(replace(loaded, runs=loaded.runs[loaded.runs["run"] == run.name])) == ""
    other_config(donor)
    assert f"{run.name} starts from {mark}, whose record has a config with" in refusal(load(runs, "layouts"))


def test_many_faults_are_counted(runs: Path) -> None:
    for folder in runs.glob("C*"):
        change(folder, "final", {"test/accuracy": 2.0, "test/loss": -1.0})
    assert "; and 3 more; move these runs away" in refusal(load(runs))


def test_where_w_and_b_lacks_something_the_rest_is_checked(runs: Path) -> None:
    loaded = load(runs)
    known = loaded.runs.drop(columns=["weights", "steps", "macs"]).assign(run="a name that someone gave")
    there = replace(loaded, runs=known, history=loaded.history[["fingerprint", "step"]], in_folders=False)
    assert refusal(there) == ""
    known.loc[known.index[0], "test/accuracy"] = 2.0
    assert "has test/accuracy 2" in refusal(there)


def test_a_study_of_equal_cost_refuses_what_costs_something_else(tmp_path: Path) -> None:
    for layout, macs in (("CCCC", 6_600_000), ("CCTT", 13_200_000)):
        make_run(tmp_path, f"layout={layout}", cost={"parameters": 410_000, "macs": macs, "activations": 1})
    assert re.search(
        r"CCTT\S+ has 13,200,000 macs, \+99% from the 6,623,872 of the budget of size nano, in a study of equal cost",
        refusal(load(tmp_path), DESIGN),
    )
    assert refusal(load(tmp_path), ANY) == ""


@pytest.mark.parametrize("words", [["data.image_size=64"], ["size=coatnet_3"]])
def test_cost_is_not_judged_where_there_is_no_budget_for_it(tmp_path: Path, words: list[str]) -> None:
    for layout in ("CCCC", "CCTT") if "size=coatnet_3" not in words else ("CCTT",):
        make_run(tmp_path, f"layout={layout}", *words, cost={"parameters": 1, "macs": 1, "activations": 1})
    assert refusal(load(tmp_path), DESIGN) == ""


@pytest.mark.parametrize(
    ("key", "part", "values"),
    [
        ("code", "code", [{"commit": "a" * 40}, {"commit": "b" * 40}]),
        ("code", "code", [{"commit": "a" * 40}, {"commit": "a" * 40, "dirty": True}]),
        ("device", "hardware", [{"device": "cpu"}, {"device": "cuda"}]),
    ],
)
def test_code_and_device_that_go_with_the_factor_are_refused_unless_allowed(
    runs: Path, key: str, part: str, values: list[dict[str, Any]]
) -> None:
    for folder in runs.glob("C*"):
        change(folder, part, values[folder.name.startswith("CCTT")])
    told = refusal(load(runs))
    assert re.match(r"rows that are compared in fashion_mnist have no (version of the code|kind of device)", told)
    assert "CCCC none has " in told
    assert "CCTT relative has " in told
    assert told.endswith(f"compare them nevertheless with --allow {key}")
    assert refusal(load(runs), allow=(key,)) == ""
    loaded = load(runs)
    (panel,) = make_panels(loaded.complete, ANY, loaded.donors)
    assert audited(panel, ANY, (key,)).notes[-1].endswith(f"(--allow {key}).")


@pytest.mark.parametrize("part", ["code", "hardware"])
def test_a_mixture_that_all_rows_share_is_only_warned_about(runs: Path, part: str) -> None:
    for folder in runs.glob("C*-s1-*"):
        change(folder, part, {"commit": "b" * 40, "device": "cuda"})
    assert refusal(load(runs)) == ""
