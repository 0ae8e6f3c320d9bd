"""A config that is put together from what was composed before is the one that Hydra composes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from coatlab.config import composition as module
from coatlab.config.compose import closed, compose, known_keys, resolve
from coatlab.config.composer import composed
from coatlab.config.files import choices, conf_dir
from coatlab.errors import InputError

pytestmark = pytest.mark.slow

# a choice whose file sets another group's key, and one that overrides another group, to what the defaults have
OWN = {
    "data/global.yaml": "# @package _global_\ndefaults: [/data/fractals@data]\ntrainer: {max_epochs: 15}\n",
    "network/other.yaml": "defaults: [coatnet, override /recipe: in1k]\n",
    "init/mine.yaml": "name: scratch\nrun: null\npretrain: null\npretrain_only: false\ndonor: null\n",
    "mine/one.yaml": "# @package _global_\nseed: 7\n",
}
GROUPS = ("layout", "attention", "size", "data", "recipe", "trainer", "cluster", "tracker", "init", "network")
VALUES = (
    "seed=3", "study=mine", "data.train_size=null", "plan.blocks=[1,1,2,1,1]", "recipe.lr=0.25", "budget=matched",
    "init.pretrain={data:fractals,trainer.max_epochs:2}", "+recipe.per_size.lr.mine=1", "++trainer.max_epochs=3",
    "data.split_seed=${seed}", "paths.runs='a, b'", "trainer.eval_at=[10,20]", "hydra.verbose=true", "plan=null",
    "data._target_=my.own.Data", "+data.shard=3", "+seed=4", "+foo=1", "trainer.max_epoch=3", "trainer.precision=[]",
)  # fmt: skip


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    module._composition.cache_clear()
    module._whole.cache_clear()
    yield
    module._composition.cache_clear()
    module._whole.cache_clear()


def of_hydra(words: list[str], folders: tuple[str, ...] = ()) -> DictConfig:
    config = composed(conf_dir(), words, folders)
    return closed(config)


def outcome(make: Any, *arguments: Any) -> Any:
    """Return a config, or whether it was refused; Hydra words some refusals, and the command line words them again."""
    try:
        return make(*arguments)
    except InputError as error:
        return str(error)
    except Exception as error:
        return type(error)


words = st.tuples(
    st.fixed_dictionaries({}, optional={group: st.sampled_from(choices(group)) for group in (*GROUPS, "sweep")}),
    st.lists(st.sampled_from(VALUES), max_size=3, unique_by=lambda word: word.lstrip("+").partition("=")[0]),
)


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])  # shrinking would compose for minutes
@given(words)
def test_it_is_what_hydra_composes(words: tuple[dict[str, str], list[str]]) -> None:
    every = [f"{group}={choice}" for group, choice in words[0].items()] + words[1]
    ours, theirs = outcome(compose, every), outcome(of_hydra, every)
    assert ours == theirs
    if isinstance(ours, DictConfig) and isinstance(theirs, DictConfig):
        assert list(ours) == list(theirs)
        assert outcome(resolve, ours) == outcome(resolve, theirs)


@pytest.mark.parametrize(
    "words",
    [
        ["data=global", "trainer=gpu"],
        ["data=global", "trainer.max_epochs=2"],
        ["network=other"],
        ["network=other", "recipe=study"],
        ["init=mine", "layout=CTTT"],
        ["+mine=one", "layout=CTTT"],
        ["+mine=one", "seed=3"],
    ],
    ids=" ".join,
)
def test_choices_of_the_users_own_may_change_more_than_their_group(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in OWN.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "FEW", 0)
    folders = (f"file://{tmp_path}",)
    assert outcome(compose, words, False, folders) == outcome(of_hydra, words, folders)


def test_a_choice_is_composed_once_whatever_it_is_combined_with(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def counting(*arguments: Any) -> DictConfig:
        asked.append(arguments)
        return composed(*arguments)

    monkeypatch.setattr(module, "composed", counting)
    for layout in ("CCTT", "CTTT", "CCCC"):
        for attention in ("relative", "window", "linear"):
            for seed in range(3):
                assert (
                    compose([f"layout={layout}", f"attention={attention}", f"seed={seed}"]).attention.name == attention
                )
    assert len(asked) <= module.FEW + 5  # the defaults, two other layouts, two other attentions


def test_a_config_is_nobody_elses() -> None:
    compose(["seed=1"]).recipe.lr = 7
    assert compose(["seed=1"]).recipe.lr != 7


@pytest.mark.parametrize(
    "chosen",
    [{}, {"attention": "linear", "data": "webdataset", "trainer": "ddp"}, {"cluster": "slurm", "init": "finetune"}],
)
def test_a_combination_has_the_keys_of_its_choices(chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = known_keys(chosen)
    module._composition.cache_clear()
    monkeypatch.setattr(module, "FEW", 0)
    assert known_keys(chosen) == whole
