"""What to run next is said in seeds, minutes and a command that the sweep understands."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from analysis.claims.advice import PRETRAININGS, advice, first_runs, seed_word
from analysis.claims.claim import Claim, load_claims
from analysis.claims.decide import SUPPORTED, UNDECIDED, Finding
from analysis.claims.judge import Judgement, names_in
from analysis.claims.ordering import names_of
from analysis.compare.finished import Lack
from analysis.read.folders import load
from coatlab.sweep.expand import expand
from tests.analysis.claims.planted import G
from tests.support.made_runs import make_study

CLAIM = replace(G, study="layouts", names="layout.name", rows={"data.name": ["fractals"]})


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


def test_where_seeds_have_no_number_it_names_the_trainings_that_give_them_one() -> None:
    """The seeds are there, so running them again would change nothing."""
    fine = Finding(G.relations[0], UNDECIDED, seeds=3, used=3)
    short = Finding(G.relations[3], UNDECIDED, seeds=2, used=2)  # CTTT >> ViT_REL
    lacks = (Lack("ViT_REL", [1], [57], 60.0), Lack("CTTT", [0, 2], [42, 6], 120.0), Lack("CCCC", [0], [99], 1.0))
    one = Judgement(CLAIM, UNDECIDED, [fine, short], seeds=range(3), seconds=60.0, lacks=lacks)
    begin = "python src/train.py sweep=layouts data=fractals layout="
    assert advice(one) == (
        "Some seeds cannot be compared yet; 5 more trainings, of ViT_REL and CTTT, may change that (about 3 min 0 s): "
        f"{begin}ViT_REL trainer.max_epochs=57 seed=1 && {begin}CTTT trainer.max_epochs=42,6 seed=0,2"
    )
    assert advice(replace(one, findings=[fine])) == ""  # all have been looked at


def test_seeds_without_a_number_that_stay_so_are_not_offered_again() -> None:
    """A seed that diverged never has one: three others are needed."""
    short = Finding(G.relations[0], UNDECIDED, seeds=2, used=2)
    told = advice(Judgement(CLAIM, UNDECIDED, [short], seeds=range(3), seconds=60.0))
    assert told == (
        "The first look needs 3 seeds (1 more, about 1 min 0 s): "
        "python src/train.py sweep=layouts data=fractals seed=0,1,2,3"
    )


@pytest.mark.slow
@pytest.mark.parametrize("claim", load_claims(), ids=lambda claim: claim.key)
def test_the_command_makes_the_runs_that_a_claim_is_about_and_no_others(claim: Claim, tmp_path: Path) -> None:
    words = shlex.split(first_runs(Judgement(claim, UNDECIDED, [])))[3:]
    make_study(tmp_path, claim.study, *words)
    runs = load(tmp_path, claim.study).complete
    about = runs[claim.rows_of(runs)]
    assert set(names_in(claim, about)) >= set(names_of(claim.relations))
    if words != PRETRAININGS:  # with which only what the cells start from is trained
        assert set(runs.index) - set(about.index) <= set(about.get("init.donor", ()))


def test_the_command_names_what_the_study_has_not_by_itself() -> None:
    (claim,) = [one for one in load_claims("attention") if one.key == "A in CTTT"]
    other = replace(claim, rows={**claim.rows, "data.image_size": [64]})
    told = first_runs(Judgement(other, UNDECIDED, []))
    assert told == "python src/train.py sweep=attention layout=CTTT data.image_size=64"
    unknown = replace(other, study="nobodys", rows={"data.image_size": [32]})
    assert first_runs(Judgement(unknown, UNDECIDED, [])) == "python src/train.py sweep=nobodys"


def test_a_panel_has_its_own_words() -> None:
    rows: dict[str, list[Any]] = {
        "data.name": ["fashion_mnist"],
        "size.name": ["tiny"],
        "rates": ["tuned"],
        "recipe.name": ["tuned"],
    }
    one = replace(judgement(), claim=replace(CLAIM, rows=rows))
    assert first_runs(one).endswith("sweep=layouts data=fashion_mnist size=tiny recipe=tuned")  # each word once
