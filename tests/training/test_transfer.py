"""Weights from a donor: all but the classifier, tables resized, anything else that does not fit refused by name."""

from pathlib import Path
from typing import Any

import pytest
import torch

from coatlab import create_model
from coatlab.config.files import choices
from coatlab.errors import InputError
from coatlab.model.attention.bias import resize_table
from coatlab.model.network import Network
from coatlab.runs.record import read_record, read_records
from coatlab.training.checkpoints import WEIGHTS, save_weights
from coatlab.training.transfer import transfer
from tests.support.commandline import CommandLine

pytestmark = pytest.mark.slow


def model(layout: str = "CCTT", image_size: int = 32, seed: int = 0, num_classes: int = 7, **settings: Any) -> Network:
    torch.manual_seed(seed)
    return create_model(layout, size="nano", image_size=image_size, num_classes=num_classes, channels=1, **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


@pytest.mark.parametrize("attention", choices("attention"))
@pytest.mark.parametrize("image_size", [32, 64])
def test_everything_but_the_classifier_comes_from_the_donor(attention: str, image_size: int, folder: Path) -> None:
    donor, network = (
        model(attention=attention),
        model(attention=attention, image_size=image_size, seed=1, num_classes=10),
    )
    save_weights(folder, donor, "f" * 16)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    said = transfer(network, folder, "f" * 16)
    assert said["donor"] == "f" * 16
    assert said["replaced"] == ["head.3.weight", "head.3.bias"]
    assert all(name.endswith(".table") for name in said["resized"])
    given = donor.state_dict()
    others = {name for name, tensor in own.items() if tensor.shape != given[name].shape}
    assert set(said["resized"]) == others - set(said["replaced"])
    if attention in ("relative", "post", "absolute", "linear"):
        assert bool(said["resized"]) == (image_size == 64)
    for name, tensor in network.state_dict().items():
        if name in said["replaced"]:
            assert torch.equal(tensor, own[name])
        elif name not in said["resized"]:
            assert torch.equal(tensor, given[name])
        elif "bias" in name:
            reach = tuple((side + 1) // 2 for side in tensor.shape[1:])
            torch.testing.assert_close(tensor, resize_table(given[name], reach))
    assert network(torch.randn(2, 1, image_size, image_size)).shape == (2, 10)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"layout": "CTTT"}, r"stages\.1\.0\.\S+ is missing.*is unknown"),
        ({"plan": {"widths": [16, 16, 40, 48, 160]}}, r"stages\.3\.0\.shortcut\.1\.weight is .* there and .* here"),
        ({"plan": {"head_size": 8}}, r"attend\.bias\.table is \(3, 7, 7\) there and \(6, 7, 7\) here"),
        ({"dense_head": False}, r"head\.3\.weight is unknown"),
    ],
)
def test_what_does_not_fit_is_listed(settings: dict[str, Any], sentence: str, folder: Path) -> None:
    save_weights(folder, model(), "f" * 16)
    with pytest.raises(InputError, match=sentence):
        transfer(model(**settings), folder, "f" * 16)


def test_a_file_that_is_no_weights_is_refused_and_never_run(folder: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (folder / "harmed",))

    for content in (b"not weights", None):
        if content is None:
            torch.save({"fingerprint": "f", "network": Harmful()}, folder / WEIGHTS)
        else:
            (folder / WEIGHTS).write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as weights"):
            transfer(model(), folder, "f" * 16)
    assert not (folder / "harmed").exists()


def test_damaged_weights_and_those_of_another_run_are_refused(folder: Path) -> None:
    save_weights(folder, model(), "f" * 16)
    with pytest.raises(InputError, match=r"weights\.pt holds the weights of another run, f{16}, not of e{16}"):
        transfer(model(), folder, "e" * 16)
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.pt cannot be read as weights: its checksum does not match"):
        transfer(model(), folder, "f" * 16)
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"weights\.pt cannot be read as weights: No such file"):
        transfer(model(), folder, "f" * 16)


FRACTALS = "data:fractals,data.train_size:640,data.test_size:100,data.num_classes:10,data.eval_size:200"


def test_a_described_donor_is_trained_once_and_named_in_identity_and_record(command: CommandLine) -> None:
    pretrain = f"init.pretrain={{{FRACTALS},data.train_eval_size:200,trainer.max_epochs:1}}"
    words = ["init=finetune", pretrain, "tracker=none", "trainer.max_epochs=1"]
    done = command.run(*words)
    assert done.returncode == 0, done.stderr
    (donor,) = command.runs.glob("*-fractals-*")
    assert f"starts from          {donor.name}, 0 tables resized" in done.stdout
    (tuned,) = command.runs.glob("*-fashion_mnist-*")
    source, record = read_record(donor), read_record(tuned)
    assert source is not None
    assert record is not None
    assert source["status"] == record["status"] == "complete"
    assert record["init"]["donor"] == record["config"]["init"]["donor"] == source["fingerprint"]
    assert source["config"]["plan"] == record["config"]["plan"]
    again = command.run(*words)
    assert again.stdout.count("already complete") == 1  # the donor is not looked at again
    assert (
        command.run(
            "init=finetune", f"init.run={source['fingerprint'][:8]}", "tracker=none", "trainer.max_epochs=1"
        ).stdout.count("already complete")
        == 1
    )
    other = command.run("init=finetune", f"init.run={donor}", "attention=linear", "tracker=none")
    assert other.returncode == 1
    assert "has another network: attention.feature_map is None there and elu here" in other.stderr
    assert "attention.name is relative there and linear here" in other.stderr
    assert command.run(*words, "seed=1").returncode == 0  # another seed has a donor of its own
    assert len(list(command.runs.glob("*-fractals-*"))) == 2


def test_fine_tuning_resumes_exactly(tmp_path: Path) -> None:
    from tests.training.test_resume import SLOW, assert_same_run, kill, steps, wait_for

    base = CommandLine(tmp_path / "donor")
    assert base.run("tracker=none", "trainer.max_epochs=1", "data.split_seed=1").returncode == 0
    words = [*SLOW, "init=finetune", f"init.run={base.folder()}", "tracker=none", "trainer.max_epochs=6"]
    whole, cut = CommandLine(tmp_path / "whole"), CommandLine(tmp_path / "cut")
    assert whole.run(*words).returncode == 0
    process = cut.start(*words)
    wait_for(lambda: steps(cut) >= 4)
    kill(process)
    assert cut.run(*words).returncode == 0
    assert_same_run(whole, cut)


def test_a_recipe_and_its_fine_tuning_end_in_the_averaged_weights(command: CommandLine) -> None:
    words = "recipe:in1k,data.train_size:640,data.eval_size:200,data.train_eval_size:200,trainer.max_epochs:1"
    tuning = ["recipe=in1k_finetune", "init=finetune", f"init.pretrain={{{words}}}", "data.image_size=64"]
    done = command.run(*tuning, "recipe.warmup_steps=0", "tracker=none", "trainer.max_epochs=1", "recipe.ema_decay=1")
    assert done.returncode == 0, done.stderr
    folders = {str(record["config"]["recipe"]["name"]): folder for folder, record in read_records(command.runs)}
    donor, tuned = (
        torch.load(folders[name] / WEIGHTS, weights_only=True)["network"] for name in ("in1k", "in1k_finetune")
    )
    record = read_record(folders["in1k_finetune"])
    assert record is not None
    assert record["recipe"]["lr"] == record["recipe"]["min_lr"] == pytest.approx(5e-5 * 64 / 512)
    assert record["recipe"]["warmup_steps"] == 0
    # an average that never moves is where the first step led: from the donor, by Adam, at most the rate a weight
    names = [name for name in donor if name.startswith(("stem", "stages")) and name.endswith("weight")]
    moved = [float((tuned[name] - donor[name]).abs().max()) for name in names]
    assert 0.9 < max(moved) / record["recipe"]["lr"] < 1.1
