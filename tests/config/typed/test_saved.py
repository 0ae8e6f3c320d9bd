"""A run's saved config is run again as the same run, and leaves nothing but that."""

import json
import os
from pathlib import Path

import pytest

from tests.support.commandline import REPOSITORY, CommandLine, Forked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    command = CommandLine(tmp_path_factory.mktemp("saved"))
    ended = command.run("trainer.max_epochs=1", "tracker=none", "data.name=mine", "attention=window")
    assert ended.returncode == 0, ended.stderr
    return command


def again(command: CommandLine, *words: str) -> tuple[int | None, str, str]:
    """Run a command that knows of the runs' folder only what the saved config says."""
    environment = {key: value for key, value in command.environment.items() if key != "COATLAB_RUNS"}
    before = sorted(os.listdir(REPOSITORY))
    process = Forked(["src/train.py", *words], environment)
    out, err = process.communicate(timeout=200)
    assert sorted(os.listdir(REPOSITORY)) == before
    return process.returncode, out, err


@pytest.fixture
def saved(done: CommandLine) -> Path:
    (folder,) = done.runs.glob("*-s0-*")
    return folder / ".hydra"


def test_it_is_the_same_run(done: CommandLine, saved: Path) -> None:
    for words in ([f"--config-path={saved}", "--config-name=config"], ["-cd", str(saved), "-cn", "config"]):
        code, out, err = again(done, *words)
        assert code == 0, err
        assert out.startswith("already complete")
        assert str(saved.parent) in out


def test_with_another_seed_it_is_another_run_with_the_words_that_make_it(done: CommandLine, saved: Path) -> None:
    code, _, err = again(done, f"--config-path={saved}", "--config-name=config", "seed=1")
    assert code == 0, err
    (other,) = done.runs.glob("*-window-nano-mine-s1-*")
    words = (other / ".hydra" / "overrides.yaml").read_text().splitlines()
    assert [*(saved / "overrides.yaml").read_text().splitlines(), "- seed=1"] == words


def test_a_word_that_refers_to_another_key_has_the_value_it_had(done: CommandLine) -> None:
    ended = done.run("trainer.max_epochs=1", "tracker=none", "data.name=follows", "data.split_seed=${seed}", "seed=2")
    assert ended.returncode == 0, ended.stderr
    (folder,) = done.runs.glob("*-follows-s2-*")
    assert "- data.split_seed=${seed}" in (folder / ".hydra" / "overrides.yaml").read_text().splitlines()
    code, _, err = again(done, f"--config-path={folder}/.hydra", "--config-name=config", "seed=3")
    assert code == 0, err
    (other,) = done.runs.glob("*-follows-s3-*")
    words = (other / ".hydra" / "overrides.yaml").read_text().splitlines()
    assert words[-2:] == ["- data.split_seed=2", "- seed=3"]
    assert json.loads((other / "record.json").read_text())["config"]["data"]["split_seed"] == 2


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("layout=CTTT", "layout=CTTT is not valid with a saved config, whose choices are made"),
        ("trainer.nonsense=1", "the key trainer.nonsense does not exist"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0 is not valid"),
        ("--multirun", "a saved config is one run, not a sweep"),
    ],
)
def test_what_is_wrong_is_one_sentence(word: str, sentence: str, done: CommandLine, saved: Path) -> None:
    code, _, err = again(done, f"--config-path={saved}", "--config-name=config", word)
    assert code == 1
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1
