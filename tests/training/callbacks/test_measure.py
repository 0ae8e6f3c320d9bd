"""The moving average against one that is kept by hand: it is what is evaluated, tested and saved; and when that is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from coatlab.data.image_data import Batch, ImageData
from coatlab.model.network import Network
from coatlab.runs.record import read_metrics
from coatlab.runs.run import open_run
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


@dataclass
class Trained:
    """A run, and what was kept by hand: the average after each step, and the last weights."""

    folder: Path
    record: dict[str, Any]
    averages: list[dict[str, Tensor]]
    last: dict[str, Tensor]
    network: Network
    data: ImageData

    @property
    def saved(self) -> dict[str, Tensor]:
        return dict(torch.load(self.folder / "checkpoints" / "weights.pt", weights_only=True)["network"])

    def rows(self, key: str) -> list[dict[str, Any]]:
        return [row for row in read_metrics(self.folder) if key in row]

    def held_out(self, weights: dict[str, Tensor]) -> tuple[float, float]:
        """Return loss and accuracy of some weights on held-out images."""
        self.network.load_state_dict({name: weights.get(name, tensor) for name, tensor in self.last.items()})
        return measure(self.network, self.data, self.data.val_dataloader()[0])


def train(folder: Path, *words: str) -> Trained:
    average: dict[str, Tensor] = {}
    averages: list[dict[str, Tensor]] = []
    last: dict[str, Tensor] = {}
    kept: dict[str, Any] = {}

    def by_hand(task: Task, outputs: object, batch: object, batch_idx: int) -> None:
        kept.update(network=task.network, data=task.trainer.datamodule)  # type: ignore[attr-defined]
        if (batch_idx + 1) % 3 and not task.trainer.is_last_batch:
            return
        for name, tensor in task.network.state_dict().items():
            last[name] = tensor.clone()
            if tensor.is_floating_point():
                now = tensor.double()
                average[name] = average[name] * DECAY + now * (1 - DECAY) if name in average else now.clone()
        averages.append(dict(average))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "on_train_batch_end", by_hand)
        with open_run(spec_of(*WORDS, *words, f"paths.runs={folder}")) as run:
            fit(run)
    return Trained(run.folder, run.record, averages, last, **kept)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("plain"))


@pytest.mark.slow
def test_what_is_evaluated_and_saved_is_the_average_of_the_weights_after_each_step(plain: Trained) -> None:
    saved, last = plain.saved, plain.last
    assert saved.keys() == last.keys()
    for name, tensor in plain.averages[-1].items():
        torch.testing.assert_close(saved[name].double(), tensor, rtol=1e-4, atol=1e-6)
        assert torch.equal(saved[name], last[name]) == name.endswith("directions_mD"), name  # constant, to the bit
    rows = plain.rows("epoch")
    assert [row["step"] for row in rows] == [4, 8, 12]
    for row in rows:
        loss, accuracy = plain.held_out(plain.averages[row["step"] - 1])
        assert row["eval/loss"] == pytest.approx(loss, rel=1e-4)
        assert row["eval/accuracy"] == pytest.approx(accuracy, abs=0.011)  # two images of 200 may be on the edge
    assert abs(plain.held_out(last)[0] - rows[-1]["eval/loss"]) > 1e-3
    plain.network.load_state_dict(saved)
    assert plain.record["final"]["test/loss"] == pytest.approx(
        measure(plain.network, plain.data, plain.data.test_dataloader())[0], rel=1e-4
    )


@pytest.mark.slow
def test_evaluations_are_when_they_are_asked_for_and_change_nothing(plain: Trained, tmp_path: Path) -> None:
    # a step sees 3 x 64 images, the last one of an epoch 64
    other = train(tmp_path, "trainer.eval_every=2", "trainer.eval_at=[100,150,640,700,1000000]")
    assert all(torch.equal(tensor, other.saved[name]) for name, tensor in plain.saved.items())
    assert [(row["step"], row["images"]) for row in other.rows("images")] == [(1, 192), (4, 640), (5, 832)]
    assert [row["epoch"] for row in other.rows("epoch")] == [1, 2, 3]
    assert [row["epoch"] for row in other.rows("epoch") if "eval/loss" in row] == [2, 3]  # and the last
    for row in other.rows("eval/loss"):
        assert row["eval/loss"] == pytest.approx(other.held_out(other.averages[row["step"] - 1])[0], rel=1e-4)
        assert row["gap"] == row["train_eval/accuracy"] - row["eval/accuracy"]
    clocks = {"images_per_second", "peak_memory_mb"}
    for one, less in zip(plain.rows("epoch"), other.rows("epoch"), strict=True):
        assert {key: one[key] for key in less.keys() - clocks} == {key: less[key] for key in less.keys() - clocks}
    assert other.record["fingerprint"] == plain.record["fingerprint"]
    assert {"eval/accuracy", "gap", "test/accuracy"} <= other.record["final"].keys()
