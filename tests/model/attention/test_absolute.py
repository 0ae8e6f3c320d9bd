"""Attention without relative bias: eq. 2 in float64; it ignores the order of tokens; where its embedding is added."""

import pytest
import torch
from hypothesis import given, settings

from coatlab import create_model
from coatlab.model.attention.absolute import AbsoluteAttention
from coatlab.model.attention.position import PositionEmbedding
from tests.model.attention.direct_attention import (
    GRIDS,
    HEADS,
    SEEDS,
    WIDTHS,
    Grid,
    assert_same,
    count_tables,
    counted_products,
    inputs,
    softmax_attention,
)


@settings(max_examples=25)
@given(GRIDS, HEADS, WIDTHS, SEEDS)
def test_equals_the_equation(grid: Grid, heads: int, width: int, seed: int) -> None:
    attend, qkv = AbsoluteAttention(heads, width, grid, 0, position="none"), inputs(heads, grid, width, seed)
    assert_same(attend(*qkv), softmax_attention(*qkv), qkv)


@pytest.mark.parametrize("position", ["none", "learned"])
def test_without_an_embedding_it_is_permutation_equivariant(position: str) -> None:
    """The stage of ViT_REL gives permuted results for permuted tokens, unless it has a position embedding."""
    network = create_model(
        "ViT_REL", "absolute", "nano", image_size=32, channels=1, attention_settings={"position": position}
    )
    network.eval()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    x = torch.randn(2, 64, 4, 4)
    with torch.no_grad():
        out = network.stages[0](x).flatten(2)[:, :, order]
        permuted = network.stages[0](x.flatten(2)[:, :, order].view_as(x)).flatten(2)
    assert torch.allclose(out, permuted, atol=1e-5) == (position == "none")


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("ViT_REL", {"stages.0.0": (64, 4, 4)}),
        ("CCTT", {"stages.2.0": (40, 8, 8), "stages.3.0": (48, 4, 4)}),
        ("CTTT", {"stages.1.0": (16, 16, 16), "stages.2.0": (32, 8, 8), "stages.3.0": (64, 4, 4)}),
        ("CCCC", {}),
    ],
)
def test_each_transformer_stage_begins_with_an_embedding(layout: str, expected: dict) -> None:
    network = create_model(layout, "absolute", "nano", image_size=32, channels=1)
    found = {
        name.removesuffix(".position"): tuple(module.table.shape[1:])
        for name, module in network.named_modules()
        if isinstance(module, PositionEmbedding)
    }
    assert found == expected


def test_a_mixed_stage_has_the_embedding_before_its_first_transformer_block() -> None:
    with torch.device("meta"):
        network = create_model("CCTT", "absolute", "coatnet_6")
    assert [type(block.position) for block in network.stages[2][8:10]] == [PositionEmbedding, torch.nn.Identity]
    assert network.stages[2][8].position.table.shape == (1, 768, 14, 14)


def test_tables_and_cost() -> None:
    assert count_tables("absolute") == (0, 3)
    assert counted_products("absolute") == 2 * 36**2 * 32
