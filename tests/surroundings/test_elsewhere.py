"""From another working directory: the same runs, reports and studies are found, and printed commands work there."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import REPOSITORY, CommandLine

pytestmark = pytest.mark.slow

WORDS = ["layout=CCTT", "seed=0", "tracker=none"]  # of the four runs of seconds that are sweep=smoke, one


class Elsewhere:
    """Commands of one copy of coatlab, with none of its variables set.

    Args:
        folder: the copy is made, and commands are called, below it.
        path: what of the copy an environment with coatlab would have among its packages.
    """

    def __init__(self, folder: Path, path: Sequence[Path]) -> None:
        self.working_directory = folder / "elsewhere"
        self.working_directory.mkdir()
        own = {key: value for key, value in CommandLine(folder).environment.items() if not key.startswith("COATLAB_")}
        self.environment = own | {"PYTHONPATH": os.pathsep.join(map(str, path))}

    def run(self, words: Sequence[str], at: Path | None = None) -> str:
        """Run a command from a directory and return what it printed."""
        program, *rest = words
        done = subprocess.run(
            [sys.executable if program == "python" else program, *rest],
            cwd=at or self.working_directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self, *words: str, at: Path | None = None) -> dict[str, Any]:
        return dict(json.loads(self.run(["python", "-m", "coatlab.status", *words, "--json"], at)))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the repository as a clone would have it, into a folder whose name needs quotes."""
    folder = tmp_path / "my coatlab"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in names:
        if (REPOSITORY / name).exists():  # not one that is deleted and not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    return folder


def test_a_study_is_trained_found_and_reported_from_another_directory(tmp_path: Path, copy: Path) -> None:
    place = Elsewhere(tmp_path, [copy / "src", copy])
    begun = place.status("smoke", *WORDS)
    assert begun["runs"] == str(copy / "runs")
    (finish,) = begun["commands"]
    assert shlex.split(finish) == ["python", str(copy / "src" / "train.py"), "sweep=smoke", *WORDS]
    printed = place.run(shlex.split(finish))
    (folder,) = (copy / "runs").glob("CCTT-*")
    assert f"folder               {copy / 'runs'}" in printed.splitlines()  # of the sweep
    (compare,) = [line for line in printed.splitlines() if line.startswith("compare ")]
    assert f"folder               {folder}" in printed.splitlines()
    assert shlex.split(compare)[1:] == ["python", "-m", "analysis", "smoke", "--runs", str(copy / "runs")]
    done = place.status("smoke", *WORDS)
    assert done["commands"] == []
    assert [cell["folder"] for cell in done["cells"]] == [str(folder)]
    page = copy / "reports" / "smoke" / "report.html"
    assert place.run(shlex.split(compare)[1:]).splitlines()[-1] == str(page)
    assert page.is_file()
    assert list(place.working_directory.iterdir()) == []

    again = place.run(["python", "src/train.py", "sweep=smoke", *WORDS], at=copy).splitlines()
    assert "complete             1" in again


def test_a_wheel_has_everything_and_takes_the_working_directory(tmp_path: Path, copy: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "packages")
    held = {str(path.relative_to(tmp_path / "packages")) for path in (tmp_path / "packages").rglob("*")}
    for folder, below in {"analysis": "analysis", "src/coatlab": "coatlab", "sweeps": "coatlab/conf/sweep"}.items():
        files = [path for path in (copy / folder).rglob("*") if path.is_file()]
        assert files
        assert {f"{below}/{path.relative_to(copy / folder)}" for path in files} <= held
    shutil.rmtree(copy)
    place = Elsewhere(tmp_path, [tmp_path / "packages"])
    assert place.status("smoke")["runs"] == str(place.working_directory / "runs")
    assert place.run(["python", "-m", "analysis", "family"]).splitlines()[-1] == "reports/family/report.html"
