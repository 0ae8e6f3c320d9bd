"""Attention with a bias against torch's own function, in float64, and where it is left to that function."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from coatlab.model.attention import biased
from coatlab.model.attention.bias import MASKED
from coatlab.model.attention.biased import biased_attention, written_out
from coatlab.model.eager import layer_by_layer


def inputs(seed: int, queries: int = 5, keys: int = 3, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, 3, queries, 4), (2, 3, keys, 4), (2, 3, keys, 4), (3, queries, keys)]
    return [torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("way", [biased_attention, written_out])
@given(seed=st.integers(0, 99), queries=st.integers(1, 6), keys=st.integers(1, 6), masks=st.booleans())
def test_values_and_gradients_are_torchs(
    way: Callable[..., Tensor], seed: int, queries: int, keys: int, masks: bool
) -> None:
    q, k, v, bias = inputs(seed, queries, keys)
    if masks:  # also a query that sees no key
        bias = torch.where(torch.rand(bias.shape, generator=torch.Generator().manual_seed(seed)) < 0.6, bias, MASKED)
    found, expected = way(q, k, v, bias), F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
    torch.testing.assert_close(found, expected)
    g = torch.randn(found.shape, generator=torch.Generator().manual_seed(seed), dtype=found.dtype)
    ways = [torch.autograd.grad(out, (q, k, v, bias), g) for out in (found, expected)]
    for mine, wanted in zip(*ways, strict=True):
        torch.testing.assert_close(mine, wanted)


def test_other_tensors_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    torchs = F.scaled_dot_product_attention
    monkeypatch.setattr(
        biased.F, "scaled_dot_product_attention", lambda *a, **k: (calls.append(True), torchs(*a, **k))[1]
    )
    biased_attention(*inputs(0))
    assert not calls
    biased_attention(*inputs(0, dtype=torch.bfloat16))
    first, *others = (x.detach() for x in inputs(0))
    torch.func.grad(lambda q: biased_attention(q, *others).sum())(first)
    with layer_by_layer():
        biased_attention(*inputs(0))
    assert len(calls) == 3
    with torch.no_grad():  # there its kernel is faster than what is here, and needs no room for the scores
        biased_attention(*inputs(0))
    assert len(calls) == 4
