"""W&B's own variables count where nothing else was typed, for runs and for what is sent of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb.sdk import wandb_setup

from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError
from coatlab.runs.spec import make_spec
from coatlab.tracking.session import asked_mode
from tests.support.commandline import CommandLine
from tests.tracking.live_server import LiveServer, live

VARIABLES = {
    "WANDB_PROJECT": "theirs",
    "WANDB_ENTITY": "someone",
    "WANDB_RUN_GROUP": "a group",
    "WANDB_NAME": "the baseline",
    "WANDB_TAGS": "few,images",
    "WANDB_NOTES": "a longer, text",
    "WANDB_DIR": "/somewhere",
}
MEANT = {
    "project": "theirs", "entity": "someone", "group": "a group", "run_name": "the baseline", "tags": ["few", "images"],
    "notes": "a longer, text", "dir": "/somewhere",
}  # fmt: skip
UNSET = dict.fromkeys(MEANT) | {"project": "coatlab"}


def tracker(*words: str) -> dict[str, Any]:
    settings = resolve(compose(["tracker=wandb", *words]))["tracker"]
    return {key: settings[key] for key in MEANT}


def fingerprint(*words: str) -> str:
    return make_spec(compose(list(words)), words).fingerprint


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def test_without_variables_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert tracker() == UNSET
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    assert tracker() == UNSET


def test_what_was_typed_comes_before_a_variable(variables: None) -> None:
    assert tracker() == MEANT
    typed = tracker("tracker.project=mine", "tracker.entity=null", "tracker.tags=[a,b]", "tracker.notes='b c'")
    assert typed == MEANT | {"project": "mine", "entity": None, "tags": ["a", "b"], "notes": "b c"}


@pytest.mark.parametrize("value", ["[]", "[a,b]", "[1]", "a", "['']", f"[{'x' * 65}]"])
def test_tags_are_what_w_and_b_takes(value: str) -> None:
    spec = compose([f"tracker.tags={value}"])
    if value in ("[]", "[a,b]"):
        make_spec(spec, [])
    else:
        with pytest.raises(InputError, match=r"tracker.tags=.* must be a list of texts of 1 to 64 letters"):
            make_spec(spec, [])


def test_no_variable_makes_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert fingerprint() == before == fingerprint("tracker.tags=[a]", "tracker.notes=b")


@pytest.mark.slow  # W&B starts git
@pytest.mark.parametrize(
    ("stored", "variable", "mode"),
    [
        (None, None, None),
        ("online", None, None),
        ("offline", None, "offline"),  # by `wandb offline`
        ("disabled", None, "disabled"),
        ("disabled", "online", "online"),
        (None, "offline", "offline"),
    ],
)
def test_the_mode_is_that_of_the_variable_or_of_the_files_of_w_and_b(
    stored: str | None, variable: str | None, mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_setup, "_singleton", None)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    if stored:
        (tmp_path / "settings").write_text(f"[default]\nmode = {stored}\n")
    if variable:
        monkeypatch.setenv("WANDB_MODE", variable)
    assert asked_mode() == mode


@pytest.fixture
def server() -> Iterator[LiveServer]:
    with live() as running:
        yield running


@pytest.mark.slow
def test_they_arrive_on_the_server(server: LiveServer, command: CommandLine, tmp_path: Path) -> None:
    account = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": server.url, "WANDB_DIR": str(tmp_path / "files")}
    done = command.run("trainer.max_epochs=1", "tracker.notes=typed", **(VARIABLES | account))
    assert done.returncode == 0, done.stderr
    (run,) = server.runs.values()
    assert run.node["name"] == command.record()["fingerprint"]
    sent = [run.node[key] for key in ("group", "displayName", "tags", "notes")]
    assert [run.project, *sent] == ["theirs", "a group", "the baseline", ["few", "images"], "typed"]
    assert json.loads(run.node["config"])["tracker"]["value"]["notes"] == "typed"
    assert command.record()["tracker"]["project"] == "theirs"
    assert list((tmp_path / "files" / "wandb").glob("run-*"))
    assert not (command.folder() / "wandb").exists()
