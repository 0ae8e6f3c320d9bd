"""Tests in this folder need a GPU; elsewhere each is skipped by name."""

import pytest
import torch

from coatlab.training.trainer import same_float32


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "gpu":
            item.add_marker(pytest.mark.gpu)
            item.add_marker(pytest.mark.slow)  # of those that may start processes


@pytest.fixture(autouse=True)
def gpu() -> torch.device:
    """Return the GPU, which computes in float32 what is asked for in float32."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    same_float32()
    return torch.device("cuda")
