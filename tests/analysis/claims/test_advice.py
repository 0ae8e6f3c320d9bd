"""What to run next is said in seeds, minutes and a command that the sweep understands."""

from dataclasses import replace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from analysis.claims.advice import advice, seed_word
from analysis.claims.decide import SUPPORTED, UNDECIDED, Finding
from analysis.claims.judge import Judgement
from coatlab.sweep.expand import expand
from tests.analysis.claims.planted import G

CLAIM = replace(G, study="layouts", rows={"data.name": ["fractals"]})


def judgement(*needed: int | None, seeds: int = 5, used: int = 5, seconds: float = 60.0) -> Judgement:
    first = Finding(G.relations[0], SUPPORTED, seeds, used)
    findings = [first, *(replace(first, verdict=UNDECIDED, needed=number, chance=0.9) for number in needed)]
    return Judgement(CLAIM, UNDECIDED, findings, seeds=range(seeds), seconds=seconds)


def test_it_says_how_many_seeds_how_long_and_the_command() -> None:
    assert advice(judgement(10, 10)) == (
        "10 seeds in all (5 more, about 5 min 0 s) settle what is undecided, each with a chance of 90% or more: "
        "python src/train.py sweep=layouts data=fractals seed=0,1,2,3,4,5,6,7,8,9"
    )
    assert "(35 more) settle 1 of 2 undecided relations, with a chance of 90%: " in advice(
        judgement(40, None, seconds=float("nan"))
    )
    assert "'seed=range(0,20)'" in advice(judgement(20))


def test_it_is_silent_where_nothing_is_undecided_or_nothing_would_settle_it() -> None:
    assert advice(judgement()) == ""
    assert advice(judgement(None, None)) == ""
    assert advice(replace(judgement(10), seeds=())) == ""


def test_before_the_first_look_it_names_that() -> None:
    assert advice(judgement(None, seeds=1, used=1)).startswith(
        "The first look needs 3 seeds (2 more, about 2 min 0 s): "
    )


@pytest.mark.parametrize(
    ("seeds", "needed", "word"),
    [
        ([0, 1], 3, "0,1,2"),
        ([], 3, "0,1,2"),
        ([4, 7], 3, "4,7,8"),
        (range(3), 20, "range(0,20)"),
        (range(5), 3, "0,1,2"),
    ],
)
def test_the_seeds_are_those_that_there_are_and_the_next_ones(seeds: list[int], needed: int, word: str) -> None:
    assert seed_word(seeds, needed) == f"seed={word}"
    cells = expand({"params": {}, "cells": [], "pick": {}}, [seed_word(seeds, needed)], OverridesParser.create())
    assert len(cells) == needed
