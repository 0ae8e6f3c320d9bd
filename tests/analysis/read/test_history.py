"""Histories equal the files, row by row; what is kept of them is used only where it is still true."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.read import history
from analysis.read.history import CACHE, CHECKSUM, merge_steps, read_histories
from coatlab.runs.record import read_metrics
from tests.support.made_runs import make_run


def expected(folder: Path) -> list[dict[str, Any]]:
    """One dictionary a step, of the values written last."""
    steps: dict[int, dict[str, Any]] = {}
    for row in read_metrics(folder):
        steps.setdefault(row["step"], {}).update({key: value for key, value in row.items() if not pd.isna(value)})
    return list(steps.values())


def rows_of(frame: pd.DataFrame, mark: str) -> list[dict[str, Any]]:
    rows = frame[frame["fingerprint"] == mark].drop(columns="fingerprint")
    return [{str(key): value for key, value in row.items() if not pd.isna(value)} for row in rows.to_dict("records")]


def read(folders: dict[str, Path]) -> pd.DataFrame:
    frame = read_histories(folders, next(iter(folders.values())).parent)
    for mark, folder in folders.items():
        assert rows_of(frame, mark) == expected(folder), folder
    assert len(frame) == sum(len(expected(folder)) for folder in folders.values())
    return frame


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    return {f"mark{seed}": make_run(tmp_path, "layout=CCTT", seed=seed, epochs=seed) for seed in range(4)}


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The run folders whose metrics.jsonl was read."""
    names: list[str] = []
    real = history._whole_lines

    def whole_lines(path: Path) -> bytes:
        names.append(path.parent.name)
        return real(path)

    monkeypatch.setattr(history, "_whole_lines", whole_lines)
    return names


def test_the_rows_are_those_of_the_files(folders: dict[str, Path], read_files: list[str]) -> None:
    first = read(folders)
    assert first["step"].tolist() == [10, 10, 20, 10, 20, 30]
    assert len(read_files) == 4
    pd.testing.assert_frame_equal(read(folders), first)
    assert len(read_files) == 4


def test_an_order_and_a_part_of_its_own(folders: dict[str, Path]) -> None:
    read(folders)
    read({mark: folders[mark] for mark in ("mark3", "mark1")})
    read(folders)


def test_a_file_that_grew_is_read_again_alone_and_a_deleted_run_is_forgotten(
    folders: dict[str, Path], read_files: list[str]
) -> None:
    read(folders)
    with open(folders["mark2"] / "metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": 99, "eval/loss": None, "new": 0.5}) + "\n")
    gone = folders.pop("mark1")
    for path in gone.iterdir():
        path.unlink()
    gone.rmdir()
    del read_files[:]
    read(folders)
    assert read_files == [folders["mark2"].name]
    assert gone.name.encode() not in (gone.parent / CACHE).read_bytes()


@pytest.mark.parametrize("tail", ['{"step": 99, "eval', '{"step": 99, "eval/loss": 1.5}', "\n"])
def test_a_last_row_that_a_dying_process_left(folders: dict[str, Path], tail: str) -> None:
    with open(folders["mark2"] / "metrics.jsonl", "a") as file:
        file.write(tail)
    read(folders)


@pytest.mark.parametrize("damage", ["garbage\n", '{"step": 99}{"step": 100}\n', '{"loss": NaN, "step": 99}\n'])
def test_a_damaged_file_ends_at_the_damage_and_harms_no_other(folders: dict[str, Path], damage: str) -> None:
    path = folders["mark2"] / "metrics.jsonl"
    path.write_text(path.read_text() + damage + '{"step": 101, "eval/loss": 1.0}\n')
    read(folders)


@pytest.mark.parametrize(
    "row", ["5", "null", "[1]", '{"eval/loss": 1.0}', '{"step": null}', '{"step": "last"}', '{"step": 1.5}']
)
def test_a_row_that_is_none_is_damage(folders: dict[str, Path], row: str) -> None:
    path = folders["mark2"] / "metrics.jsonl"
    before = read_histories(folders, path.parents[1])
    path.write_text(path.read_text() + row + '\n{"step": 101, "eval/loss": 1.0}\n')
    pd.testing.assert_frame_equal(read_histories(folders, path.parents[1]), before)


def test_a_run_without_metrics(folders: dict[str, Path]) -> None:
    (folders["mark1"] / "metrics.jsonl").unlink()
    read(folders)
    read(folders)


@settings(max_examples=40)
@given(data=st.data())
@pytest.mark.slow
def test_what_is_kept_is_made_anew_where_it_is_damaged(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    runs = tmp_path_factory.mktemp("runs")
    folders = {f"mark{seed}": make_run(runs, "layout=CCTT", seed=seed, epochs=3) for seed in range(2)}
    first = read(folders)
    path = data.draw(st.sampled_from([runs / CACHE, (runs / CACHE).with_suffix(CHECKSUM)]))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    try:
        pd.testing.assert_frame_equal(read(folders), first)
    finally:
        shutil.rmtree(runs)


def test_a_folder_that_can_only_be_read_is_fine(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(history, "write_atomic", refuse)
    read(folders)
    assert not (folders["mark0"].parent / CACHE).exists()


def test_a_file_of_the_same_length_that_is_younger_is_read_again(folders: dict[str, Path]) -> None:
    read(folders)
    path = folders["mark3"] / "metrics.jsonl"
    path.write_text(path.read_text().replace("900.5", "800.5"))
    os.utime(path, ns=(1, 1))
    assert set(read(folders)["images_per_second"].dropna()) == {900.5, 800.5}


rows = st.lists(
    st.fixed_dictionaries({"step": st.integers(0, 3)}, optional={"a": st.floats(-9, 9), "b": st.integers(-9, 9)}),
    max_size=8,
)


@given(st.lists(rows.map(lambda found: sorted(found, key=lambda row: row["step"])), min_size=1, max_size=3))
def test_rows_of_a_step_are_one(runs: list[list[dict[str, Any]]]) -> None:
    frame = pd.DataFrame([row for run in runs for row in run], columns=["step", "a", "b"])
    table, lengths = merge_steps(frame, [len(run) for run in runs])
    left = [{key: value for key, value in row.items() if not pd.isna(value)} for row in table.to_dict("records")]
    steps: list[dict[int, dict[str, Any]]] = [{} for _ in runs]
    for run, found in zip(runs, steps, strict=True):
        for row in run:
            found.setdefault(row["step"], {}).update(row)
    assert left == [row for found in steps for row in found.values()]
    assert lengths == [len(found) for found in steps]
