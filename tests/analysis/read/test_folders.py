"""Run folders to frames: every run and every number is there, whatever its status, and nothing is mixed in."""

import gc
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.read.folders import load
from coatlab.config.words import flatten
from coatlab.errors import InputError
from coatlab.runs.correct import write_correct
from tests.runs.test_state import held  # noqa: F401 (a fixture)
from tests.support.made_runs import config_of, make_run

pytestmark = pytest.mark.slow


def test_a_row_has_the_config_the_measures_the_cost_and_where_it_ran(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "layout=CCTT", "attention=window", seed=3, accuracy=0.75)
    record = json.loads((folder / "record.json").read_text())
    loaded = load(tmp_path, "layouts")
    row = loaded.runs.loc[record["fingerprint"]]
    for key, value in flatten(record["config"]).items():
        assert row[key] == value or (value is None and row[key] is None), key
    for key, value in {**record["final"], **record["cost"]}.items():
        assert row[key] == value
    assert row["config"] == record["config"]
    assert (row["run"], row["seed"], row["attention"]) == (folder.name, 3, "window")
    assert (row["seconds"], row["attempts"], row["studies"]) == (12.5, 1, ("layouts",))
    assert (row["code"], row["host"], row["device"], row["gpu"]) == ("a" * 12, "here", "cpu", None)
    assert (row["precision"], row["covering"]) == ("32-true", "S4")


def test_a_complete_run_has_which_test_images_it_got_right_if_there_is_such_a_file(tmp_path: Path) -> None:
    correct = np.arange(30) % 3 > 0
    for seed, images in enumerate((30, 31 + 8, None)):
        folder = make_run(tmp_path, seed=seed)
        path = folder / "record.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"final": record["final"] | ({"test/images": images} if images else {})}))
        write_correct(folder, correct)
    found = load(tmp_path).runs.set_index("seed")["correct"]
    assert np.array_equal(found[0], correct)
    assert found[1] is None
    assert found[2] is None


def test_a_layout_without_attention_has_none(tmp_path: Path) -> None:
    make_run(tmp_path, "layout=CCCC", "attention=linear")
    assert load(tmp_path).runs["attention"].tolist() == ["none"]


def test_every_status_is_kept_and_named(tmp_path: Path) -> None:
    make_run(tmp_path, "layout=CCTT")
    for seed, status in enumerate(("failed", "diverged", "interrupted", "running"), start=1):
        make_run(tmp_path, "layout=CCTT", seed=seed, status=status)
    torn = make_run(tmp_path, "layout=CCTT", seed=9)
    (torn / "record.json").write_text('{"schema": 1, "sta')
    make_run(tmp_path, "layout=CCTT", seed=10, study="smoke")
    (tmp_path / "empty").mkdir()
    loaded = load(tmp_path, "layouts")
    # the process of the running one is gone
    assert Counter(loaded.runs["status"]) == {
        "complete": 1, "diverged": 1, "failed": 1, "interrupted": 2, "unreadable": 1,
    }  # fmt: skip
    assert len(loaded.complete) == 1
    first, *named = loaded.note()
    assert first == "1 of 6 runs complete; 1 diverged, 1 failed, 2 interrupted, 1 unreadable."
    assert any(f"{torn.name}, unreadable (" in line and "is not a record" in line for line in named)
    assert sum("failed (ZeroDivisionError: a | b)" in line for line in named) == 1
    assert len(named) == 5


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        (
            {"metrics_bytes": 10**6},
            "of the 1000000 bytes that belong to it; move the folder away",
        ),
        ({"metrics_bytes": 5}, "metrics.jsonl has more than the 5 bytes"),
        ({"metrics_bytes": "?"}, "its record states rows={'metrics_bytes': '?'}"),
    ],
)
def test_a_history_that_is_not_whole_is_not_shown(tmp_path: Path, stated: dict[str, object], why: str) -> None:
    make_run(tmp_path, "layout=CCTT", rows=stated)
    loaded = load(tmp_path)
    assert loaded.runs["status"].tolist() == ["unreadable"]
    assert why in loaded.note()[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"fingerprint": None}, "(KeyError: 'fingerprint')"),
        ({"studies": "layouts"}, "(TypeError: studies is 'layouts')"),
        ({"config": {}}, "(KeyError: 'config.layout')"),
        ({"cost": None}, "it has no valid cost"),
    ],
)
def test_a_record_that_lacks_something_is_unreadable(
    tmp_path: Path, change: dict[str, object], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "runs", "layout=CCCC")
    folder = make_run(tmp_path / "runs", "layout=CCTT")
    record = json.loads((folder / "record.json").read_text()) | change
    (folder / "record.json").write_text(json.dumps({key: value for key, value in record.items() if value is not None}))
    main(["layouts", "--verbose", "--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports")])
    printed = capsys.readouterr().out
    assert "1 of 2 runs complete; 1 unreadable." in printed
    assert why in printed


def test_a_run_of_a_live_process_is_running(held: tuple[Path, int]) -> None:  # noqa: F811
    folder, _ = held
    assert load(folder.parent).runs["status"].tolist() == ["running"]


def test_many_are_counted(tmp_path: Path) -> None:
    for seed in range(23):
        make_run(tmp_path, "layout=CCTT", seed=seed, status="failed", epochs=0)
    assert load(tmp_path).note()[-1] == "not in the tables: 3 more"


def test_the_same_run_twice_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "layout=CCTT")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "record.json").write_bytes((folder / "record.json").read_bytes())
    with pytest.raises(InputError, match=rf"{folder.name} and copy are the same run \(fingerprint"):
        load(tmp_path)
    assert gc.isenabled()  # it pauses while records are read


def test_donors_of_other_studies_are_known(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "layout=CCTT", study="other")
    mark = json.loads((folder / "record.json").read_text())["fingerprint"]
    loaded = load(tmp_path, "layouts")
    assert loaded.runs.empty
    assert loaded.donors == {mark: config_of("layout=CCTT", study="other")}


def test_nothing_is_there(tmp_path: Path) -> None:
    loaded = load(tmp_path / "nowhere", "layouts")
    assert (len(loaded.runs), len(loaded.history), len(loaded.complete)) == (0, 0, 0)
    assert not os.path.exists(tmp_path / "nowhere")
