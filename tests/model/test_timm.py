"""timm as the oracle: with its weights, our blocks and our whole network compute the same.

timm can be set to the paper's choices (stride on the 1x1 convolution, max-pooling), and coatlab to timm's (stride on
the depthwise convolution, average pooling). Both settings are compared.
"""

import pytest
import timm
import torch
from timm.models.maxxvit import MaxxVit
from torch import nn

from coatlab import create_model

pytestmark = pytest.mark.slow

PAPER = ({}, {"conv_stride_mode": "1x1", "conv_pool_type": "max2", "transformer_pool_type": "max2"})
TIMM = ({"downsample": "depthwise_conv", "pool": "average"}, {})


def pair(choice: tuple[dict, dict]) -> tuple[nn.Module, MaxxVit]:
    """Build both networks with the same random weights, running statistics included."""
    settings, overlay = choice
    torch.manual_seed(0)
    oracle = timm.create_model("coatnet_0_224", **overlay).eval()
    for module in oracle.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = create_model("CCTT", size="coatnet_0", image_size=224, **settings).eval()
    ours.load_timm_state_dict(oracle.state_dict())
    return ours, oracle


@pytest.fixture(scope="module", params=[PAPER, TIMM], ids=["paper's choices", "timm's choices"])
def networks(request: pytest.FixtureRequest) -> tuple[nn.Module, MaxxVit]:
    return pair(request.param)


@pytest.mark.parametrize(("stage", "width_in", "side"), [(0, 64, 112), (1, 96, 56), (2, 192, 28), (3, 384, 14)])
@torch.no_grad()
def test_blocks_equal(networks: tuple[nn.Module, MaxxVit], stage: int, width_in: int, side: int) -> None:
    ours, oracle = networks
    x = torch.randn(2, width_in, side, side, generator=torch.Generator().manual_seed(stage))
    down, down_oracle = ours.stages[stage][0], oracle.stages[stage].blocks[0]
    torch.testing.assert_close(down(x), down_oracle(x), rtol=1e-5, atol=1e-5)
    y = torch.randn(2, *down_oracle(x).shape[1:], generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(ours.stages[stage][1](y), oracle.stages[stage].blocks[1](y), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_logits_equal(networks: tuple[nn.Module, MaxxVit]) -> None:
    ours, oracle = networks
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    expected = oracle(x)
    assert expected.std() > 1e-2  # not all the same
    torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours(x.contiguous(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("number", range(5))
def test_parameters_equal_timms(number: int) -> None:
    with torch.device("meta"):
        ours, theirs = create_model("CCTT", size=f"coatnet_{number}"), timm.create_model(f"coatnet_{number}_224")
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
