"""A run is loaded as it was trained: the network measures in Python what the run has measured."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import coatlab
from coatlab import create_model, load_run, publish_weights
from coatlab.config.files import choices
from coatlab.data.image_data import make_data
from coatlab.errors import InputError
from coatlab.runs.correct import read_correct
from coatlab.training.checkpoints import save_weights
from tests.support.commandline import CommandLine
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow

X = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def made(runs: Path, *words: str, seed: int = 0, double: bool = False, **settings: str) -> tuple[Path, nn.Module]:
    """Make a run folder with the weights of a network; return both."""
    folder = make_run(runs, *words, seed=seed)
    torch.manual_seed(seed + 1)
    network = create_model(size="nano", image_size=32, channels=1, num_classes=10, **settings).eval()
    network = network.double() if double else network
    save_weights(folder, network, json.loads((folder / "record.json").read_text())["fingerprint"])
    return folder, network


@torch.no_grad()
def test_a_trained_run_gets_the_same_images_right_in_python(command: CommandLine) -> None:
    assert command.run("recipe.ema_decay=0.9", "recipe.stochastic_depth=0.2").returncode == 0
    folder, record = command.folder(), command.record()
    published = publish_weights(folder, folder.parent / "weights")
    for place in (folder, published):
        run = load_run(place)
        assert not run.network.training
        assert run.path == place
        assert run.record["final"] == record["final"]
        data = make_data(load_run(folder).config)
        data.setup()
        batches = [data.on_after_batch_transfer(batch, 0) for batch in data.test_dataloader()]
        right = torch.cat([run.network(images).argmax(1) == labels for images, labels in batches])
        expected = read_correct(folder, len(right))
        assert expected is not None
        assert right.tolist() == expected.tolist()
        assert float(right.float().mean()) == pytest.approx(record["final"]["test/accuracy"])


@torch.no_grad()
@pytest.mark.parametrize("attention", choices("attention"))
def test_every_attention_is_loaded_from_a_folder_and_from_a_published_file(attention: str, tmp_path: Path) -> None:
    folder, network = made(tmp_path, f"attention={attention}", attention=attention)
    published = publish_weights(folder, tmp_path / "weights")
    for place in (folder, str(published)):
        run = load_run(place)
        assert torch.equal(run.network(X), network(X))
        assert (run.config["attention"]["name"], run.record["status"]) == (attention, "complete")


def test_weights_keep_their_precision(tmp_path: Path) -> None:
    folder, network = made(tmp_path, "trainer.precision=64-true", double=True)
    assert torch.equal(load_run(folder).network(X.double()), network(X.double()))


def test_a_run_is_found_by_its_name_its_fingerprint_or_the_beginning_of_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = made(tmp_path / "runs")
    other, _ = made(tmp_path / "runs", seed=1)
    mark = json.loads((folder / "record.json").read_text())["fingerprint"]
    for name in (folder.name, folder.name[:-3], mark, mark[:6]):
        assert load_run(name, runs=tmp_path / "runs").path == folder
    monkeypatch.setenv("COATLAB_RUNS", str(tmp_path / "runs"))
    assert load_run(mark).path == folder
    monkeypatch.setattr("coatlab.load.repository", lambda: tmp_path)
    published = publish_weights(other, tmp_path / "analysis/results/layouts/weights")
    assert load_run(other.name).path == other  # the folder, where there is one
    assert load_run(other.name, runs=tmp_path / "none").path == published
    assert load_run(mark, runs=tmp_path / "runs").path == folder
    with pytest.raises(InputError, match=r"run=CCTT names 2 runs: CCTT.*, CCTT.*; give a run folder"):
        load_run("CCTT")
    with pytest.raises(InputError, match=r"run=CTTT names no run; give a run folder, a \.safetensors file"):
        load_run("CTTT")
    with pytest.raises(InputError, match="names no run"):
        load_run("")


def test_what_has_no_weights_is_refused_in_a_sentence(tmp_path: Path) -> None:
    failed = make_run(tmp_path, status="failed")
    with pytest.raises(InputError, match="is failed; only a complete run has weights"):
        load_run(failed)
    complete, _ = made(tmp_path, seed=1)
    with pytest.raises(InputError, match=r"is not the folder of a run, nor a \.safetensors file"):
        load_run(complete / "checkpoints")
    network = create_model("CTTT", size="nano", image_size=32, channels=1, num_classes=10)
    save_weights(complete, network, json.loads((complete / "record.json").read_text())["fingerprint"])
    with pytest.raises(InputError, match="do not fit the network of its config"):
        load_run(complete)


def test_what_the_package_offers_is_listed() -> None:
    assert set(coatlab.__all__) <= set(dir(coatlab))
    assert all(callable(getattr(coatlab, name)) for name in coatlab.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        _ = coatlab.no_such
