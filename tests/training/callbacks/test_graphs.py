"""Which runs record their passes, and what is refused. What a recording does is tested in tests/gpu."""

from typing import Any

import pytest
import torch

from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError
from coatlab.training.callbacks.graphs import WITHOUT, autocast, records


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
        (["trainer.compile=true"], "cuda", "is not valid with trainer.compile=True; valid: auto, false"),
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
