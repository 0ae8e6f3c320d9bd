"""The solver meets a budget or explains why not; widths never shrink and are whole numbers of heads."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coatlab.budget.cost import cost_of
from coatlab.budget.parts import Budget, Setting
from coatlab.budget.solver import ACCEPTABLE, Found, NoPlan, solve
from coatlab.config.compose import compose, resolve
from coatlab.create import attention_factory
from coatlab.model.layout import blueprint
from coatlab.model.network import build_network

pytestmark = pytest.mark.slow

CONFIG = resolve(compose([]))
SMALL_STRIDES = (2, 1, 2, 2, 2)


def setting(head_size: int, blocks: tuple[int, ...] = (2, 2, 3, 5, 2)) -> Setting:
    attention = attention_factory(CONFIG["attention"])
    return Setting(head_size, SMALL_STRIDES, blocks, 8, 24, attention, CONFIG["network"])


def check(found: Found, name: str, budget: Budget, head_size: int) -> None:
    """Build and count the whole network: the prediction is exact, the budget is met, the rules hold."""
    stem, letters = ("patch", "T") if name == "ViT_REL" else ("conv", name)
    plan = blueprint(
        {"name": name, "stem": stem, "stages": letters}, found.plan | {"head_size": head_size}, budget.image_size
    )
    with torch.device("meta"):
        network = build_network(
            plan,
            attention_factory(CONFIG["attention"]),
            num_classes=budget.num_classes,
            channels=budget.channels,
            stochastic_depth=0.0,
            **CONFIG["network"],
        )
    cost = cost_of(network)
    assert (cost.parameters, cost.macs) == (round(found.parameters), round(found.macs))
    assert budget.off(cost.parameters, cost.macs) <= ACCEPTABLE
    blocks, widths = found.plan["blocks"], found.plan["widths"]
    assert widths == sorted(widths)
    for letter, width in zip(letters, widths[1:], strict=True):
        assert width % (head_size if letter == "T" else 8) == 0
    if name != "ViT_REL":
        assert blocks[1:-1] == sorted(blocks[1:-1])
        assert blocks[-1] <= blocks[-2]


@settings(max_examples=3)  # some seconds each
@given(
    name=st.sampled_from(["ViT_REL", "CCCC", "CCCT", "CCTT", "CTTT"]),
    octaves=st.floats(math.log2(0.2e6), math.log2(100e6)),
    macs_per_parameter=st.floats(6, 45),
    head_size=st.sampled_from([16, 32]),
)
def test_a_budget_is_met_or_explained(name: str, octaves: float, macs_per_parameter: float, head_size: int) -> None:
    parameters = round(2**octaves)
    budget = Budget(parameters, round(parameters * macs_per_parameter), 32, 3, 10)
    try:
        found = solve(
            "patch" if name == "ViT_REL" else "conv", "T" if name == "ViT_REL" else name, budget, setting(head_size)
        )
    except NoPlan as none:
        text = str(none)
        assert "no plan of" in text
        assert "cannot be met" in text or "none that was tried" in text
    else:
        check(found, name, budget, head_size)


@pytest.mark.parametrize("name", ["CCCC", "CTTT"])
def test_a_common_budget_is_met_within_one_percent(name: str) -> None:
    budget = Budget(8_000_000, 128_000_000, 32, 3, 10)
    found = solve("conv", name, budget, setting(32))
    check(found, name, budget, 32)
    assert budget.off(found.parameters, found.macs) <= 0.01


def test_the_sentence_says_which_cost_cannot_be_met() -> None:
    budget = Budget(8_000_000, 8_000_000 * 300, 32, 3, 10)
    with pytest.raises(NoPlan, match=r"the closest, .* is off by .* in MACs: the MACs cannot be met"):
        solve("patch", "T", budget, setting(32))


def test_the_papers_shape_is_preferred() -> None:
    """For CoAtNet-0's own cost, the solver finds widths and numbers of blocks like CoAtNet-0's."""
    budget = Budget(25_036_820, 4_141_888_512, 224, 3, 1000)
    attention = attention_factory(CONFIG["attention"])
    paper = Setting(32, (2, 2, 2, 2, 2), (2, 2, 3, 5, 2), 16, 32, attention, CONFIG["network"])
    found = solve("conv", "CCTT", budget, paper)
    assert found.shape < 1.0
    assert all(wide / narrow < 3 for narrow, wide in itertools.pairwise(found.plan["widths"]))
