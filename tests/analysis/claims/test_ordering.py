"""Orderings are read as the paper writes them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.claims.ordering import SIGNS, Relation, names_of, parse, relations_of
from coatlab.errors import InputError


def test_the_papers_ordering_is_read() -> None:
    relations = parse("CCCC ≈ CCCT >= CCTT > CTTT >> ViT_REL")
    assert [str(relation) for relation in relations] == [
        "CCCC ≈ CCCT",
        "CCCT >= CCTT",
        "CCTT > CTTT",
        "CTTT >> ViT_REL",
    ]
    assert names_of(relations) == ["CCCC", "CCCT", "CCTT", "CTTT", "ViT_REL"]
    assert parse(" CCCC ~= CCCT ≥ CCTT > CTTT ≫ ViT_REL ") == relations


@given(
    st.lists(st.text("abcXYZ_019.-", min_size=1), min_size=2, max_size=6, unique=True),
    st.lists(st.sampled_from(SIGNS), min_size=5, max_size=5),
)
def test_what_is_written_is_read_back(names: list[str], signs: list[str]) -> None:
    text = names[0] + "".join(f" {sign} {name}" for sign, name in zip(signs, names[1:], strict=False))
    expected = [Relation(a, sign, b) for a, sign, b in zip(names, signs, names[1:], strict=False)]
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CCCC", "needs at least two names, each once"),
        ("CCCC > CCCC", "each once"),
        ("CCCC < CCTT", "cannot be read at 'CCCC < CCTT'"),
        ("CCCC >CCTT", "cannot be read at 'CCCC >CCTT'; valid: names and, between spaces, ≈, >=, >, >>"),
        ("CCCC > ", "cannot be read at 'CCCC >'"),
        ("", "cannot be read at ''"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        parse(text)


def test_a_chain_implies_the_pairs_that_margins_add_up_in() -> None:
    def implied(ordering: str) -> list[str]:
        return [str(relation) for relation in relations_of(ordering) if relation.implied]

    assert implied("CCCC ≈ CCCT >= CCTT > CTTT >> ViT_REL") == ["CCCC >= CCTT", "CCCT > CTTT", "CCCC > CTTT"]
    assert implied("CCTT ≈ CTTT > ViT_REL > CCCT > CCCC") == ["CCTT > ViT_REL"]
    assert implied("V0 > V2 > V1") == []
    assert implied("a ≈ b ≈ c") == ["a ≈ c"]
    assert relations_of("a >= b > c")[:2] == parse("a >= b > c")


def holds(sign: str, difference: float) -> bool:
    """Tell whether a relation is true, if `about` is 1 and `far` is 3."""
    return {"≈": abs(difference) < 1, ">=": difference > -1, ">": difference > 0, ">>": difference > 3}[sign]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(SIGNS), min_size=2, max_size=3))
def test_what_is_listed_implies_every_pair_and_nothing_that_is_listed_follows_from_the_rest(signs: list[str]) -> None:
    names = "abcd"[: len(signs) + 1]
    relations = relations_of(names[0] + "".join(f" {sign} {name}" for sign, name in zip(signs, names[1:], strict=True)))
    needed = set()
    for steps in itertools.product([-0.9, -0.4, 0.1, 0.6, 3.2, 4.0, 6.0], repeat=len(signs)):
        place = dict(zip(names, np.cumsum([0, *steps]), strict=True))  # left minus right is what lies between them
        failing = [one for one in relations if not holds(one.sign, place[one.right] - place[one.left])]
        if not failing:
            for (i, left), (j, right) in itertools.combinations(enumerate(names), 2):
                assert holds(max(signs[i:j], key=SIGNS.index), place[right] - place[left])
        if len(failing) == 1:
            needed |= set(failing)
    assert {one for one in relations if one.implied} <= needed
