"""The words of a benchmark's runs: typed ones replace the usual ones, and what would have no effect is refused."""

import re

import pytest

from coatlab.benchmark.commands import STEP
from coatlab.benchmark.words import benchmark_words
from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError

USUAL = ("size=coatnet_0", "data=imagenet", "data.image_size=224", "trainer.threads=1")


def test_typed_words_replace_the_usual_ones() -> None:
    assert benchmark_words(USUAL, ["size=nano", "data.image_size=160"], ["tracker=none"]) == [
        "data=imagenet", "trainer.threads=1", "size=nano", "data.image_size=160", "tracker=none",
    ]  # fmt: skip


def test_other_data_bring_their_own_sizes() -> None:
    assert benchmark_words(USUAL, ["data=cifar10"]) == ["size=coatnet_0", "trainer.threads=1", "data=cifar10"]
    config = resolve(compose(benchmark_words(STEP, ["size=nano", "data=fashion_mnist"])))
    expected = resolve(compose(["size=nano", "data=fashion_mnist"]))
    assert config["data"] == expected["data"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["seed=1"], "seed=1 has no effect in this benchmark: it gives every run its own; leave it out"),
        (["++tracker=csv"], "++tracker=csv has no effect in this benchmark: it always has tracker=none"),
        (["data.image_size=32", "data.image_size=64"], "data.image_size is given twice"),
        (["a b"], "a b has no value"),
    ],
)
def test_words_without_effect_are_refused(typed: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        benchmark_words(USUAL, typed, always=["tracker=none"], own=["seed"])
