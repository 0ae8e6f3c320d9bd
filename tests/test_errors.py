"""A sentence for what does not exist lists what does, and suggests the nearest."""

import pytest

from coatlab.errors import Stopped, not_one_of, not_one_of_keys


def test_the_nearest_choice_is_suggested() -> None:
    assert str(not_one_of("size", "nanno", ["nano", "micro"])) == (
        "size=nanno does not exist (did you mean nano?); valid: nano, micro"
    )
    assert str(not_one_of("channels", 2, [1, 3])) == "channels=2 does not exist; valid: 1, 3"


@pytest.mark.parametrize(
    ("key", "hint"),
    [("trainer.max_epoch", " (did you mean trainer.max_epochs?)"), ("trainer.foo", "")],
)
def test_the_nearest_key_is_suggested_by_its_own_name(key: str, hint: str) -> None:
    said = str(not_one_of_keys(key, ["trainer.max_epochs", "trainer.precision"], " with trainer=auto"))
    assert said == f"the key {key} does not exist with trainer=auto{hint}; valid: trainer.max_epochs, trainer.precision"


def test_the_same_name_elsewhere_is_suggested_where_none_is_near() -> None:
    said = str(not_one_of_keys("data.lr", ["data.pad"], elsewhere=["recipe.lr", "other.lr"]))
    assert said == "the key data.lr does not exist (did you mean recipe.lr or other.lr?); valid: data.pad"
    said = str(not_one_of_keys("trainr", ["trainer"], elsewhere=["other.trainr"]))
    assert said == "the key trainr does not exist (did you mean trainer?); valid: trainer"


def test_a_signal_is_the_shells_exit_code() -> None:
    assert Stopped(15).exit_code == 143


def test_keys_of_one_name_in_two_places_are_told_apart() -> None:
    valid = ["recipe.batch_size", "data.batch_size", "data.root"]
    assert str(not_one_of_keys("--allow data.batchsize", valid)) == (
        "the key --allow data.batchsize does not exist (did you mean data.batch_size?); valid: " + ", ".join(valid)
    )
    assert "(did you mean recipe.batch_size or data.batch_size?)" in str(not_one_of_keys("batch-size", valid))
