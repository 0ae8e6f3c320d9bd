"""What is prepared for the runs of a sweep: only what is ours, and no error is raised before a run raises it."""

from typing import Any

import pytest

from coatlab.budget import counted
from coatlab.cluster.ahead import prepare
from coatlab.config.compose import compose, resolve
from coatlab.data import image_data
from coatlab.data.fashion_mnist import FashionMNIST


@pytest.fixture(autouse=True)
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what data sets read ahead, by name; nothing is counted before."""
    names: list[str] = []
    monkeypatch.setattr(counted, "_counted", {})
    monkeypatch.setattr(FashionMNIST, "read_ahead", lambda self: names.append(self.name))
    return names


def config_of(*words: str) -> dict[str, Any]:
    return resolve(compose(list(words)))


def test_files_are_read_and_networks_counted(read: list[str]) -> None:
    prepare(config_of())
    prepare(config_of("layout=CCCC", "seed=1"))
    prepare(config_of("layout=CCCC", "seed=2", "recipe.lr=0.1"))
    assert read == ["fashion_mnist"] * 3
    assert len(counted._counted) == 2
    prepare(config_of("data=fractals"))
    assert len(read) == 3


def test_classes_that_are_not_ours_are_not_called(read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr(image_data, "make_data", called.append)
    monkeypatch.setattr(counted, "network_of", lambda *_, **__: called.append("network"))
    config = config_of()
    foreign = {"name": "mine", "_target_": "mine.Thing"}
    prepare(config | {"data": config["data"] | foreign, "attention": foreign})
    assert not called


def test_what_fails_is_left_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr(FashionMNIST, "read_ahead", fails)
    monkeypatch.setattr(counted, "network_of", fails)
    prepare(config_of())
    prepare({})
    assert not counted._counted
