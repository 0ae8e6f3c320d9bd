"""Fixtures that tests share, and hypothesis without surprises."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.commandline import REPOSITORY, CommandLine

settings.register_profile("coatlab", deadline=None, derandomize=True)
settings.load_profile("coatlab")


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def repository() -> Path:
    return REPOSITORY
