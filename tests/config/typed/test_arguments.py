"""Arguments as they are handed to Hydra: no unknown option, `~` replaced, no folders of Hydra's own."""

from pathlib import Path

import pytest

from coatlab.config.typed.arguments import LONG, NO_FOLDERS, SHORT, prepared, words_of
from coatlab.errors import InputError


def test_options_and_words_are_left_as_they_are() -> None:
    words = ["--multirun", "seed=0,1", "~cluster.extra.x", "-m", "--cfg", "job", "--cfg=job", "--config-dir=/a"]
    assert prepared(words, {}) == words
    assert prepared(["--multi", "--conf=job"], {}) == ["--multi", "--conf=job"]  # argparse takes what is unambiguous


def test_every_option_of_hydra_is_known() -> None:
    from hydra._internal.utils import get_args_parser

    known = {option for action in get_args_parser()._actions for option in action.option_strings}
    assert known - {"--experimental-rerun"} == {*SHORT, *LONG}


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--seed=1", "--seed=1 is not an option; a setting is written without hyphens: seed=1"),
        ("--data.train_size=5", "a setting is written without hyphens: data.train_size=5"),
        ("-seed=1", "-seed=1 is not an option; a setting is written without hyphens: seed=1"),
        ("--seed", "--seed is not an option; a setting is written without hyphens: seed=VALUE"),
        ("--experimental-rerun=x", "--experimental-rerun=x is not an option"),
        ("-5%", "-5% is not an option"),
    ],
)
def test_settings_that_look_like_options_are_refused(argument: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        prepared(["layout=CCTT", argument], {})


def test_a_sweep_agent_of_w_and_b_is_refused() -> None:
    with pytest.raises(InputError, match=r"WANDB_SWEEP_ID=abc is not valid here: .* use sweep=... or --multirun"):
        prepared(["--seed=1"], {"WANDB_SWEEP_ID": "abc"})


def test_a_tilde_is_home_in_options_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert prepared(["--config-dir=~/mine", "data.root=~/x", "~seed"], {}) == [
        f"--config-dir={tmp_path}/mine", f"data.root={tmp_path}/x", "~seed",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["--config-path=/a"], ["--config-path", "/a"], ["-cn", "config"], ["-cp/a"]])
def test_another_config_makes_no_folders_either(words: list[str]) -> None:
    assert prepared(words, {}) == [*words, *NO_FOLDERS]
    own = "hydra.output_subdir=mine"
    assert prepared([*words, own], {}) == [*words, own, *NO_FOLDERS[1:]]


def test_a_saved_config_is_no_sweep() -> None:
    with pytest.raises(InputError, match="a saved config is one run, not a sweep"):
        prepared(["-m", "--config-path=/a", "seed=0,1"], {})


def test_hydra_makes_no_folder_that_nothing_goes_to() -> None:
    with pytest.raises(InputError, match=r"hydra.run.dir=x has no effect: .*; give paths.runs"):
        prepared(["hydra.run.dir=x"], {})
    assert prepared(["hydra.run.dir=."], {}) == ["hydra.run.dir=."]


def test_values_of_options_are_no_words() -> None:
    arguments = ["--cfg", "job", "seed=1", "-cd", "/a=b", "--config-dir=/c=d", "seed", "~x"]
    assert words_of(arguments) == ["seed=1", "seed", "~x"]
