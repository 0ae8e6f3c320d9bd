"""Each kind of rule takes what it says and refuses the rest in a sentence with the key, the value and what is valid."""

import math
from typing import Any

import pytest

from coatlab.config import kinds
from coatlab.config.kinds import Rule
from coatlab.errors import InputError


@pytest.mark.parametrize(
    ("rule", "good", "bad", "valid"),
    [
        (kinds.whole(1), [1, 10**9], [0, 1.0, True, "1", None, [1]], "it must be a whole number of at least 1"),
        (kinds.whole(0, 30), [0, 30], [-1, 31], "it must be a whole number of at least 0 and at most 30"),
        (kinds.number(0), [0, 0.5, 7], [-1, math.inf, math.nan, "1", True, None], "it must be a number of at least 0"),
        (kinds.above(0), [1e-9, 7], [0, -1, math.inf, math.nan, "1", True, None], "it must be a number above 0"),
        (kinds.number(0, 1), [0, 1], [1.1], "it must be a number of at least 0 and at most 1"),
        (kinds.one_of("a", 1, False), ["a", 1, False], ["b", True, 0, None], "valid: a, 1, false"),
        (kinds.or_null(kinds.whole(1)), [None, 1], [0], "it must be a whole number of at least 1"),
        (kinds.text, ["a", ""], [5, None, ["a"]], "it must be text, in two pairs of quotes if need be: k='\"5\"'"),
        (kinds.label, ["a", 12345], [1e5, True, None], "it must be text"),
        (
            kinds.name,
            ["in21k-winter_2021.1+x", "ä"],
            ["a/b", "../a", "", ".a", "a b", 5, "a\n", "\udcff"],
            "it must be a name of letters",
        ),
        (kinds.name, ["x" * 50], ["x" * 51, "画" * 17], "it must be a name of at most 50 bytes"),
        (kinds.path, ["a", "/a b", "../画"], ["", " ", "a\0b", "a\nb", "a\udcff"], "it must be a path, in UTF-8"),
        (kinds.path, [], [5, True, None, ["a"]], "it must be text"),
        (
            kinds.shards,
            ["a-{000..146}.tar", "sub/*.tar", "a..b.tar"],
            ["/a.tar", "../a.tar", "a/../../b.tar", "{a", "a}", "https://host/a.tar", "pipe:cat a.tar", "~/a.tar"],
            "it must be names of files below data.root, as in train-{0000..0146}.tar",
        ),
        (kinds.shards, ["{a,b}.tar"], [["a.tar", "b.tar"], []], "it must be one text for all of them, as in"),
        (
            kinds.shards,
            ["a-{0..999999}.tar", "a-{0..9999999..10}.tar", "{-9..9}-{0..999}.tar"],
            ["a-{0..1000000}.tar", "a-{0..999999999}.tar", "{0..999}-{0..999}-{9..-9}.tar", "{0..9999999..0}"],
            "it must be at most 1,000,000 names",
        ),
        (kinds.odd, [1, 7], [0, 2, -3, 3.0, True], "it must be an odd whole number"),
        (kinds.wholes, [[1, 2], []], [[0], [1.5], 3], "it must be a list of whole numbers of at least 1"),
        (kinds.texts("[a]"), [["a"], []], ["a", [5], None], "it must be a list of text, as in [a]"),
        (kinds.options, [{"exclude": "n"}], ["exclude", None], "it must be options of sbatch by name, as in {exclude:"),
        (
            kinds.augmentation,
            [None, {"layers": 2, "magnitude": 5}],
            [9, {"layers": 2}, {}],
            "valid: null or {layers: 2, magnitude: 15}",
        ),
    ],
)
def test_a_rule(rule: Rule, good: list[Any], bad: list[Any], valid: str) -> None:
    for value in good:
        rule("k", value)
    for value in bad:
        with pytest.raises(InputError) as refused:
            rule("k", value)
        assert valid in str(refused.value)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "null"), (True, "true"), ({"a": None}, "{a:null}"), ([1, "b"], "[1,b]")]
)
def test_values_are_shown_as_the_command_line_has_them(value: Any, shown: str) -> None:
    assert str(kinds.invalid("k", value, "odd")) == f"k={shown} is not valid; it must be odd"
