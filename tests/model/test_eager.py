"""Which tensors are computed with at once; the blocks' tests say what follows from it."""

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from coatlab.model.eager import are_original, is_plain, layer_by_layer


def test_ordinary_tensors_of_a_cpu_are_plain() -> None:
    x = torch.zeros(2)
    assert is_plain(x)
    assert is_plain(x.double())
    with layer_by_layer():
        assert not is_plain(x)
        with layer_by_layer():
            assert not is_plain(x)
        assert not is_plain(x)
    assert is_plain(x)


def test_others_are_not() -> None:
    x = torch.zeros(2)
    assert not is_plain(x.half())
    assert not is_plain(x.to("meta"))
    assert not is_plain(nn.Parameter(x))
    with FakeTensorMode() as mode:
        assert not is_plain(mode.from_tensor(x))
    with torch.autocast("cpu"):
        assert not is_plain(x)
    seen = []
    torch.vmap(lambda one: seen.append(is_plain(one)) or one)(x)
    torch.vmap(lambda one: seen.append(is_plain(x)) or one)(x)  # the weights may be mapped over
    assert seen == [False, False]


def test_hooks_and_other_classes_are_seen() -> None:
    one = nn.Linear(1, 1)
    assert are_original({one: nn.Linear})
    assert not are_original({one: nn.Module})
    handle = one.register_forward_pre_hook(lambda *_: None)
    assert not are_original({one: nn.Linear})
    handle.remove()
    assert are_original({one: nn.Linear})
    one.register_full_backward_hook(lambda *_: None)
    assert not are_original({one: nn.Linear})
