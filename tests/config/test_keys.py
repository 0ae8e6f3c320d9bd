"""Keys are closed: what no choice has is refused, with what could have been meant; a few nodes are open."""

import re
from typing import Any

import pytest

from coatlab.config.keys import FREE_FORM, check_closed, leaves, unknown_key
from coatlab.errors import InputError

WINDOW = "coatlab.model.attention.window.WindowAttention"
CHOICES = {"attention": "window", "recipe": "mine"}
KNOWN: dict[str, Any] = {
    "seed": 0,
    "attention.name": "window",
    "attention._target_": WINDOW,
    "attention.window": 2,
    "recipe.lr": 0.1,
    "recipe.randaugment": None,
    "size.local.window": 2,
    "size.plans.CCTT.blocks": [1],
}


def config(**changes: Any) -> dict[str, Any]:
    attention = {"name": "window", "_target_": WINDOW, "window": 2}
    rest = {"recipe": {"lr": 0.1, "randaugment": None}, "size": {"local": {"window": 2}, "plans": {"CCTT": {}}}}
    return {"seed": 0, "attention": attention, **rest, **changes}


def check(**changes: Any) -> None:
    check_closed(config(**changes), KNOWN, CHOICES)


def test_the_keys_of_the_choices_are_taken() -> None:
    check()
    check(seed={"a": 1})  # the rule for seed says what is wrong with it


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"foo": 1}, "the key foo does not exist; valid: seed, attention, recipe, size"),
        ({"foo": {"bar": 1}}, "the key foo does not exist; valid: seed"),
        ({"foo": {}}, "the key foo does not exist; valid: seed"),
        ({"lr": 1}, "the key lr does not exist (did you mean recipe.lr?); valid: seed"),
        (
            {"recipe": {"lr": 0.1, "randaugment": None, "momentum": 0.9}},
            "the key recipe.momentum does not exist with recipe=mine; valid: recipe.lr, recipe.randaugment",
        ),
        (
            {"attention": {"name": "window", "_target_": WINDOW, "window": 2, "windw": 3}},
            "the key attention.windw does not exist with attention=window (did you mean attention.window?); valid: ",
        ),
        (
            {"size": {"local": {"window": 2, "lr": {"x": 3}}, "plans": {}}},
            "the key size.local.lr does not exist; valid: size.local.window",
        ),
        # another choice has them
        (
            {"attention": {"name": "window", "_target_": WINDOW, "window": 2, "kernel_size": 3}},
            "the key attention.kernel_size does not exist with attention=window, only with attention=neighborhood; ",
        ),
        ({"size": {"local": 5, "plans": {}}}, "size.local=5 is not valid; its keys are size.local.window"),
        ({"recipe": None}, "recipe=null is not valid; its keys are recipe.lr, recipe.randaugment"),
        ({"recipe": {"randaugment": None}}, "the key recipe.lr is missing; keys cannot be removed, only given another"),
        ({"recipe": {"lr": 0.1}}, "the key recipe.randaugment is missing"),
        ({"size": {"local": {"window": 2}}}, "the key size.plans is missing"),
    ],
)
def test_other_keys_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(sentence)):
        check(**changes)


@pytest.mark.parametrize("node", FREE_FORM)
def test_below_a_free_form_node_any_key_may_stand(node: str) -> None:
    group, name = node.split(".")
    assert FREE_FORM[node]  # says why
    check(**{group: config().get(group, {}) | {name: {"anything": {"at": "all"}}}})


@pytest.mark.parametrize(
    ("target", "taken"),
    [
        ("my.own.Attention", True),
        ("window", False),
        (WINDOW, False),
        ("coatlab.model.attention.post.PostAttention", False),
    ],
)
def test_only_a_class_that_is_not_ours_may_have_settings_of_its_own(target: str, taken: bool) -> None:
    attention = {"name": "window", "_target_": target, "window": 2, "depth": 3}
    if taken:
        check(attention=attention)
    else:
        with pytest.raises(InputError, match=r"the key attention\.depth does not exist"):
            check(attention=attention)
    with pytest.raises(InputError, match=r"the key recipe\.depth does not exist"):
        check(attention=attention if taken else config()["attention"], recipe={"lr": 1, "randaugment": 1, "depth": 3})


def test_a_key_that_is_elsewhere_is_suggested() -> None:
    said = str(unknown_key("attention.lr", KNOWN, CHOICES))
    assert said.startswith("the key attention.lr does not exist with attention=window (did you mean recipe.lr?); valid")


def test_leaves_keep_empty_nodes() -> None:
    assert dict(leaves({"a": {"b": {}, "c": [1]}, "d": None})) == {"a.b": {}, "a.c": [1], "d": None}
