"""The moving average against one that is kept by hand: it is what is evaluated every epoch, tested and saved."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import Batch, ImageData
from coatlab.model.network import Network
from coatlab.runs.record import read_metrics
from coatlab.runs.run import open_run
from coatlab.training.callbacks import MovingAverage
from coatlab.training.fit import fit
from coatlab.training.task import Task
from tests.support.commandline import TINY
from tests.support.specs import spec_of

DECAY = 0.8
WORDS = [
    *TINY,
    f"recipe.ema_decay={DECAY}",
    "recipe.mixup_alpha=0.8",
    "trainer.accumulate=3",
    "attention=linear",
    "attention.feature_map=favor",
    "trainer=cpu",
    "trainer.progress=false",
    "tracker=none",
]


def measure(network: Network, data: ImageData, loader: DataLoader[Batch]) -> tuple[float, float]:
    """Return loss and accuracy."""
    logits, labels = [], []
    with torch.no_grad():
        for batch in loader:
            images_BCHW, labels_B = data.on_after_batch_transfer(batch, 0)
            logits.append(network.eval()(images_BCHW))
            labels.append(labels_B)
    all_BK, all_B = torch.cat(logits), torch.cat(labels)
    return F.cross_entropy(all_BK, all_B).item(), (all_BK.argmax(1) == all_B).float().mean().item()


@pytest.mark.slow
def test_what_is_evaluated_and_saved_is_the_average_of_the_weights_after_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    average: dict[str, Tensor] = {}
    last: dict[str, Tensor] = {}
    epochs: list[dict[str, Tensor]] = []
    kept: dict[str, object] = {}

    def by_hand(task: Task, outputs: object, batch: object, batch_idx: int) -> None:
        kept.update(network=task.network, data=task.trainer.datamodule)  # type: ignore[attr-defined]
        if (batch_idx + 1) % 3 and not task.trainer.is_last_batch:
            return
        for name, tensor in task.network.state_dict().items():
            last[name] = tensor.clone()
            if tensor.is_floating_point():
                now = tensor.double()
                average[name] = average[name] * DECAY + now * (1 - DECAY) if name in average else now.clone()
        if task.trainer.is_last_batch:
            epochs.append(dict(average))

    monkeypatch.setattr(Task, "on_train_batch_end", by_hand)
    with open_run(spec_of(*WORDS, f"paths.runs={tmp_path}")) as run:
        fit(run)
    saved = torch.load(run.folder / "checkpoints" / "weights.pt", weights_only=True)["network"]
    assert saved.keys() == last.keys()
    for name, tensor in average.items():
        torch.testing.assert_close(saved[name].double(), tensor, rtol=1e-4, atol=1e-6)
        assert torch.equal(saved[name], last[name]) == name.endswith("directions_mD"), name  # constant, to the bit
    network, data = kept["network"], kept["data"]
    assert isinstance(network, Network)
    assert isinstance(data, ImageData)
    rows = [row for row in read_metrics(run.folder) if "epoch" in row]
    assert len(rows) == len(epochs) == 3
    for row, weights in zip(rows, epochs, strict=True):
        network.load_state_dict({name: weights.get(name, tensor) for name, tensor in last.items()})
        loss, accuracy = measure(network, data, data.val_dataloader()[0])
        assert row["eval/loss"] == pytest.approx(loss, rel=1e-4)
        assert row["eval/accuracy"] == pytest.approx(accuracy, abs=0.011)  # two images of 200 may be on the edge
    network.load_state_dict(last)
    assert abs(measure(network, data, data.val_dataloader()[0])[0] - rows[-1]["eval/loss"]) > 1e-3
    network.load_state_dict(saved)
    assert run.record["final"]["test/loss"] == pytest.approx(
        measure(network, data, data.test_dataloader())[0], rel=1e-4
    )


def test_the_average_is_kept_where_the_network_trains() -> None:
    # at set-up the network itself is not there yet
    task = Task(nn.Linear(2, 2), resolve(compose([]))["recipe"], channels_last=False)
    callback = MovingAverage(DECAY)
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    callback.setup(trainer, task, "fit")  # type: ignore[arg-type]
    assert callback._average_model is not None
    assert {tensor.device.type for tensor in callback._average_model.module.parameters()} == {"meta"}
    assert {tensor.device.type for tensor in task.parameters()} == {"cpu"}
