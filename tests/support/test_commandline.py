"""Commands of the tests start fast because all are forked from one server, and they start children as a user's do."""

import json
import multiprocessing
import os
from pathlib import Path

from tests.support.commandline import REPOSITORY, CommandLine, Forked


def test_one_place_says_what_the_fork_server_imports() -> None:
    """A process has one, so whoever says it last says it for the commands of every test."""
    call = "set_forkserver" + "_preload("
    found = [path for path in (REPOSITORY / "tests").rglob("*.py") if call in path.read_text()]
    assert found == [REPOSITORY / "tests" / "support" / "commandline.py"]


def test_a_command_has_imported_everything_and_forks_its_own_children(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text(
        "import json, multiprocessing, sys\n"
        "print(json.dumps([multiprocessing.get_context().get_start_method(), 'analysis.commands' in sys.modules]))\n"
    )
    process = Forked(["-m", "asked"], {**os.environ, "PYTHONPATH": str(tmp_path)})
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert json.loads(out) == [multiprocessing.get_all_start_methods()[0], True]
