"""The position embedding: it is added, resized when weights of another grid are loaded, and keeps channels-last."""

import torch

from coatlab.model.attention.position import PositionEmbedding


def test_it_is_added() -> None:
    embed, x = PositionEmbedding(3, (2, 4)), torch.randn(5, 3, 2, 4)
    assert torch.equal(embed(x), x + embed.table)
    assert 0.01 < PositionEmbedding(64, (16, 16)).table.std() < 0.03


def test_loading_resizes_there_and_back() -> None:
    small, large = PositionEmbedding(2, (7, 7)), PositionEmbedding(2, (14, 21))
    with torch.no_grad():
        small.table.copy_(torch.linspace(-1, 1, 7)[:, None] * torch.ones(2, 7, 7))
    state = small.state_dict()
    large.load_state_dict(state)
    assert state["table"].shape == (1, 2, 7, 7)
    assert (large.table.diff(dim=2) >= 0).all()  # a slope stays a slope
    back = PositionEmbedding(2, (7, 7))
    back.load_state_dict(large.state_dict())
    inner = (slice(None), slice(None), slice(1, -1))
    torch.testing.assert_close(back.table[inner], small.table[inner], atol=0.1, rtol=0)


def test_it_keeps_channels_last_and_the_precision_of_the_map() -> None:
    embed = PositionEmbedding(8, (4, 4)).to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    assert embed(x).is_contiguous(memory_format=torch.channels_last)
    assert embed(x.bfloat16()).dtype == torch.bfloat16
