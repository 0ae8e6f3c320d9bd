"""Activations that are computed again give the same gradients and the same running statistics, bit by bit."""

import copy

import pytest
import torch
from torch import Tensor

from coatlab import create_model
from coatlab.config.files import choices
from coatlab.model.network import Network

KINDS = [*(("CTTT", attention) for attention in choices("attention")), ("CCCC", "relative"), ("ViT_REL", "relative")]
X = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def network(layout: str = "CCTT", attention: str = "relative") -> Network:
    torch.manual_seed(0)
    shared = {"image_size": 32, "channels": 1, "num_classes": 10, "stochastic_depth": 0.5}
    return create_model(layout, attention, "nano", **shared)


def step(one: Network, seed: int = 1) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss, and every gradient and buffer after a backward pass."""
    torch.manual_seed(seed)  # of dropped branches
    loss = one(X).square().mean()
    loss.backward()
    gradients = {name: p.grad for name, p in one.named_parameters() if p.grad is not None}
    return loss, {**gradients, **dict(one.named_buffers())}


@pytest.mark.parametrize(("layout", "attention"), KINDS)
def test_gradients_and_statistics_are_equal(layout: str, attention: str) -> None:
    plain = network(layout, attention)
    again = copy.deepcopy(plain)
    again.set_grad_checkpointing()
    loss, expected = step(plain)
    found_loss, found = step(again)
    assert torch.equal(loss, found_loss)
    assert found.keys() == expected.keys()
    assert len(expected) >= len(list(plain.parameters()))
    for name, one in expected.items():
        assert torch.equal(found[name], one), name


def kept_by(one: Network) -> tuple[Tensor, int]:
    """Return the loss of a pass, and how many numbers it keeps for the backward pass."""
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = one(X).sum()
    return loss, sum(sizes.values())


def test_blocks_run_twice_and_no_activation_inside_a_block_is_kept() -> None:
    one, calls, kept = network("CCCC"), [], []
    block = one.stages[0][0]
    block.register_forward_pre_hook(lambda module, given: calls.append(len(calls)))
    for checkpointing, passes in ((False, 1), (True, 2), (False, 1)):
        one.set_grad_checkpointing(checkpointing)
        calls.clear()
        loss, size = kept_by(one)
        kept.append(size)
        loss.backward()
        assert len(calls) == passes
    assert kept[1] < kept[0] / 2
    assert kept[2] == kept[0]


def test_without_gradients_it_is_a_plain_pass() -> None:
    one = network().eval()
    with torch.no_grad():
        expected = one(X)
        one.set_grad_checkpointing()
        assert torch.equal(one(X), expected)
    one(X).sum().backward()  # in evaluation mode as well, as for attribution
    assert all(p.grad is not None for p in one.parameters())


def test_the_names_of_weights_stay() -> None:
    one = network()
    names = list(one.state_dict())
    one.set_grad_checkpointing()
    assert list(one.state_dict()) == names


@pytest.mark.slow
def test_a_compiled_network_has_the_same_too() -> None:
    plan = {"blocks": [1, 1, 2, 2, 1]}
    plain = create_model("CCTT", size="nano", image_size=32, channels=1, num_classes=10, plan=plan)
    again = copy.deepcopy(plain)
    again.set_grad_checkpointing()
    again.compile(backend="aot_eager")
    expected, found = step(plain)[1], step(again)[1]
    for name, one in expected.items():
        torch.testing.assert_close(found[name], one, msg=name)
