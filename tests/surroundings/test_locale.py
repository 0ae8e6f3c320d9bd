"""Commands work where the terminal has ASCII alone: what it lacks is written by number, and nothing fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commandline import CommandLine

pytestmark = pytest.mark.slow

PLACES = [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"}]


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize(
    "words",
    [
        ["-m", "coatlab.status", "smoke"],
        ["src/train.py", "--help"],
        ["src/train.py", "data.root=/größe"],
    ],
    ids=" ".join,
)
def test_a_command_prints_what_the_terminal_has(
    words: list[str], place: dict[str, str], command: CommandLine, tmp_path: Path, repository: Path
) -> None:
    runs = tmp_path / "größe 日本"
    runs.mkdir()
    environment = command.environment | {"COATLAB_RUNS": str(runs)} | place
    done = subprocess.run([sys.executable, *words], cwd=repository, env=environment, capture_output=True, timeout=100)
    assert done.returncode == int("data.root=/größe" in words), done.stderr
    assert b"Traceback" not in done.stderr
    if "PYTHONIOENCODING" in place:
        assert (done.stdout + done.stderr).isascii()
    if "smoke" in words:
        shown = rb"gr\xf6\xdfe \u65e5\u672c" if "PYTHONIOENCODING" in place else "größe 日本".encode()
        assert shown in done.stdout
