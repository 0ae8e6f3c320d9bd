"""Tests in this folder need a GPU; elsewhere each is skipped by name. tests/support/tiers.py marks them."""

import pytest
import torch

from coatlab.training.trainer import same_float32


@pytest.fixture(autouse=True)
def gpu() -> torch.device:
    """Return the GPU, which computes in float32 what is asked for in float32."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    same_float32()
    return torch.device("cuda")
