"""The record names the commit that runs, and no other; threads are those that the environment asks for."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coatlab.process import machine
from coatlab.process.machine import asked_threads, code_version, gpu_cells


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a copy of the module; return the copy."""
    file = tmp_path / "src" / "machine.py"
    file.parent.mkdir()
    shutil.copy(machine.__file__, file)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=first")
    return file


@pytest.mark.slow
def test_the_commit_of_a_checkout_and_whether_it_was_changed(checkout: Path) -> None:
    commit = git(checkout.parent, "rev-parse", "HEAD")
    assert code_version(checkout) == {"version": code_version()["version"], "commit": commit, "dirty": False}
    checkout.write_text("# changed")
    assert code_version(checkout)["dirty"] is True


@pytest.mark.slow
def test_a_checkout_of_somebody_else_has_a_commit_too(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert code_version(checkout)["commit"] == git(checkout.parent, "-c", "safe.directory=*", "rev-parse", "HEAD")
    with pytest.raises(subprocess.CalledProcessError):  # git would refuse it
        git(checkout.parent, "rev-parse", "HEAD")


@pytest.mark.slow
def test_a_hook_of_another_repository_does_not_mislead_it(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, other = git(checkout.parent, "rev-parse", "HEAD"), tmp_path_factory.mktemp("other")
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "--message=other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert code_version(checkout)["commit"] == commit


@pytest.mark.slow
def test_the_commit_of_a_repository_around_an_installed_package_is_not_ours(checkout: Path) -> None:
    installed = checkout.parents[1] / ".venv" / "machine.py"
    installed.parent.mkdir()
    shutil.copy(checkout, installed)
    assert code_version(installed)["commit"] is None


@pytest.fixture
def fresh() -> Iterator[None]:
    asked_threads.cache_clear()
    yield
    asked_threads.cache_clear()


@pytest.mark.parametrize(
    ("asked", "threads"), [("1", 1), ("3", 3), ("4,2", 4), (" 2 ", 2), ("0", None), ("many", None), ("", None)]
)
def test_threads_of_the_environment(
    asked: str, threads: int | None, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert asked_threads() == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # as we set it for libraries
    assert asked_threads() == threads


@pytest.mark.parametrize(("told", "expected"), [(None, 1), ("16", 16), ("many", 1), ("0", 1)])
def test_a_process_has_a_gpu_for_itself_unless_its_launcher_says_otherwise(
    told: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(machine.GPU_CELLS, raising=False)
    if told is not None:
        monkeypatch.setenv(machine.GPU_CELLS, told)
    assert gpu_cells() == expected
