"""Only folders of failed runs and empty ones are found, and one that another process has is left alone."""

from pathlib import Path

import pytest

from coatlab.errors import RunError
from coatlab.runs.clean import removable, remove
from coatlab.runs.lock import take_lock
from tests.runs.test_state import held, make  # noqa: F401 (a fixture)

EMPTY = "CCTT-relative-nano-fashion_mnist-s0-0123abcd"


def named(runs: Path, study: str | None = None) -> dict[str, str]:
    return {folder.name: why for folder, why in removable(runs, study)}


@pytest.mark.slow
def test_failed_and_empty_folders_are_found_and_no_others(tmp_path: Path) -> None:
    for status, seed in (("complete", 0), ("interrupted", 1), ("diverged", 2)):
        make(tmp_path, status, f"seed={seed}")
    failed = make(tmp_path, "failed", "sweep=smoke", "layout=CTTT", "seed=3")
    broken = make(tmp_path, "complete", "seed=4")
    (broken / "record.json").write_text("{")
    (tmp_path / EMPTY).mkdir()
    (tmp_path / EMPTY / ".lock").write_text("process 1 on here")
    (tmp_path / "notes").mkdir()
    (tmp_path / EMPTY.replace("s0", "s1") / "checkpoints").mkdir(parents=True)
    (tmp_path / EMPTY.replace("s0", "s2")).symlink_to(tmp_path / "notes")
    assert named(tmp_path) == {failed.name: "failed: ZeroDivisionError: oh", EMPTY: "empty"}
    assert list(named(tmp_path, "smoke")) == [failed.name]
    assert named(tmp_path, "layouts") == {}
    assert named(tmp_path / "nowhere") == {}
    assert all(remove(folder) for folder, _ in list(removable(tmp_path)))
    assert named(tmp_path) == {}
    assert broken.is_dir()


def test_what_has_changed_meanwhile_is_left(tmp_path: Path) -> None:
    failed = make(tmp_path, "failed", "seed=3")
    (found,) = removable(tmp_path)
    (failed / "record.json").write_text((failed / "record.json").read_text().replace('"failed"', '"interrupted"'))
    assert not remove(found[0])
    assert failed.is_dir()


@pytest.mark.slow
def test_a_folder_that_another_process_has_is_left(held: tuple[Path, int]) -> None:  # noqa: F811
    folder, _ = held
    (folder / "record.json").unlink()
    assert named(folder.parent) == {}
    assert not remove(folder)
    assert folder.is_dir()


def test_a_folder_that_cannot_be_removed_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / EMPTY).mkdir()

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("coatlab.runs.clean.shutil.rmtree", refuse)
    with pytest.raises(RunError, match="cannot be removed: Permission denied"):
        remove(tmp_path / EMPTY)
    take_lock(tmp_path / EMPTY, wait=False).close()  # it was let go
