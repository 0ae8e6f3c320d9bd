"""A composed config has the keys of its choices, wherever they come from, and no other."""

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from coatlab.config.compose import closed, compose, known_keys, resolve
from coatlab.config.files import choices, conf_dir
from coatlab.errors import InputError

pytestmark = pytest.mark.slow

OWN = {
    "attention/mine.yaml": "name: mine\n_target_: my.own.Attention\ndepth: 3\n",
    "attention/wide.yaml": "defaults: [window, _self_]\nname: wide\nwindow: 4\n",
    "size/mine.yaml": (
        "name: mine\nhead_size: 8\nlocal: {window: 2, kernel_size: 3}\n"
        "plans: {CCTT: {blocks: [1, 1, 1, 1, 1], widths: [8, 8, 8, 8, 8], strides: [2, 1, 2, 2, 2]}}\n"
    ),
    "cluster/site/mine.yaml": "partition: gpu\nacount: group\n",
    "sweep/good.yaml": "# @package _global_\nstudy: good\ntrainer: {max_epochs: 3}\nrecipe: {warmup_steps: 5}\n",
    "sweep/typo.yaml": "# @package _global_\nstudy: typo\ntrainer: {max_epoch: 3}\n",
    "sweep/new.yaml": "# @package _global_\nstudy: new\nmomentum: 0.9\n",
    "experiment/mine.yaml": "# @package _global_\nrecipe: {momentum: 0.9}\n",
}


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Choices of a user's own, as the word that adds their folder."""
    for name, text in OWN.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"hydra.searchpath=[file://{tmp_path}]"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["+trainer.limit_val_batches=2"],
            "the key trainer.limit_val_batches does not exist with trainer=auto (did you mean "
            "trainer.limit_train_batches?); valid: trainer.accelerator, ",
        ),
        (["+recipe.momentum=0.9"], "the key recipe.momentum does not exist with recipe=study; valid: recipe.name, "),
        (["+data.surprise=1"], "the key data.surprise does not exist with data=fashion_mnist; valid: data.name, "),
        (
            ["++trainer.max_epoch=3"],
            "the key trainer.max_epoch does not exist with trainer=auto (did you mean trainer.max_epochs?); valid: ",
        ),
        (["+foo=1"], "the key foo does not exist; valid: "),
        (["+attention.window=3"], "the key attention.window does not exist with attention=relative"),
        (
            ["attention=window", "+attention.kernel_size=3"],
            "the key attention.kernel_size does not exist with attention=w",
        ),
        (["data=fractals", "+data.sha256x=3"], "the key data.sha256x does not exist with data=fractals"),
        (["plan=null"], "plan=null is not valid; its keys are plan.blocks, plan.widths, plan.strides"),
        (["seed=1", "seed=2"], "seed is given twice, as seed=1 and seed=2"),
        (["~seed"], "~seed is not valid; keys cannot be removed"),
        (["tracker=null"], "tracker=null is not valid; every run needs a choice of tracker"),
    ],
)
def test_what_no_choice_has_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(sentence)):
        compose(words)


@pytest.mark.parametrize(
    "words",
    [
        ["++init.pretrain={data.train_size:128}"],
        ["recipe=in1k", "+recipe.per_size.lr.mine=1"],
        ["recipe.randaugment={layers:2,magnitude:5}"],
        ["+size.plans.CCTX={blocks:[1]}"],
        ["cluster=slurm", "cluster.extra={exclude:node7}"],
        ["attention._target_=my.own.Attention", "+attention.depth=3"],
        ["data._target_=my.own.Data", "+data.shard=3"],
    ],
    ids=" ".join,
)
def test_what_no_yaml_can_list_is_taken(words: list[str]) -> None:
    compose(words)


@pytest.mark.parametrize("study", choices("sweep"))
def test_every_study_has_known_keys_and_leaves_hydra_out(study: str) -> None:
    assert "hydra" not in compose([f"sweep={study}"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["attention=mine", "attention.depth=4", "size=mine"], None),
        (["attention=mine", "+attention.width=4"], "the key attention.width does not exist with attention=mine"),
        (["attention=wide"], None),
        (["sweep=good"], None),
        (
            ["sweep=typo"],
            "the key trainer.max_epoch does not exist with trainer=auto (did you mean trainer.max_epochs?)",
        ),
        (["sweep=new"], "the key momentum does not exist; valid: "),
        (["+experiment=mine"], "the key recipe.momentum does not exist with recipe=study"),
        (["cluster=slurm"], "the key cluster.acount does not exist with cluster=slurm (did you mean cluster.account?)"),
    ],
)
def test_a_choice_of_the_users_own_has_the_keys_of_its_file(own: str, words: list[str], sentence: str | None) -> None:
    if sentence is None:
        compose([own, *words])
    else:
        with pytest.raises(InputError, match="^" + re.escape(sentence)):
            compose([own, *words])


def test_a_group_that_lost_its_choice_is_refused_wherever_that_happened() -> None:
    config = compose([], hydra_too=True)
    config.hydra.runtime.choices.tracker = None
    with pytest.raises(InputError, match=r"^tracker=null is not valid; every run needs a choice of tracker"):
        closed(config)


def test_a_config_and_hydras_settings_may_come_apart() -> None:
    config = compose(["attention=window", "attention.window=4"], hydra_too=True)
    plain = closed(config)
    assert "hydra" not in plain
    assert "hydra" in config
    assert closed(plain, config.hydra) == plain
    with pytest.raises(InputError, match=r"^the key attention\.window does not exist with attention=linear"):
        config.hydra.runtime.choices.attention = "linear"
        closed(plain, config.hydra)


def test_the_keys_of_two_choices_are_those_of_both() -> None:
    both = known_keys({"attention": "window", "data": "fractals"})
    assert {"attention.window", "data.render"} <= both.keys()
    assert not {"attention.position", "data.sha256.t10k-images-idx3-ubyte", "hydra.mode"} & both.keys()


TRAINERS = {
    "cpu": {"accelerator": "cpu"},
    "gpu": {"accelerator": "gpu", "precision": "bf16-mixed"},
    "ddp": {"devices": 2, "sync_batchnorm": True},
}


@pytest.mark.parametrize("trainer", choices("trainer"))
def test_a_trainer_repeats_nothing_of_the_one_it_inherits(trainer: str) -> None:
    auto, own = (
        {
            key.partition(".")[2]: value
            for key, value in known_keys({"trainer": choice}).items()
            if key[:8] == "trainer."
        }
        for choice in ("auto", trainer)
    )
    assert list(own) == list(auto)
    changed = {key: value for key, value in own.items() if value != auto[key]}
    assert changed == TRAINERS.get(trainer, {})
    if trainer != "auto":
        assert OmegaConf.load(conf_dir() / "trainer" / f"{trainer}.yaml") == {"defaults": ["auto", "_self_"], **changed}


def test_a_size_without_a_plan_says_what_to_give() -> None:
    with pytest.raises(
        InputError, match=r"^size=coatnet_3 has no plan for layout=CCCC, only for CCTT; give plan\.blocks, "
    ):
        resolve(compose(["layout=CCCC", "size=coatnet_3"]))
    config = resolve(
        compose(["layout=CCCC", "size=coatnet_3", *(f"plan.{k}=[1]" for k in ("blocks", "widths", "strides"))])
    )
    assert config["plan"]["blocks"] == [1]


def test_the_matched_plan_takes_the_place_of_the_layouts_own() -> None:
    words = ["attention=neighborhood", "budget=matched"]
    size = compose([]).size
    assert resolve(compose(words))["plan"]["widths"] == size.matched.neighborhood.CCTT.widths != size.plans.CCTT.widths
    assert resolve(compose([*words, "plan.blocks=[1,1,1,1,1]"]))["plan"]["blocks"] == [1] * 5
    with pytest.raises(
        InputError, match=r"^budget=matched has no plan for layout=ViT_REL attention=window at size=nano; sol"
    ):
        resolve(compose(["attention=window", "budget=matched", "layout=ViT_REL"]))
