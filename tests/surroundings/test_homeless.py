"""No home directory is needed where nothing is kept there, as in a container; where it is, it is said."""

import pwd
from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException

from coatlab import create_model, status
from coatlab.cli import sentence_of
from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import make_data
from coatlab.data.in_memory import InMemoryData
from coatlab.errors import InputError
from coatlab.runs.spec import make_spec

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "COATLAB_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    monkeypatch.setenv("COATLAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)


def test_what_keeps_nothing_there_needs_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert create_model("CCTT", size="nano", image_size=32, num_classes=10) is not None
    status.main(["smoke"])
    assert "4 missing" in capsys.readouterr().out
    make_spec(compose(["data.root=/somewhere", "tracker=none"]), [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("choice", ["cifar10", "fractals", "imagenet"])
def test_what_would_be_kept_there_is_refused(choice: str, tmp_path: Path) -> None:
    config = resolve(compose([f"data={choice}"]))
    with pytest.raises((InputError, InstantiationException)) as refused:
        data = make_data(config)
        data.load() if isinstance(data, InMemoryData) else data.setup()
    sentence = "~/.cache/coatlab is not valid: the home directory that ~ stands for is unknown"
    assert sentence_of(refused.value) == sentence
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_was_typed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("paths.runs='~/x'", "data.root='~/x'", "tracker.dir='~/x'"):
        with pytest.raises(InputError, match="home directory that ~ stands for is unknown"):
            resolve(compose([word]))
    monkeypatch.setenv("COATLAB_DATA", "~/x")
    with pytest.raises(OmegaConfBaseException) as wrapped:
        make_spec(compose([]), [])
    assert "~/x is not valid: the home directory that ~ stands for" in str(sentence_of(wrapped.value))
