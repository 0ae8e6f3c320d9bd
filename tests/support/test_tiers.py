"""The tiers of tests: what `make check` runs starts no process, and `.ci/prepare` knows every program."""

import multiprocessing
import os
import re
import subprocess
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.cluster.slurm.cluster import PROGRAMS
from tests.support import tiers
from tests.support.commandline import REPOSITORY
from tests.support.tiers import add_markers, is_quick, started


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run(["true"]),
        lambda: os.system("true"),
        os.fork,
        lambda: multiprocessing.get_context("forkserver").Process(target=print).start(),
        lambda: multiprocessing.get_context("spawn").Process(target=print).start(),
    ],
)
def test_a_test_without_a_mark_starts_no_process(start: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match="mark it as slow or external"):
        start()
    assert started()  # else it would be no failure where the error is caught
    started().clear()


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_thread_of_an_earlier_test_starts_is_not_this_tests(
    older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = threading.Thread(target=os.system, args=["true"])
    monkeypatch.setattr(tiers, "_older", [thread] if older else [])
    thread.start()
    thread.join()
    assert bool(started()) is not older
    started().clear()


@pytest.mark.slow
def test_a_slow_test_may() -> None:
    assert subprocess.run(["true"]).returncode == 0


@pytest.mark.slow
def test_make_help_has_a_line_for_each_tier_and_marker() -> None:
    lines = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for beginning in ("make check ", "make test ", "marker slow: ", "marker gpu: ", "marker external: "):
        assert [line for line in lines if line.strip().startswith(beginning)], beginning


@pytest.mark.parametrize(
    ("fixture", "marker"), [("command", "slow"), ("held", "slow"), ("browser", "external"), ("small_disk", "external")]
)
def test_some_fixtures_mark_a_test(fixture: str, marker: str) -> None:
    marked: list[str] = []
    item = SimpleNamespace(fixturenames=["tmp_path", fixture], add_marker=lambda mark: marked.append(mark.name))
    add_markers([item])  # type: ignore[list-item]
    assert marked == [marker]


def test_others_are_quick(request: pytest.FixtureRequest) -> None:
    assert is_quick(request.node)


def test_every_program_that_tests_look_for_is_installed_before_them() -> None:
    table = re.findall(
        r"^programs='\n(.*?)^'$", (REPOSITORY / ".ci" / "prepare").read_text(), re.MULTILINE | re.DOTALL
    )[0]
    installed = {line.split()[0] for line in table.splitlines()}
    sources = [path.read_text() for path in (REPOSITORY / "tests").rglob("*.py")]
    wanted = {
        name
        for text in sources
        for words in re.findall(r"why_not\((\"[^)]*)\)", text)
        for name in words.split('"')[1::2]
    }
    assert {"java", "chromium", "pdflatex"} <= wanted
    assert wanted | set(PROGRAMS) == installed
