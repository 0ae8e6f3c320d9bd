"""A complete run whose history is not whole is left out by name, and no other run is touched."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.read.folders import load
from tests.support.made_runs import make_run


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def zeros(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\0" * (len(content) - len(content) // 2))


def without_the_third_epoch(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if row.get("epoch") != 3))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(b""), "has no row of an epoch, and the run had 5"),
        (a_folder, "has no row of an epoch, and the run had 5"),
        (cut, "ends with epoch 4 of 5"),
        (zeros, "ends with epoch 2 of 5"),
        (without_the_third_epoch, "has rows of only 4 of the 5 epochs"),
        (lambda path: path.write_text("[" * 100_000 + "\n" + path.read_text()), "has no row of an epoch"),
        (lambda path: path.write_text('{"step": "\\ud800"}\n' + path.read_text()), "has no row of an epoch"),
        (lambda path: path.write_text('{"step": 1, "\\ud800": 1}\n' + path.read_text()), "has no row of an epoch"),
        (lambda path: path.write_text('{"step": 1, "fingerprint": 1}\n' + path.read_text()), "has no row of an epoch"),
        (lambda path: path.write_text('{"step": 1, "a": {}}\n' + path.read_text()), "has no row of an epoch"),
        (lambda path: path.write_text(f'{{"step": {10**30}}}\n' + path.read_text()), "has no row of an epoch"),
    ],
)
def test_a_history_that_is_not_whole(tmp_path: Path, damage: Callable[[Path], object], why: str) -> None:
    good = make_run(tmp_path, "layout=CCCC", epochs=5)
    bad = make_run(tmp_path, "layout=CCCC", epochs=5, seed=1)
    make_run(tmp_path, "layout=CCCC", seed=2, status="failed", epochs=1)  # of which nothing is expected
    damage(bad / "metrics.jsonl")
    for _ in range(2):  # the second time from the cache
        loaded = load(tmp_path)
        assert loaded.complete["run"].tolist() == [good.name]
        assert loaded.runs["status"].value_counts().to_dict() == {"complete": 1, "unreadable": 1, "failed": 1}
        (told,) = [line for line in loaded.note() if bad.name in line]
        assert f"unreadable (its metrics.jsonl {why}" in told
        assert len(loaded.history[loaded.history["fingerprint"] == loaded.complete.index[0]]) == 5


def test_a_run_without_a_history_stays_in_the_tables_and_is_named(tmp_path: Path) -> None:
    for seed in range(2):
        (make_run(tmp_path, "layout=CCCC", seed=seed) / "metrics.jsonl").unlink()
    make_run(tmp_path, "layout=CCCC", seed=2)
    loaded = load(tmp_path)
    assert len(loaded.complete) == 3
    (told,) = [line for line in loaded.note() if line.startswith("without metrics.jsonl")]
    assert [mark in told for mark in loaded.complete.sort_values("seed").index] == [True, True, False]


def test_a_file_that_was_closed_is_read_once_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = make_run(tmp_path, "layout=CCCC", epochs=5) / "metrics.jsonl"
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert load(tmp_path).complete.empty
    monkeypatch.undo()
    assert len(load(tmp_path).complete) == 1
