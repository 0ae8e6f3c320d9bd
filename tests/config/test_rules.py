"""Every bad setting is one sentence that names its key, its value and what is valid; every key has a rule."""

import re
from functools import cache
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from coatlab.config.compose import compose, known_keys, resolve
from coatlab.config.files import choices, groups
from coatlab.config.keys import is_free_form
from coatlab.config.rules import CHECKED_TOGETHER, RULES, check
from coatlab.errors import InputError


@cache
def composed(*chosen: str) -> DictConfig:
    return compose(list(chosen))


def config(*words: str) -> dict[str, Any]:
    """Compose the groups, which takes long, once, and give the other keys their values afterwards, as Hydra does."""
    parsed = OverridesParser.create().parse_overrides(list(words))
    changed = composed(*(str(word.input_line) for word in parsed if word.key_or_group in groups())).copy()
    for word in parsed:
        if word.key_or_group not in groups():
            OmegaConf.update(changed, word.key_or_group, word.value())
    return resolve(changed)


@cache
def every_key() -> set[str]:
    """Return the keys that any choice of any group has."""
    chosen = [(group, choice) for group in groups() if group != "sweep" for choice in choices(group)]
    return {key for group, choice in chosen for key in known_keys({group: choice})}


def test_the_defaults_are_valid() -> None:
    check(config())


@pytest.mark.slow
def test_every_key_has_a_rule() -> None:
    """Or CHECKED_TOGETHER says what checks it instead, or FREE_FORM why nothing can."""
    assert not {key for key in every_key() - {*RULES, *CHECKED_TOGETHER} if not is_free_form(key)}


def test_every_rule_is_for_a_key_that_exists() -> None:
    assert not {*RULES, *CHECKED_TOGETHER} - every_key() - {"recipe.randaugment.layers"}


@pytest.mark.parametrize(
    ("choice", "override", "sentence"),
    [
        ("absolute", "position=sine", "attention.position=sine does not exist; valid: learned, none"),
        ("window", "window=0", "attention.window=0 is not valid; it must be a whole number of at least 1"),
        ("neighborhood", "kernel_size=4", "attention.kernel_size=4 is not valid; it must be an odd whole number"),
        ("neighborhood", "kernel_size=-3", "attention.kernel_size=-3 is not valid"),
        ("neighborhood", "implementation=fast", "attention.implementation=fast does not exist; valid: auto, flex"),
        ("linear", "feature_map=relu", "attention.feature_map=relu does not exist"),
        ("linear", "features=0", "attention.features=0 is not valid"),
    ],
)
def test_bad_settings_of_an_attention_are_refused(choice: str, override: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        check(config(f"attention={choice}", f"attention.{override}"))


def test_random_labels_are_not_rendered_from() -> None:
    check(config("data=fractals", "data.random_labels=true"))
    with pytest.raises(InputError, match=r"data\.random_labels=true is not valid with data\.render=device"):
        check(config("data=fractals", "data.random_labels=true", "data.render=device"))


def test_an_endless_data_set_needs_epochs_that_end() -> None:
    with pytest.raises(InputError, match=r"data\.train_size=null is not valid for data=fractals"):
        check(config("data=fractals", "data.train_size=null"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["recipe=in1k", "size=coatnet_4", "data.image_size=224"],
            "recipe=in1k has no stochastic_depth for size=coatnet_4, only for coatnet_0, coatnet_1, coatnet_2, "
            "coatnet_3, nano, tiny, small; give recipe.stochastic_depth=... or choose another size",
        ),
        (
            ["recipe=in1k_finetune", "size=coatnet_4", "recipe.stochastic_depth=0.7"],
            "recipe=in1k_finetune has no randaugment.magnitude for size=coatnet_4, only for coatnet_0",
        ),
        (["recipe=jft", "size=coatnet_0", "recipe.stochastic_depth=0.1"], "recipe=jft has no lr for size=coatnet_0"),
        (
            ["recipe=tuned", "data=cifar10", "layout=CCTT"],
            "recipe=tuned has no learning rate for data=cifar10 and layout=CCTT, only for data=fashion_mnist, "
            "fractals; find one with sweep=tune data=cifar10 layout=CCTT, or give recipe.lr=...",
        ),
        (
            ["recipe=in21k", "recipe.warmup_steps=7"],
            "recipe.warmup_steps=7 and recipe.warmup_epochs=5 each set the length of the warm-up; set all but one of "
            "them to 0",
        ),
        (["recipe.warmup_share=0.1"], "recipe.warmup_steps=100 and recipe.warmup_share=0.1 each set the length"),
        (["recipe.warmup_share=1.1"], "recipe.warmup_share=1.1 is not valid; it must be a number of at least 0 and at"),
        (["recipe=in1k", "recipe.randaugment.magnitude=31"], "recipe.randaugment.magnitude=31 is not valid"),
        (["recipe=in1k", "recipe.randaugment.layers=0"], "recipe.randaugment.layers=0 is not valid"),
        (["recipe.randaugment=9"], "recipe.randaugment=9 is not valid; valid: null or {layers: 2, magnitude: 15}"),
        (["recipe.randaugment={layers:2}"], "recipe.randaugment={layers:2} is not valid"),
        (["recipe.mixup_alpha=0"], "recipe.mixup_alpha=0 is not valid; it must be a number of at least 0.001"),
        (["recipe.batch_size=0"], "recipe.batch_size=0 is not valid; it must be a whole number of at least 1"),
        (["recipe.scale_lr=maybe"], "recipe.scale_lr=maybe does not exist; valid: true, false"),
        (["recipe.center_crop=0.875"], "recipe.center_crop=0.875 does not exist; valid: true, false"),
        (["recipe.warmup_epochs=-1"], "recipe.warmup_epochs=-1 is not valid"),
    ],
)
def test_bad_settings_of_a_recipe_are_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        check(config(*words))


@pytest.mark.parametrize("recipe", [name for name in choices("recipe") if name != "study"])
def test_a_size_that_a_recipe_does_not_list_may_be_given_its_values_by_hand(recipe: str) -> None:
    by_hand = ["stochastic_depth=0.1", "lr=1e-3", "randaugment=null"]
    words = [f"recipe={recipe}", "size=coatnet_6", "data.image_size=224", "layout=CCTT"]
    check(config(*words, *(f"recipe.{word}" for word in by_hand)))


def test_randaugment_can_be_added_where_it_is_off() -> None:
    added = config("recipe=in21k", "recipe.randaugment={layers:2,magnitude:5}")
    check(added)
    assert added["recipe"]["randaugment"] == {"layers": 2, "magnitude": 5}


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed=-1", "seed=-1 is not valid; it must be a whole number of at least 0"),
        (
            "seed=4294967296",
            "seed=4294967296 is not valid; it must be a whole number of at least 0 and at most 4294967295",
        ),
        ("seed={a:1}", "seed={a:1} is not valid; it must be a whole number"),
        ("study=5", "study=5 is not valid; it must be text"),
        ("paths.runs=2024", "paths.runs=2024 is not valid; it must be text"),
        ("paths.runs=null", "paths.runs=null is not valid; it must be text"),
        ("trainer.devices={a:1}", "trainer.devices={a:1} is not valid"),
        ("trainer.keep_freed_memory=off", "trainer.keep_freed_memory=off does not exist; valid: true, false"),
        ("tracker.name=wandbb", r"did you mean wandb\?"),
        ("data.train_size=abc", "data.train_size=abc is not valid; it must be a whole number"),
        ("data.train_size=0", "at least 1"),
        ("data.train_size=true", "whole number"),
        ("data.train_size=100", "data.batch_size=128 is larger than data.train_size=100"),
        ("data.batch_size=1.5", "data.batch_size=1.5"),
        (
            "data.mean=[0.1,0.2,0.3]",
            r"data.mean=\[0.1,0.2,0.3\] is not valid for data.channels=1; it must be a list of one number, or",
        ),
        ("data.pad=-1", "data.pad=-1 is not valid; it must be a whole number of at least 0"),
        ("data.mean=[a]", r"data.mean=\[a\] is not valid for data.channels=1"),
        ("data.std=[0]", r"data.std=\[0\] is not valid; it must be above 0"),
        ("data.root=5", "data.root=5 is not valid; it must be text"),
        ("data.name=in21k/winter", "data.name=in21k/winter is not valid; it must be a name of letters, digits"),
        ("attention.name=..", "attention.name=.. is not valid; it must be a name"),
        ("data.name=../../x", "data.name=../../x is not valid; it must be a name"),
        ("size.name=../x", "size.name=../x is not valid; it must be a name"),
        ("recipe.name=a/b", "recipe.name=a/b is not valid; it must be a name"),
        ("data.root=", "data.root= is not valid; it must be a path"),
        ("data.cache=", "data.cache= is not valid; it must be a path"),
        ("paths.runs=", "paths.runs= is not valid; it must be a path"),
        ("plan.pad=3", "plan.pad=3 does not exist; valid: true, false"),
        ("data.channels=true", "data.channels=true does not exist; valid: 1, 3"),
        ("recipe.lr=inf", "recipe.lr=inf is not valid; it must be a number above 0"),
        ("data.std=0.3", "data.std=0.3 is not valid for data.channels=1"),
        ("data.image_size=33", "image_size=33 is not divisible by 16"),
        ("recipe.loss=hinge", "recipe.loss=hinge does not exist; valid: softmax, sigmoid"),
        ("recipe.schedule=cosin", r"did you mean cosine\?"),
        ("recipe.lr=-1", "recipe.lr=-1 is not valid; it must be a number above 0"),
        ("recipe.lr=0", "recipe.lr=0 is not valid; it must be a number above 0"),
        ("recipe.gradient_clip=0", "recipe.gradient_clip=0 is not valid; it must be a number above 0"),
        ("recipe.lr=1e-6", "recipe.min_lr=1e-05 is above recipe.lr=1e-06"),
        ("recipe.label_smoothing=2", "at most 1"),
        ("network.pool=min", "network.pool=min does not exist; valid: max, average"),
        ("trainer.precision=8", "trainer.precision=8 does not exist; valid: 32-true"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0"),
        ("trainer.compile=3", "trainer.compile=3 does not exist; valid: true, false"),
        ("trainer.channels_last=no_idea", "trainer.channels_last=no_idea"),
        ("trainer.deterministic=maybe", "trainer.deterministic=maybe"),
        ("trainer.keep_freed_memory=8GB", "trainer.keep_freed_memory=8GB"),
        ("trainer.progress=bar", "trainer.progress=bar"),
        ("tracker.mode=on", "tracker.mode=on does not exist; valid: auto"),
        ("plan.widths=[1,2]", r"plan.widths=\[1, 2\] has 2 entries"),
    ],
)
def test_bad_values_are_refused(override: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check(config(override))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("cluster.setup=module load cuda", "it must be a list of text, as in [module load cuda]"),
        ("cluster.setup=[5]", "it must be a list of text"),
        ("cluster.extra=exclude", "it must be options of sbatch by name, as in {exclude: node7}"),
        ("cluster.cpus={a:1}", "it must be a whole number"),
    ],
)
def test_bad_settings_of_slurm_are_refused(override: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"{override.partition('=')[0]}=") + ".*" + re.escape(sentence)):
        check(config("cluster=slurm", override))
    good = ["cluster.setup=[module load cuda]", "cluster.extra={exclude: node7, mail-type: FAIL}"]
    check(config("cluster=slurm", *good))
