"""Bad layouts and plans are refused in one sentence; good ones give the grids of the paper."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatlab.errors import InputError
from coatlab.model.layout import blueprint, check_letters

CCTT = {"name": "CCTT", "stem": "conv", "stages": "CCTT"}
PLAN = {"blocks": [2, 2, 3, 5, 2], "widths": [64, 96, 192, 384, 768], "strides": [2, 2, 2, 2, 2], "head_size": 32}


@given(st.text("CT", min_size=1, max_size=8))
def test_letters_are_valid_exactly_when_no_c_follows_a_t(letters: str) -> None:
    if re.fullmatch("C*T*", letters):
        check_letters(letters)
    else:
        with pytest.raises(InputError, match="convolution after attention"):
            check_letters(letters)


@pytest.mark.parametrize("letters", ["CCXT", "cctt", ""])
def test_unknown_letters_are_named(letters: str) -> None:
    with pytest.raises(InputError, match="valid letters are C"):
        check_letters(letters)


def test_the_papers_plan_has_the_papers_grids() -> None:
    plan = blueprint(CCTT, PLAN, 224)
    assert [stage.grid for stage in plan.stages] == [(56, 56), (28, 28), (14, 14), (7, 7)]
    assert plan.width == 768


def test_rows_and_columns_may_differ() -> None:
    assert blueprint(CCTT, PLAN, (224, 96)).stages[-1].grid == (7, 3)


def test_a_mixed_stage_has_convolution_then_attention() -> None:
    mixed = PLAN | {"blocks": [2, 2, 4, [8, 42], 2], "widths": [192, 192, 384, [768, 1536], 3072], "head_size": 128}
    segments = blueprint(CCTT, mixed, 224).stages[2].segments
    assert [(s.kind, s.blocks, s.width) for s in segments] == [("C", 8, 768), ("T", 42, 1536)]


@pytest.mark.parametrize(
    ("change", "image_size", "sentence"),
    [
        ({"blocks": 2}, 224, "plan.blocks=2 is not a list; layout=CCTT needs 5 entries"),
        ({"widths": "64,96"}, 224, "plan.widths=64,96 is not a list"),
        ({"blocks": [2, 2, 3, 5]}, 224, r"plan.blocks=\[2, 2, 3, 5\] has 4 entries; layout=CCTT needs 5"),
        ({"widths": [64, 96, 192, 384, 0]}, 224, "at least 1"),
        ({"blocks": [2, 2, 3, 1.5, 2]}, 224, "whole number"),
        ({"strides": [2, [2, 1], 2, 2, 2]}, 224, r"plan.strides=\[2, \[2, 1\], 2, 2, 2\] has a pair after the stem"),
        ({"head_size": 36}, 224, "plan.head_size=36 does not divide the width 384 of S3; valid: 8, 12"),
        ({"head_size": 0}, 224, "plan.head_size=0"),
        ({}, 100, "image_size=100 is not divisible by 32"),
        ({}, (224, 100), "is not divisible by 32"),
        ({"blocks": [2, 2, [1, 2], 5, 2], "widths": [64, 96, [96, 192], 384, 768]}, 224, "a mixed stage is a T stage"),
        (
            {"blocks": [2, 2, 3, 5, [1, 2]], "widths": [64, 96, 192, 384, [384, 768]]},
            224,
            "only the first stage with T can be mixed",
        ),
        ({"blocks": [2, 2, 3, [5, 1], 2]}, 224, "a pair of each"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(change: dict, image_size: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        blueprint(CCTT, PLAN | change, image_size)
