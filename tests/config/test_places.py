"""Where things go: the variable, else the repository; the same for options, configs and printed commands."""

import argparse
import errno
import os
import pwd
import shlex
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from coatlab.config import places
from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError


@pytest.fixture(autouse=True)
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start elsewhere, with no variable set and a home directory of one's own."""
    for variable in places.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def option(*words: str, name: str = "runs") -> Path:
    parser = argparse.ArgumentParser()
    places.add_folder_option(parser, name, "folder, 100 % of it")
    return Path(getattr(parser.parse_args(words), name))


def test_a_chosen_folder_can_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    places.require_chosen("runs", tmp_path)
    places.require_chosen("runs", tmp_path / ".." / tmp_path.name)
    for path, reason in {
        "nope": "there is no such folder",
        "file": "it is not a",
        "file/x": "it is not a",
    }.items():
        with pytest.raises(InputError, match=f"^--runs={tmp_path / path} is not valid: {reason}"):
            places.require_chosen("runs", tmp_path / path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", denied)
        with pytest.raises(InputError, match=r"is not valid: it cannot be listed \(Permission denied\)"):
            places.require_chosen("runs", tmp_path)
    monkeypatch.setenv("COATLAB_RUNS", str(tmp_path / "later"))  # may come later
    places.require_chosen("runs", tmp_path / "later")
    monkeypatch.setenv("COATLAB_RUNS", str(tmp_path / "file"))
    with pytest.raises(InputError, match=f"^COATLAB_RUNS={tmp_path / 'file'} is not valid: it is not a folder"):
        places.require_chosen("runs", tmp_path / "file")


def denied(path: Path) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_variable_is_never_read_as_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COATLAB_RUNS", "/tmp/${seed}")
    with pytest.raises(InputError, match=r"^COATLAB_RUNS=/tmp/\$\{seed\} is not valid: it has \$\{ in it; use a link"):
        places.folder("runs")


@pytest.mark.parametrize("name", ["runs", "reports"])
def test_the_default_is_below_the_repository_from_anywhere(name: str, repository: Path) -> None:
    assert places.folder(name) == option(name=name) == repository / name
    os.chdir(repository)
    assert places.folder(name) == option(name=name) == repository / name


def test_data_are_cached_below_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.folder("data") == tmp_path / "home" / ".cache" / "coatlab"
    monkeypatch.delenv("HOME")
    assert places.folder("data") == Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "coatlab"


def test_a_wheel_has_the_working_directory_for_its_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "repository", lambda: None)
    assert places.folder("runs") == tmp_path / "elsewhere" / "runs"
    assert places.train_command(["seed=1"]) == "python src/train.py seed=1"


@pytest.mark.parametrize("name", places.VARIABLES)
def test_a_variable_replaces_the_default(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = places.folder(name)
    for value, meant in {
        "here": Path("here"),
        "/somewhere/else": Path("/somewhere/else"),
        "~": tmp_path / "home",
        "~/there": tmp_path / "home" / "there",
        "": default,
    }.items():
        monkeypatch.setenv(places.VARIABLES[name], value)
        assert places.folder(name) == meant


def test_an_unknown_home_directory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COATLAB_RUNS", "~nobody-of-this-name/runs")
    with pytest.raises(
        InputError, match=r"~nobody-of-this-name/runs is not valid: .* that ~nobody-of-this-name stands"
    ):
        places.folder("runs")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])  # as in a container without this user
    with pytest.raises(InputError, match=r"~/.cache/coatlab is not valid"):
        places.folder("data")


def test_only_three_folders_have_a_name() -> None:
    with pytest.raises(
        InputError, match=r"folder=run does not exist \(did you mean runs\?\); valid: runs, reports, data"
    ):
        places.folder("run")


def test_an_option_is_relative_to_the_working_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert option("--runs", "here") == Path("here")
    assert option("--runs=~/there") == tmp_path / "home" / "there"
    with pytest.raises(SystemExit):
        option("--help")
    assert "folder, 100 % of it (default: /" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(
        InputError, match=r"^~nobody-of-this-name is not valid: the home directory that ~nobody-of-this"
    ):
        option("--runs=~nobody-of-this-name")


@pytest.mark.parametrize(
    ("words", "runs", "data"),
    [
        ([], "REPOSITORY/runs", "HOME/.cache/coatlab"),
        (["paths.runs=here", "paths.data=there"], "here", "there"),
        (['paths.runs="~/here"', 'paths.data="~/there"'], "HOME/here", "HOME/there"),
    ],
)
def test_a_config_has_the_same_folders(
    words: list[str], runs: str, data: str, tmp_path: Path, repository: Path
) -> None:
    runs, data = (
        text.replace("REPOSITORY", str(repository)).replace("HOME", str(tmp_path / "home")) for text in (runs, data)
    )
    composed = compose(words, hydra_too=True)
    config = resolve(compose(words))
    assert config["paths"] == {"runs": runs, "data": data}
    assert config["data"]["cache"] == data
    assert OmegaConf.select(composed, "hydra.sweep.dir") == f"{runs}/.multirun"


def test_a_command_works_where_it_is_printed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["sweep=smoke", "paths.runs='a b'"]
    for folder, script in {
        repository: "src/train.py",
        repository.parent: f"{repository.name}/src/train.py",
        repository / "conf": str(repository / "src" / "train.py"),
    }.items():
        monkeypatch.chdir(folder)
        assert shlex.split(places.train_command(words)) == ["python", script, *words]
        assert Path(script).is_file()
