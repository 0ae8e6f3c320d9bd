"""A sweep's yaml and a command line become cells: a union of products, narrowed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from coatlab.config.compose import compose
from coatlab.config.composer import loader_of
from coatlab.config.files import choices, conf_dir
from coatlab.config.words import word
from coatlab.errors import InputError
from coatlab.sweep.expand import expand

Axes = dict[str, list[int]]
axes = st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
sweeps = st.tuples(axes, st.lists(axes, max_size=3))


def points(params: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], *words: str, **pick: Any) -> set[frozenset]:
    expanded = expand({"params": params, "cells": cells, "pick": pick}, words, OverridesParser.create())
    found = [frozenset(tuple(word.split("=", 1)) for word in cell) for cell in expanded]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("layout=glob(Z*)", r"^layout=glob\(Z\*\) stands for no value; valid: CCCC, CCCT, CCTT, CTTT, ViT_REL$"),
        ("seed=range(3,3)", r"^seed=range\(3,3\) stands for no value$"),
    ],
)
def test_a_sweep_over_nothing_is_refused(word: str, sentence: str) -> None:
    with loader_of(conf_dir()) as loader, pytest.raises(InputError, match=sentence):
        expand({"params": {}, "cells": [], "pick": {}}, [word], OverridesParser.create(config_loader=loader))


def written(found: Axes) -> dict[str, str]:
    return {key: ",".join(map(str, values)) for key, values in found.items()}


def by_hand(params: Axes, cells: list[Axes]) -> set[frozenset]:
    """Enumerate the union of products one key at a time."""
    union = set()
    for cell in cells or [{}]:
        grown = [{}]
        for key in "abc":
            values = cell.get(key) or params.get(key)
            grown = [{**point, key: str(value)} for point in grown for value in values] if values else grown
        union |= {frozenset(point.items()) for point in grown}
    return union


@given(sweeps)
def test_a_sweep_is_the_union_of_its_products(sweep: tuple[Axes, list[Axes]]) -> None:
    params, cells = sweep
    assert points(written(params), [written(cell) for cell in cells]) == by_hand(params, cells)


@given(sweeps, st.sampled_from("abc"), st.integers(0, 4))
def test_a_word_takes_the_cells_that_have_its_value_or_puts_it_into_all(
    sweep: tuple[Axes, list[Axes]], key: str, value: int
) -> None:
    every = by_hand(*sweep)
    item = (key, str(value))
    narrowed = points(written(sweep[0]), [written(cell) for cell in sweep[1]], f"{key}={value}")
    if any(item in point for point in every):
        assert narrowed == {point for point in every if item in point}
    else:
        assert narrowed == {frozenset(other for other in point if other[0] != key) | {item} for point in every}


def cell(**values: Any) -> frozenset:
    return frozenset((key, str(value)) for key, value in values.items())


PAIRS = [{"a": 0, "b": 0}, {"a": 1, "b": 1}, {"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [cell(a=1, b=1), cell(a=1, b=2)]),
        (["a=0"], [cell(a=0, b=0)]),
        (["a=0,1"], [cell(a=0, b=0), cell(a=1, b=1), cell(a=1, b=2)]),
        (["a=7"], [cell(a=7, b=1), cell(a=7, b=2)]),  # a value of the user's own: in the place of the usual one
        (["b=2"], [cell(a=1, b=2)]),
        (["b=7"], [cell(a=1, b=7)]),  # two cells have become one
        (["c=0,1", "b=2"], [cell(a=1, b=2, c=0), cell(a=1, b=2, c=1)]),
    ],
)
def test_pick_holds_unless_the_command_line_says_otherwise(words: list[str], expected: list[frozenset]) -> None:
    assert points({}, PAIRS, *words, a=1) == set(expected)


def test_values_are_written_as_the_command_line_has_them() -> None:
    values = {"a": [2, [1, 1]], "b": None, "c": True, "d": {"data": "fractals", "e.f": 2}, "g": "x"}
    found = points({}, [values], "a=[2, [1,1]]")
    assert found == {cell(a="[2,[1,1]]", b="null", c="True", d="{data:fractals,e.f:2}", g="x")}


@given(st.text().filter(lambda text: "${" not in text))
def test_a_text_comes_back_as_it_is(text: str) -> None:
    override = OverridesParser.create().parse_override(word("key", text))
    assert not override.is_sweep_override()
    assert str(getattr(override.value(), "text", override.value())) == text


def test_an_interval_has_no_list_of_cells() -> None:
    with pytest.raises(InputError, match=r"a=interval\(0,1\) is not valid in a sweep; give the values, as in a=1,2,3"):
        points({}, [], "a=interval(0,1)")


def test_studies_are_not_swept_over() -> None:
    with pytest.raises(InputError, match=r"sweep=smoke,layouts is not valid; give one study at a time, as in sweep=s"):
        points({}, [], "sweep=smoke,layouts", "seed=0,1")


@pytest.mark.parametrize(
    ("study", "words", "number"),
    [
        ("layouts", [], 19),
        ("layouts", ["data=fractals"], 5),
        ("layouts", ["data=fashion_mnist,fractals", "seed=0,1"], 48),
        ("layouts", ["sweep.part=core,rest"], 29),
        ("scale", [], 25),
        ("random_labels", [], 5),
        ("data_size", [], 15),
        ("attention", [], 6),
        ("attention", ["layout=CCTT,CTTT"], 12),
        ("transfer", [], 8),
        ("relative", [], 6),
        ("stage_depth", [], 3),
        ("stage_depth", ["size=coatnet_2"], 3),
        ("stage_depth", ["size=coatnet_3"], 2),
        ("details", [], 4),
        ("details", ["network.norm=layer"], 1),
        ("smoke", [], 4),
    ],
)
@pytest.mark.slow
def test_the_studies_have_the_cells_that_their_headers_say(study: str, words: list[str], number: int) -> None:
    sweeper = compose([f"sweep={study}"], hydra_too=True).hydra.sweeper
    assert len(expand(sweeper, [f"sweep={study}", *words], OverridesParser.create())) == number
    assert study in choices("sweep")


def test_a_study_in_parts_runs_its_core_unless_asked_and_a_part_that_it_lacks_is_refused() -> None:
    cells = [{"a": "0,1", "sweep.part": "core"}, {"a": 2, "sweep.part": "rest"}]
    pick = {"sweep.part": "core"}
    core, rest = [[frozenset({("a", str(a)), ("sweep.part", part)}) for a in values] for part, values in
                  (("core", (0, 1)), ("rest", (2,)))]  # fmt: skip
    parser = OverridesParser.create()

    def of(*words: str, own: Sequence[Mapping[str, Any]] = cells) -> set[frozenset]:
        expanded = expand({"params": {}, "cells": own, "pick": pick if own else {}}, words, parser)
        return {frozenset(tuple(word.split("=", 1)) for word in cell) for cell in expanded}

    assert of() == set(core)
    assert of("sweep.part=rest") == set(rest)
    assert of("sweep.part=core,rest") == {*core, *rest}
    with pytest.raises(InputError, match=r"sweep\.part=rest does not exist; valid: core"):
        of("sweep.part=rest", own=[])
