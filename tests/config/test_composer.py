"""Composing leaves Hydra's state as it was, and finds choices in the folders that the running command has."""

from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from coatlab.config.composer import choices_of, composed, folders_of, running_folders
from coatlab.config.files import conf_dir
from coatlab.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder with a layout of the user's; its name needs quotes."""
    place = tmp_path / "it's, mine"
    (place / "layout").mkdir(parents=True)
    (place / "layout" / "CTTC.yaml").write_text("name: CTTC\nstem: conv\nstages: CTTC\n")
    return f"file://{place}"


def test_a_choice_is_found_in_another_folder_which_the_config_names(folder: str) -> None:
    config = composed(conf_dir(), ["layout=CTTC"], [folder])
    assert config.layout.stages == "CTTC"
    assert choices_of(config.hydra)["layout"] == "CTTC"
    assert choices_of(config.hydra)["sweep"] is None
    assert folders_of(config.hydra, conf_dir()) == (folder,)
    assert folders_of(composed(conf_dir(), []).hydra, conf_dir()) == ()


def test_a_hydra_that_runs_is_left_as_it_was_and_says_where_it_looks(tmp_path: Path) -> None:
    OmegaConf.save({"mine": 1}, tmp_path / "own.yaml")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert running_folders(conf_dir()) == (str(tmp_path),)
        assert composed(conf_dir(), ["seed=3"]).seed == 3
        assert GlobalHydra.instance().hydra is running
        assert hydra_compose("own").mine == 1
    assert running_folders(conf_dir()) == ()


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("size=nanno", r"^size=nanno does not exist \(did you mean nano\?\); valid: coatnet_0, "),
        ("layout=TCCC", "^layout=TCCC puts convolution after attention"),
        ("layout=CCTX", r"^layout=CCTX does not exist \(did you mean CCTT\?\); valid: CCCC"),
    ],
)
def test_a_choice_without_a_file_is_a_sentence(word: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        composed(conf_dir(), [word])
