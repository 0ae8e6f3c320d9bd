"""Orderings are read as the paper writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.claims.ordering import SIGNS, Relation, names_of, parse
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
