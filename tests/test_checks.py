"""Every bad setting is one sentence that names its key, its value and what is valid."""

import re

import pytest

from coatlab.checks import RULES, check
from coatlab.configs import choices, compose, resolve
from coatlab.errors import InputError
from coatlab.identity import flatten


def test_the_defaults_are_valid() -> None:
    check(resolve(compose([])))


def test_every_rule_is_for_a_key_that_exists() -> None:
    options = [f"{group}={choice}" for group in ("attention", "data", "cluster") for choice in choices(group)]
    known = {key for option in options for key in flatten(resolve(compose([option])))}
    assert not set(RULES) - known


@pytest.mark.parametrize(
    ("choice", "override", "sentence"),
    [
        ("absolute", "position=sine", "attention.position=sine does not exist; valid: learned, none"),
        ("window", "window=0", "attention.window=0 is not valid; it must be a whole number of at least 1"),
        ("neighborhood", "kernel_size=4", "attention.kernel_size=4 is not valid; it must be an odd whole number"),
        ("neighborhood", "kernel_size=-3", "attention.kernel_size=-3 is not valid"),
        ("neighborhood", "implementation=fast", "attention.implementation=fast does not exist; valid: auto, flex"),
        ("linear", "feature_map=relu", "attention.feature_map=relu does not exist"),
        ("linear", "features=0", "attention.features=0 is not valid"),
    ],
)
def test_bad_settings_of_an_attention_are_refused(choice: str, override: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        check(resolve(compose([f"attention={choice}", f"attention.{override}"])))


def test_an_endless_data_set_needs_epochs_that_end() -> None:
    with pytest.raises(InputError, match=r"data\.train_size=null is not valid for data=fractals"):
        check(resolve(compose(["data=fractals", "data.train_size=null"])))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed=-1", "seed=-1 is not valid; it must be a whole number of at least 0"),
        ("data.train_size=abc", "data.train_size=abc is not valid; it must be a whole number"),
        ("data.train_size=0", "at least 1"),
        ("data.train_size=true", "whole number"),
        ("data.train_size=100", "data.batch_size=128 is larger than data.train_size=100"),
        ("data.batch_size=1.5", "data.batch_size=1.5"),
        ("data.image_size=33", "image_size=33 is not divisible by 16"),
        ("recipe.loss=hinge", "recipe.loss=hinge does not exist; valid: softmax, sigmoid"),
        ("recipe.schedule=cosin", r"did you mean cosine\?"),
        ("recipe.lr=-1", "recipe.lr=-1 is not valid; it must be a number of at least 0"),
        ("recipe.lr=1e-6", "recipe.min_lr=1e-05 is above recipe.lr=1e-06"),
        ("recipe.label_smoothing=2", "at most 1"),
        ("network.pool=min", "network.pool=min does not exist; valid: max, average"),
        ("trainer.precision=8", "trainer.precision=8 does not exist; valid: 32-true"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0"),
        ("tracker.mode=on", "tracker.mode=on does not exist; valid: auto"),
        ("plan.widths=[1,2]", r"plan.widths=\[1, 2\] has 2 entries"),
    ],
)
def test_bad_values_are_refused(override: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check(resolve(compose([override])))
