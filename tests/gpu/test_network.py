"""A network on a GPU: the numbers of a CPU, and of its recorded passes."""

import math
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from coatlab.config.compose import compose, resolve
from coatlab.create import network_of
from coatlab.training.callbacks.graphs import record
from coatlab.training.task import Task
from tests.gpu.runs import train

LAYOUTS = ["ViT_REL", "CCCC", "CCCT", "CCTT", "CTTT"]


def task_of(*words: str, drop: float = 0.0) -> Task:
    config = resolve(compose(list(words)))
    torch.manual_seed(0)
    network = network_of(config, image_size=32, num_classes=10, channels=1, stochastic_depth=drop)
    return Task(network, config["recipe"], channels_last=True).train()


def step(task: Task, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return logits, gradients and statistics of one pass."""
    task.zero_grad()
    logits = task(images)
    task.losses(logits, labels).mean().backward()
    found = {"logits": logits, **{name: p.grad for name, p in task.network.named_parameters() if p.grad is not None}}
    return {name: x.detach().cpu().double() for name, x in [*found.items(), *task.network.named_buffers()]}


def batch(device: torch.device, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(64, 1, 32, 32, generator=generator).to(device, dtype)
    return images, torch.arange(64, device=device) % 10


def off(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return how far all numbers together are off, relative to their norm."""
    assert found.keys() == expected.keys()
    one, other = (torch.cat([x.flatten() for x in each.values()]) for each in (found, expected))
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_pass_in_float32_is_that_of_a_cpu(layout: str, gpu: torch.device) -> None:
    reference = task_of(f"layout={layout}")
    expected = step(deepcopy(reference).double(), *batch(torch.device("cpu"), torch.float64))
    assert off(step(reference.to(gpu), *batch(gpu)), expected) < 1e-5  # with TF32: 1e-3


@pytest.mark.parametrize(
    "words", [[f"layout={name}"] for name in LAYOUTS] + [["attention=window"], ["attention=linear"]]
)
def test_recorded_passes_give_the_same_numbers(words: list[str], gpu: torch.device) -> None:
    plain = task_of(*words, drop=0.3).to(gpu)
    recorded = deepcopy(plain)
    images, labels = batch(gpu)
    record(recorded, torch.zeros_like(images), "32-true")
    for number in range(3):
        found = []
        for one in (recorded, plain):
            torch.cuda.manual_seed(number)  # blocks are dropped by the same numbers
            found.append(step(one, images + number, labels))
        assert off(*found) < 1e-5
    assert off(*(step(one, images[:50], labels[:50]) for one in (recorded, plain))) < 1e-5  # no whole batch
    for one in (recorded, plain):
        one.eval()
    with torch.no_grad():
        torch.testing.assert_close(recorded(images[:10]), plain(images[:10]))


def test_a_run_with_recorded_passes_is_the_run_without(tmp_path: Path, gpu: torch.device) -> None:
    ended = []
    for how in ("auto", "false"):
        one = train(tmp_path / how, f"trainer.cuda_graphs={how}", "recipe.stochastic_depth=0.2")
        assert one["hardware"]["cuda_graphs"] == (how == "auto")
        assert (one["status"], one["hardware"]["device"]) == ("complete", "cuda")
        ended.append(one["final"])
    for key in ("train/loss", "train_eval/loss", "test/loss"):
        assert ended[0][key] == pytest.approx(ended[1][key], rel=0.02)


@pytest.mark.parametrize("words", [["trainer=gpu"], ["trainer.precision=16-mixed"], ["recipe.ema_decay=0.9"]])
def test_other_precisions_and_averages_train(words: list[str], tmp_path: Path, gpu: torch.device) -> None:
    found = train(tmp_path, *words)
    assert found["status"] == "complete"
    assert math.isfinite(found["final"]["train/loss"])
    assert found["final"]["test/accuracy"] > 0.3


def test_convolutions_in_float32_are_not_in_tf32(gpu: torch.device) -> None:
    torch.manual_seed(0)
    layer, x = nn.Conv2d(64, 64, 3), torch.randn(8, 64, 16, 16)
    expected = deepcopy(layer).double()(x.double())
    found = layer.to(gpu)(x.to(gpu)).cpu().double()
    assert float((found - expected).detach().norm() / expected.norm()) < 1e-6
