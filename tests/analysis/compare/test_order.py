"""One order of layouts and attention variants, the paper's; what is new finds its place without an entry."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.compare import order
from analysis.compare.order import (
    ATTENTIONS,
    attention_rank,
    attentions,
    in_order,
    layout_name,
    layout_rank,
    layouts,
    value_rank,
)
from coatlab.config.files import choices, conf_dir

PAPER = ["ViT_REL", "CCCC", "CCCT", "CCTT", "CTTT"]  # sec. 2.2


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of conf/ that is read in the place of the real one."""
    shutil.copytree(conf_dir(), tmp_path / "conf")
    monkeypatch.setattr(order, "conf_dir", lambda: tmp_path / "conf")
    return tmp_path / "conf"


def test_the_papers_layouts_stand_in_its_order() -> None:
    assert [name for name in layouts() if name in PAPER] == PAPER
    assert set(layouts()) == set(choices("layout"))


def test_a_new_layout_finds_its_place(conf: Path) -> None:
    for name, stem, stages in [("CCCCT", "conv", "CCCCT"), ("TTTT", "conv", "TTTT"), ("Flat", "patch", "TT")]:
        (conf / "layout" / f"{name}.yaml").write_text(f"name: {name}\nstem: {stem}\nstages: {stages}\n")
    expected = ["ViT_REL", "Flat", "CCCC", "CCCCT", "CCCT", "CCTT", "CTTT", "TTTT"]
    assert [name for name in layouts() if name in expected] == expected


def test_attentions_stand_in_the_order_of_the_papers_options_and_new_ones_behind() -> None:
    assert set(ATTENTIONS) <= set(choices("attention"))
    new = ["zeta", "alpha"]
    ordered = sorted(["none", *new, *reversed(ATTENTIONS)], key=attention_rank)
    assert ordered == [*ATTENTIONS, "alpha", "zeta", "none"]
    assert set(attentions()) == set(choices("attention"))


def test_a_vit_is_named_plainly_and_stands_with_vit_rel() -> None:
    assert layout_name("ViT_REL", "relative") == "ViT_REL"
    assert layout_name("ViT_REL", "linear") == "ViT"
    assert layout_name("CCTT", "linear") == "CCTT"
    assert sorted(["CCCC", "ViT", "ViT_REL", "another"], key=layout_rank) == ["ViT_REL", "ViT", "CCCC", "another"]


def test_names_of_several_parts_are_in_order_part_by_part() -> None:
    names = [
        "ViT_REL, relative",
        "ViT, linear",
        "CCCC, none",
        "CCTT",
        "CCTT, relative",
        "CCTT, linear, batch_size=32",
        "CCTT, linear, batch_size=128",
        "CTTT",
        "window",
        "none",
        "unchanged",
        "lr=1e-05",
        "lr=0.003",
        "norm=layer",
        "scratch finetune",
    ]
    assert in_order([*reversed(names), *names]) == names


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("layout.name", [*PAPER, "another", None]),
        ("attention.name", ["relative", "window", "linear", "another", "none"]),
        ("init.name", ["scratch", "finetune"]),
        ("data.train_size", [1000, 16000.0, float("nan")]),
        ("plan.blocks", [[2, 1, 1, 6, 1], [2, 2, 2, 18, 2], [2, 2, 14, 2, 2]]),
        ("attention.feature_map", ["elu", "softmax", None]),
    ],
)
def test_values_of_a_key_are_in_order(key: str, values: list[object]) -> None:
    backwards = values[::-1]
    assert sorted(backwards, key=lambda value: value_rank(key, value)) == values


@pytest.mark.slow
@given(st.lists(st.one_of(st.text(), st.sampled_from([*PAPER, *ATTENTIONS, "unchanged", "a=1", "a=-", "a, CCCC"]))))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    assert in_order(names) == in_order(names[::-1])
    assert len(in_order(names)) == len(set(names))
    for key in ("layout.name", "attention", "data.name"):
        assert len(sorted([*names, None, 3, 0.5], key=lambda value: value_rank(key, value))) == len(names) + 3
