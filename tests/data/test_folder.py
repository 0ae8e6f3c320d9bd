"""`data=folder` from the command line: a run, a corrupt file, a moved folder, a changed folder."""

from pathlib import Path

import pytest

from tests.data.image_files import FEW, cut, write_folders
from tests.support.commandline import CommandLine

SHORT = [*FEW, "trainer.max_epochs=2", "tracker=none", "data.workers=1"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_folders(tmp_path / "pictures" / "train", each=30)
    write_folders(tmp_path / "pictures" / "val", each=5, skip=30)
    return tmp_path / "pictures"


@pytest.mark.slow
def test_a_corrupt_file_stops_the_run_or_is_left_out_and_counted(root: Path, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    words = ["data=folder", f"data.root={root}", *SHORT]
    for path in sorted((root / "train").rglob("000.JPEG")) + sorted((root / "val").rglob("000.JPEG"))[:1]:
        cut(path)
    stopped = line.run(*words)
    assert stopped.returncode == 1
    assert stopped.stderr.count("\n") == 1
    assert "000.JPEG cannot be decoded" in stopped.stderr
    assert "data.on_corrupt=skip" in stopped.stderr
    assert line.record()["status"] == "failed"
    assert line.record()["data"]["corrupt"]["count"] >= 1
    skipping = [*words, "data.on_corrupt=skip", "data.train_size=null"]
    done = line.run(*skipping, COATLAB_RUNS=str(tmp_path / "skip"))
    assert done.returncode == 0, done.stderr
    line.runs = tmp_path / "skip"
    data = line.record()["data"]
    assert data["images"] == {"train": 120, "test": 20}
    assert f"120 images in {root / 'train'}, 20 for the test in {root / 'val'}" in done.stdout
    assert data["corrupt"]["count"] == len(data["corrupt"]["names"]) == 5
    assert str(root / "val" / "class_0" / "000.JPEG") in data["corrupt"]["names"]
    for name in data["corrupt"]["names"]:
        assert name in done.stderr


@pytest.mark.slow
def test_a_moved_folder_is_the_same_experiment_and_a_changed_one_is_another(root: Path, tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    words = ["data=folder", "data.name=clothes", *SHORT, "data.batch_size=64", "trainer.max_epochs=1"]
    first = line.run(*words, f"data.root={root}")
    assert first.returncode == 0, first.stderr
    assert "-clothes-s0-" in line.folder().name
    assert line.record()["config"]["data"]["num_classes"] == 4
    root.rename(tmp_path / "moved")
    again = line.run(*words, f"data.root={tmp_path / 'moved'}")
    assert "already complete" in again.stdout
    (tmp_path / "moved" / "train" / "class_0" / "001.png").unlink()
    changed = line.run(*words, f"data.root={tmp_path / 'moved'}")
    assert changed.returncode == 0, changed.stderr
    assert "already complete" not in changed.stdout
    assert len([path for path in line.runs.iterdir() if not path.name.startswith(".")]) == 2


@pytest.mark.slow
def test_a_missing_folder_is_asked_for(tmp_path: Path) -> None:
    done = CommandLine(tmp_path).run("data=folder", tiny=False)
    assert done.returncode == 1
    assert "data=folder needs data.root, a folder that has one folder per class" in done.stderr
