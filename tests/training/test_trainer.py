"""What a machine cannot do is refused, so that nothing else is done in its place."""

import os
from typing import Any

import pytest
import torch

from coatlab.errors import InputError
from coatlab.training import trainer
from coatlab.training.trainer import check_machine, set_threads

SETTINGS: dict[str, Any] = {
    "accelerator": "auto", "precision": "32-true", "devices": 1, "nodes": 1, "sync_batchnorm": False, "threads": None,
    "cuda_graphs": "auto", "accumulate": 1, "compile": False, "checkpoint_activations": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("accelerator", "gpu", "valid"), [("auto", False, False), ("cpu", True, False), ("auto", True, True)]
)
def test_float16_needs_a_gpu(accelerator: str, gpu: bool, valid: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.CUDAAccelerator, "is_available", lambda: gpu)
    monkeypatch.setattr(trainer.MPSAccelerator, "is_available", lambda: False)
    settings = SETTINGS | {"accelerator": accelerator, "precision": "16-mixed"}
    if valid:
        check_machine(settings, 1)
    else:
        with pytest.raises(InputError, match=r"precision=16-mixed is not valid on a CPU, .*; valid: bf16-mixed, 32-tr"):
            check_machine(settings, 1)
    check_machine(settings | {"precision": "bf16-mixed"}, 1)


@pytest.mark.parametrize(("key", "asked", "expected"), [(None, None, 4), (None, 3, 3), (2, 3, 2)])
def test_threads_are_the_keys_or_the_environments_or_a_share_of_the_cores(
    key: int | None, asked: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    monkeypatch.setattr(trainer, "asked_threads", lambda: asked)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    set_threads(SETTINGS | {"threads": key, "devices": 2}, cores=8)
    assert (used, os.environ["OMP_NUM_THREADS"]) == ([expected], str(expected))
