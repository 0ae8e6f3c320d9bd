"""What the tests keep of composed configs is what Hydra composes, and a changed file is read again."""

import shutil
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl

from coatlab.config.compose import compose
from coatlab.config.files import conf_dir
from tests.support import composing


@pytest.mark.parametrize("words", [["attention=linear", "seed=1"], ["sweep=layouts", "cluster=local"]])
def test_it_is_what_hydra_composes(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [compose(words) for _ in range(2)]
    kept[0].seed = "changed"  # a config that was handed out is nobody else's
    monkeypatch.setattr(composing, "_kept", {})
    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", composing.compose_anew)
    assert kept[1] == compose(words)


@pytest.mark.slow
def test_a_changed_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "conf"
    shutil.copytree(conf_dir(), own)
    monkeypatch.setattr("coatlab.config.compose.conf_dir", lambda: own)
    before = compose([]).recipe.lr
    path = own / "recipe" / "study.yaml"
    path.write_text(path.read_text().replace("\nlr: ", "\nlr: 0.125  # "))
    assert before != 0.125
    assert compose([]).recipe.lr == 0.125
