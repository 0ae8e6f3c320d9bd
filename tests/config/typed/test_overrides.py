"""Words as they were typed: a key twice, a key removed and a group without a choice are one sentence each."""

import re

import pytest

from coatlab.config.typed.overrides import check_overrides, with_defaults
from coatlab.errors import InputError


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["seed=1", "tracker=none", "seed=2"],
            "seed is given twice, as seed=1 and seed=2; give it once, or all of its values in one word of a sweep: "
            "seed=1,2",
        ),
        (["seed=0", "seed=1", "seed=2"], "seed is given 3 times, as seed=0, seed=1 and seed=2; give it once, or all"),
        (["seed=1", "+seed=1"], "seed is given twice, as seed=1 and +seed=1; give it once"),
        (["++seed=2", "seed=1"], "seed is given twice, as ++seed=2 and seed=1; give it once"),
        (["~seed", "seed=1"], "seed is given twice, as ~seed and seed=1; give it once"),
        (["layout=CCTT", "layout=CTTT"], "layout is given twice, as layout=CCTT and layout=CTTT"),
        (["hydra.job.name=a", "hydra.job.name=b"], "hydra.job.name is given twice"),
    ],
)
def test_a_key_is_given_once(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        check_overrides(words)


def test_a_study_that_is_given_twice_is_no_sweep() -> None:
    with pytest.raises(InputError, match=r"as sweep=smoke and sweep=layouts; give it once$"):
        check_overrides(["sweep=smoke", "sweep=layouts"])


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("~seed", "~seed is not valid; keys cannot be removed; give seed another value"),
        ("~trainer.precision", "~trainer.precision is not valid; keys cannot be removed; give trainer.precision an"),
        ("~init.pretrain", "~init.pretrain is not valid"),
        (
            "tracker=null",
            "tracker=null is not valid; every run needs a choice of tracker (tracker=none stands for none); valid: "
            "csv, none, tensorboard, wandb",
        ),
        ("~tracker", "~tracker is not valid; every run needs a choice of tracker (tracker=none stands for none)"),
        ("~tracker=wandb", "~tracker=wandb is not valid; every run needs a choice of tracker"),
        ("+tracker=null", "+tracker=null is not valid; every run needs a choice of tracker"),
        ("tracker=wandb,null", "tracker=wandb,null is not valid; every run needs a choice of tracker"),
        ("init=null", "init=null is not valid; every run needs a choice of init (init=scratch stands for none)"),
        ("layout=null", "layout=null is not valid; every run needs a choice of layout; valid: CCCC, CCCT, CCTT"),
        ("sweep=null", "sweep=null is not valid; leave sweep out for a single run"),
        ("layout=5", "layout=5 does not exist; valid: CCCC, CCCT"),
        ("layout=[CCTT,CTTT]", "layout=[CCTT,CTTT] does not exist"),
        ("trainer={max_epochs:1}", "trainer={max_epochs:1} does not exist; valid: auto, cpu, ddp, gpu"),
    ],
)
def test_nothing_that_a_run_needs_is_removed(word: str, sentence: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(sentence)):
        check_overrides(["budget=matched", word])


def test_what_belongs_together_may_be_given_together() -> None:
    check_overrides(
        [
            "data=fractals", "data.train_size=1000", "+data.pad=1", "seed=0,1", "layout=CCTT,CTTT", "attention=glob(*)",
            "plan.blocks=[2,1,2,5,1],[2,1,1,6,1]", "init.pretrain={data:fractals}", "study=null", "trainer.threads=1",
            "~cluster.extra.exclude", "~cluster/site@cluster", "~hydra.job.name", "recipe='study'",
        ]
    )  # fmt: skip


def test_what_was_typed_takes_the_place_of_a_default() -> None:
    defaults = ["seed=0", "data.train_size=8000", "layout=CCCC"]
    assert with_defaults(defaults, ["++data.train_size=64", "size=tiny"]) == [
        "seed=0", "layout=CCCC", "++data.train_size=64", "size=tiny",
    ]  # fmt: skip
    assert with_defaults(defaults, ["layout=CCTT,CTTT"]) == ["seed=0", "data.train_size=8000", "layout=CCTT,CTTT"]
