"""The command: its help says what there is, and waits for nothing that only a report needs."""

import subprocess
import sys

import pytest

from analysis import __main__ as command
from analysis.commands import NO_SWEEP, RESULTS
from analysis.report.wandb import TRACKERS


def test_the_help_has_the_names_that_reports_have() -> None:
    assert command.NO_SWEEP == NO_SWEEP
    assert command.TRACKERS == TRACKERS
    assert command.RESULTS == RESULTS


@pytest.mark.slow
def test_the_help_imports_no_tables_and_no_figures() -> None:
    code = "import sys, analysis.__main__; print({'pandas', 'numpy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
