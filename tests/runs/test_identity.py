"""One experiment has one fingerprint however it is spelled; any other setting changes it, unless opted out."""

import copy
import csv
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatlab.config.compose import compose, known_keys, resolve
from coatlab.config.files import choices
from coatlab.config.targets import python_path
from coatlab.config.words import flatten
from coatlab.errors import InputError
from coatlab.runs.identity import (
    AS_BEFORE,
    OPTED_OUT,
    PER_SEED,
    diff,
    experiment,
    fingerprint,
    folder_name,
    per_seed,
    plan_name,
)


def config(*overrides: str) -> dict[str, Any]:
    return resolve(compose(list(overrides)))


BASE = config()
COUNTED = sorted(experiment(BASE))


def with_value(key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(BASE)
    node = changed
    *path, last = key.split(".")
    for name in path:
        node = node[name]
    node[last] = value
    return changed


@pytest.mark.parametrize("key", COUNTED)
def test_every_counted_key_changes_the_fingerprint(key: str) -> None:
    if "sha256" in key:
        return
    changed = with_value(key, "CTTT" if key == "layout.stages" else [9, 9, 9, 9, 9] if "plan." in key else "other")
    assert fingerprint(changed) != fingerprint(BASE)
    assert key in diff(BASE, changed)


@pytest.mark.parametrize("key", [k for k in flatten(BASE) if any(k == o or k.startswith(o + ".") for o in OPTED_OUT)])
def test_no_opted_out_key_changes_the_fingerprint(key: str) -> None:
    assert fingerprint(with_value(key, "other")) == fingerprint(BASE)
    assert diff(BASE, with_value(key, "other")) == {}


@pytest.mark.parametrize(("key", "value"), AS_BEFORE.items())
def test_a_later_setting_counts_unless_it_has_the_value_that_means_as_before(key: str, value: object) -> None:
    older = copy.deepcopy(BASE)
    group, _, name = key.partition(".")
    assert older[group].pop(name) == value
    assert fingerprint(older) == fingerprint(BASE)
    changed = with_value(key, "other")
    assert fingerprint(changed) != fingerprint(BASE)
    assert diff(older, changed) == {key: (value, "other")}


def test_images_that_are_drawn_are_those_before_there_was_a_split_unless_it_is_given() -> None:
    base, other = config("data=fractals"), config("data=fractals", "data.split_seed=1")
    assert "data.split_seed" not in experiment(base)
    assert diff(base, other) == {"data.split_seed": (None, 1)}
    assert experiment(BASE)["data.split_seed"] == 0


@pytest.mark.parametrize(
    ("pairs", "follows"),
    [
        ([(0, 0)], True),
        ([(0, 0), (1, 1), (7, 7)], True),
        ([(0, 0), (1, 0)], False),  # fixed
        ([(3, 3), (4, 3)], False),
        ([(0, 0), (1, 1), (1, 0)], False),  # mixed: two experiments
    ],
)
def test_a_split_differs_as_the_seed_does_where_it_follows_it_in_every_run(
    pairs: list[tuple[int, int]], follows: bool
) -> None:
    configs = [{"seed": seed, "data": {"split_seed": split}} for seed, split in pairs]
    assert per_seed(configs) == (*PER_SEED, *(["data.split_seed"] if follows else []))
    if configs[0]["seed"] == 0:
        configs[0]["data"] = {}  # of fractals before there was the key
        assert ("data.split_seed" in per_seed(configs)) == follows


@pytest.mark.slow
def test_every_opt_out_exists() -> None:
    groups = ("attention", "data", "init", "recipe", "size")
    known = {key for group in groups for choice in choices(group) for key in known_keys({group: choice})} | {"hydra"}
    assert not [o for o in OPTED_OUT if not any(key == o or key.startswith(f"{o}.") for key in known)]


@given(st.randoms())
@pytest.mark.slow
def test_order_of_keys_does_not_count(random: Any) -> None:
    def shuffled(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        keys = list(node)
        random.shuffle(keys)
        return {key: shuffled(node[key]) for key in keys}

    assert fingerprint(shuffled(BASE)) == fingerprint(BASE)


@given(st.integers(0, 2**53))
def test_a_whole_float_is_its_integer(value: int) -> None:
    assert fingerprint(with_value("seed", float(value))) == fingerprint(with_value("seed", value))


def test_a_layout_without_attention_is_one_experiment_whatever_the_attention() -> None:
    one, other = config("layout=CCCC"), config("layout=CCCC", "attention.name=window", "plan.head_size=8")
    assert fingerprint(one) == fingerprint(other)
    assert folder_name(one).startswith("CCCC-none-nano-fashion_mnist-s0-")
    assert fingerprint(config("attention.name=window")) != fingerprint(BASE)


def test_a_layout_without_convolution_ignores_mbconvs_settings() -> None:
    assert fingerprint(config("layout=ViT_REL")) == fingerprint(config("layout=ViT_REL", "network.norm=layer"))
    assert fingerprint(BASE) != fingerprint(config("network.norm=layer"))


def test_the_plan_counts_and_other_layouts_plans_do_not() -> None:
    other = copy.deepcopy(BASE)
    other["size"]["plans"]["CCCC"]["blocks"] = [9, 9, 9, 9, 9]
    assert fingerprint(other) == fingerprint(BASE)
    assert set(diff(BASE, config("plan.blocks=[2,1,2,4,1]"))) == {"plan.blocks"}


def test_where_it_runs_does_not_count() -> None:
    elsewhere = config("trainer=cpu", "tracker=none", "trainer.threads=1", "data.root=/x", "paths.runs=/y", "study=z")
    assert folder_name(elsewhere) == folder_name(BASE)


def test_the_fingerprint_is_stable() -> None:
    fixed = {"layout": {"stages": "CCTT"}, "plan": {"blocks": [1]}, "seed": 0}
    assert fingerprint(fixed) == "fd1ac38e52f3794a"


@pytest.mark.parametrize("attention", choices("attention"))
@pytest.mark.slow
def test_every_variant_is_an_experiment_of_its_own_unless_the_layout_has_no_attention(attention: str) -> None:
    assert fingerprint(config("layout=CCCC", f"attention={attention}")) == fingerprint(config("layout=CCCC"))
    different = attention != "relative"
    for layout in ("CCTT", "ViT_REL"):
        other, base = config(f"layout={layout}", f"attention={attention}"), config(f"layout={layout}")
        assert (fingerprint(other) != fingerprint(base)) == different
        assert all(key.startswith("attention.") for key in diff(other, base))


def test_settings_that_an_attention_ignores_are_dropped() -> None:
    def linear(*words: str) -> str:
        return fingerprint(config("attention=linear", *words))

    assert linear("attention.features=64") == linear()
    assert linear("attention.feature_map=favor", "attention.features=64") != linear("attention.feature_map=favor")
    near = [config("attention=neighborhood", f"attention.implementation={word}") for word in ("auto", "tiles")]
    assert fingerprint(near[0]) == fingerprint(near[1])


@pytest.mark.slow
def test_identity_and_records_never_import_torch() -> None:
    modules = "coatlab.runs.identity, coatlab.runs.record, coatlab.runs.run, coatlab.config.rules, analysis.commands"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_of_a_value_per_size_only_the_one_in_use_counts() -> None:
    by_table, by_hand = config("recipe=jft"), config("recipe=jft", "recipe.lr=0.001", "recipe.stochastic_depth=0")
    other = config("recipe=jft", "recipe.per_size.lr.coatnet_5=1")
    assert fingerprint(by_table) == fingerprint(by_hand) == fingerprint(other)
    assert set(diff(by_table, config("recipe=jft", "recipe.per_size.lr.nano=1"))) == {"recipe.lr"}


@pytest.mark.slow
def test_of_a_rate_per_layout_only_the_one_in_use_counts() -> None:
    words = ("recipe=tuned", "data=fractals", "layout=CCTT", "recipe.per_layout.lr.fractals.CCTT=0.002")
    tuned = config(*words)
    assert tuned["recipe"]["lr"] == 0.002
    for other in ("recipe.per_layout.lr.fractals.CTTT=0.5", "+recipe.per_layout.lr.fashion_mnist={CCTT: 0.5}"):
        assert fingerprint(config(*words, other)) == fingerprint(tuned)
    assert set(diff(tuned, config("data=fractals", "layout=CCTT", "recipe.lr=0.002"))) == {"recipe.name"}


def test_a_class_is_named_by_its_choice_and_never_by_its_python_path() -> None:
    assert not [key for key in flatten(config("attention=window", "data=fractals")) if "_target_" in key]
    renamed = config("data=webdataset", "data.name=mine")
    assert renamed["data"]["_target_"] == "webdataset"
    assert python_path("data", renamed["data"]) == "coatlab.data.webdataset.WebDataset"
    with pytest.raises(InputError, match=r"attention\.name=mine does not exist.*valid: absolute, "):
        python_path("attention", {"name": "mine"})


def test_another_class_under_the_same_name_is_another_experiment() -> None:
    window = compose(["attention=window"]).attention["_target_"]
    ours, theirs = config(f"attention._target_={window}"), config("attention._target_=my.own.Attention")
    assert set(diff(ours, BASE)) == set(diff(theirs, BASE)) == {"attention._target_"}
    assert ours["attention"]["_target_"] == "window"
    assert theirs["attention"]["_target_"] == python_path("attention", theirs["attention"]) == "my.own.Attention"


GOLDEN = Path(__file__).with_name("fingerprints.csv")


@pytest.mark.parametrize("row", list(csv.DictReader(GOLDEN.open())), ids=lambda row: row["words"] or "default")
def test_no_refactoring_changes_an_identity(row: dict[str, str]) -> None:
    """An intended change bumps the schema of records and updates this file."""
    assert fingerprint(config(*shlex.split(row["words"]))) == row["fingerprint"]


@pytest.mark.parametrize(
    ("words", "used"),
    [
        ("", "reference"),
        ("plan.blocks=[2,1,3,4,1]", "reference"),  # as it is anyway
        ("plan.blocks=[2,1,1,6,1]", "typed"),
        ("plan.strides=[2,2,2,2,2]", "typed"),
        ("attention=window budget=matched", "matched"),
        ("attention=window budget=matched plan.blocks=[1,1,1,1,1]", "typed"),
        ("attention=window budget=reference", "reference"),
        ("attention=relative budget=matched", "matched"),  # whose plan is the reference
        ("layout=CCCC budget=matched", "matched"),
        ("size=coatnet_0 data.image_size=224", "reference"),
    ],
)
def test_a_plan_is_called_by_the_budget_that_it_is_of(words: str, used: str) -> None:
    assert plan_name(resolve(compose(words.split()))) == used
