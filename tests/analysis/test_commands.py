"""The command: its help waits for nothing that only a report needs."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_the_help_imports_no_tables_and_no_figures() -> None:
    code = "import sys, analysis.__main__; print({'pandas', 'numpy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
