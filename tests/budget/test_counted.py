"""A network that was counted before is not counted again, and no other one is taken for it."""

from typing import Any

import pytest

from coatlab.budget import counted as module
from coatlab.budget.cost import Cost, cost_of
from coatlab.budget.counted import SHAPE, count_ahead, counted
from coatlab.config.compose import compose, resolve
from coatlab.create import network_of

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def none_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_counted", {})


def config_of(*words: str) -> dict[str, Any]:
    return resolve(compose(list(words)))


def own(config: dict[str, Any]) -> tuple[dict[str, int], Any]:
    shape = {key: config["data"][key] for key in SHAPE}
    return shape, network_of(config, **shape, stochastic_depth=config["recipe"]["stochastic_depth"])


@pytest.mark.parametrize(
    "words", [(), ("layout=ViT_REL",), ("attention=linear", "attention.feature_map=favor", "layout=CTTT")]
)
def test_a_network_is_counted_once(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(*words)
    shape, network = own(config)
    expected = cost_of(network)
    count_ahead(config)

    def again(network: object) -> Cost:
        raise AssertionError("counted again")

    monkeypatch.setattr(module, "cost_of", again)
    assert counted(config, shape, network) == expected
    assert counted(config_of(*words, "seed=5", "recipe.lr=1"), shape, network) == expected


@pytest.mark.parametrize(
    "other",
    ["plan.widths=[16,16,40,48,160]", "network.pool=average", "attention=post", "recipe.stochastic_depth=0.5"],
)
def test_other_networks_are_counted_by_themselves(other: str) -> None:
    one, two = config_of(), config_of(other)
    count_ahead(one)
    shape, network = own(two)
    assert counted(two, shape, network) == cost_of(network)
    assert len(module._counted) == 2


def test_images_of_another_size_make_another_network() -> None:
    config = config_of()
    shape, network = own(config)
    small = counted(config, shape, network)
    shape |= {"image_size": 64}
    assert counted(config, shape, network_of(config, **shape, stochastic_depth=0.0)).macs > 2 * small.macs
