"""Which runs record their passes, and what is refused. What a recording does is tested in tests/gpu."""

from typing import Any

import pytest
import torch

from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError, RunError
from coatlab.training.callbacks.graphs import WITHOUT, autocast, record, records
from coatlab.training.task import Task


def settings(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = resolve(compose(list(words)))["trainer"]
    return found


@pytest.mark.parametrize(
    ("words", "device", "expected"),
    [
        ([], "cuda", True),
        ([], "cpu", False),
        (["trainer.cuda_graphs=false"], "cuda", False),
        (["trainer.cuda_graphs=true"], "cuda", True),
        (["trainer.accumulate=2"], "cuda", False),
        (["trainer.devices=2"], "cuda", False),
        (["trainer.compile=true"], "cuda", False),
        (["trainer.checkpoint_activations=true"], "cuda", False),
    ],
)
def test_a_gpu_records_where_each_step_is_the_same(words: list[str], device: str, expected: bool) -> None:
    assert records(settings(*words), device) == expected


def test_what_speaks_against_it_is_a_setting_of_the_trainer() -> None:
    assert {key: settings()[key] for key in WITHOUT} == WITHOUT


@pytest.mark.parametrize(
    ("words", "device", "sentence"),
    [
        ([], "cpu", "trainer.cuda_graphs=true is not valid on a cpu, only on CUDA; valid: auto, false"),
        (["trainer.accumulate=2"], "cuda", "is not valid with trainer.accumulate=2; valid: auto, false"),
        (["trainer.compile=true"], "cuda", "is not valid with trainer.compile=true; valid: auto, false"),
    ],
)
def test_a_recording_that_cannot_be_is_refused(words: list[str], device: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        records(settings("trainer.cuda_graphs=true", *words), device)


@pytest.mark.parametrize(("precision", "dtype"), [("32-true", None), ("bf16-mixed", torch.bfloat16)])
def test_a_mixed_precision_keeps_no_casts(precision: str, dtype: torch.dtype | None) -> None:
    layer, cpu = torch.nn.Linear(2, 2), torch.device("cpu")
    with autocast(precision, cpu):
        assert layer(torch.zeros(1, 2)).dtype == (dtype or torch.float32)
        assert dtype is None or not torch.is_autocast_cache_enabled()


def normalizing_task() -> Task:
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(1), torch.nn.Flatten())
    return Task(network, resolve(compose([]))["recipe"], channels_last=False).train()


def test_only_whole_batches_are_replayed_and_statistics_stay_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    replayed: list[int] = []

    def stand_in(network: torch.nn.Module, sample: tuple[torch.Tensor]) -> None:
        plain = network.forward
        plain(sample[0] + torch.randn(sample[0].shape))  # as CUDA's does before it records
        network.forward = lambda x: (replayed.append(len(x)), plain(x))[1]  # type: ignore[assignment, func-returns-value]

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", stand_in)
    task = normalizing_task()
    before = [buffer.clone() for buffer in task.network.buffers()]
    record(task, torch.zeros(4, 1, 2, 2), "32-true")
    assert all(map(torch.equal, task.network.buffers(), before))
    for images in (4, 3, 1, 4):
        assert task(torch.randn(images, 1, 2, 2)).shape == (images, 4)
    assert replayed == [4, 4]


def test_a_network_that_cannot_be_recorded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", fail)
    with pytest.raises(RunError, match=r"\(operation not permitted .*\); with trainer\.cuda_graphs=false"):
        record(normalizing_task(), torch.zeros(4, 1, 2, 2), "32-true")
