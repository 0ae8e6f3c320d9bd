"""The polynomial gives the counted costs, also for widths to which it was not fitted."""

import pytest

from coatlab.budget.polynomial import BlockCost, cost_at
from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.create import attention_factory
from coatlab.model.layout import Kind
from coatlab.model.network import make_block

CONFIG = resolve(compose([]))
SETTINGS = {key: value for key, value in CONFIG["network"].items() if key != "dense_head"}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "attention"), [("C", "relative"), *(("T", name) for name in choices("attention"))])
@pytest.mark.parametrize("stride", [1, 2])
def test_exact_between_and_beyond_the_counted_widths(kind: Kind, attention: str, stride: int) -> None:
    settings = resolve(compose([f"attention={attention}"]))["attention"]

    def build(x: int, width: int) -> tuple:
        block = make_block(
            kind,
            x,
            width,
            stride=stride,
            grid=(8 // stride, 8 // stride),
            block=0,
            begins=True,
            head_size=16,
            attention=attention_factory(settings),
            drop=0.0,
            **SETTINGS,
        )
        return block, (x, 8, 8)

    cost = BlockCost(build, 16)
    widths_in, widths = [8, 16, 80, 400], [16, 80, 112, 480]
    table = cost(widths_in, widths)
    for i, x in enumerate(widths_in):
        for j, w in enumerate(widths):
            assert tuple(table[i, j].round()) == cost_at(build, x, w)
    for j, w in enumerate(widths):
        assert tuple(cost.repeated(widths)[j].round()) == cost_at(build, w, w)


def test_a_cost_that_is_not_a_polynomial_is_noticed() -> None:
    from torch import nn

    def build(x: int, width: int) -> tuple:
        return nn.Linear(x, width * width * width), (x,)

    with pytest.raises(AssertionError, match="not a polynomial"):
        BlockCost(build, 16)
