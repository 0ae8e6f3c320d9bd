"""A setting that was typed and does nothing is refused; one that does something, or says what is so anyway, is not."""

import re

import pytest
from omegaconf import DictConfig

from coatlab.config.compose import closed, compose
from coatlab.errors import InputError
from coatlab.runs.effect import check_effect, check_launcher


def composed(*words: str) -> tuple[DictConfig, DictConfig]:
    config = compose(list(words), hydra_too=True)
    return closed(config), config.hydra


def check(*words: str) -> None:
    config, hydra = composed(*words)
    check_launcher(config, hydra, sweeps=False)
    check_effect(config, hydra, [word for word in words if not word.lstrip("+").startswith("hydra")])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("hydra/launcher=coatlab_slurm", "hydra/launcher=coatlab_slurm has no effect on a single run, which"),
        ("hydra/launcher=coatlab_local", "hydra/launcher=coatlab_local has no effect on a single run"),
        ("cluster=slurm", "cluster=slurm has no effect on a single run, which this process trains; add --multirun"),
        ("+hydra.launcher.n_jobs=4", "+hydra.launcher.n_jobs=4 has no effect on a single run"),
        ("hydra.sweep.dir=x", "hydra.sweep.dir=x has no effect on a single run"),
        ("sweep=smoke", "hydra.mode=RUN is not valid with sweep=smoke"),
        ("sweep.retry=never", "sweep.retry=never has no effect with a single run; leave it out"),
        ("sweep.part=rest", "sweep.part=rest has no effect with a single run"),
        ("recipe.schedule=constant recipe.min_lr=1e-4", "recipe.min_lr=1e-4 has no effect with recipe.schedule=c"),
        ("recipe.scale_lr=false", "recipe.scale_lr=false has no effect with recipe.batch_size=null"),
        ("recipe.batch_size=64 recipe.scale_lr=false", "recipe.batch_size=64 has no effect with recipe.scale_lr=false"),
        ("trainer.max_epochs=2 recipe.epochs=3", "recipe.epochs=3 has no effect with layout=CCTT and the"),
        (
            "data=fractals recipe=tuned recipe.per_layout.lr.fractals.CTTT=0.5",
            "recipe.per_layout.lr.fractals.CTTT=0.5 has no effect with layout=CCTT",
        ),
        ("size.local.window=3", "size.local.window=3 has no effect"),
        ("size.plans.CCCC.blocks=[1,1,1,1,1]", "size.plans.CCCC.blocks=[1,1,1,1,1] has no effect with layout=CCTT"),
        ("plan.head_size=4 size.head_size=8", "size.head_size=8 has no effect"),
        ("layout=CCCC plan.head_size=4", "plan.head_size=4 has no effect with layout=CCCC"),
        ("layout=CCCC attention=window attention.window=3", "attention.window=3 has no effect with layout=CCCC"),
        ("attention=linear attention.features=8", "attention.features=8 has no effect with layout=CCTT"),
        ("layout=ViT_REL network.norm=layer", "network.norm=layer has no effect with layout=ViT_REL"),
        ("layout=ViT_REL network.squeeze=0.5", "network.squeeze=0.5 has no effect with layout=ViT_REL"),
        ("trainer.sync_batchnorm=true", "trainer.sync_batchnorm=true has no effect with one process"),
        ("data.train_size=640 trainer.eval_at=[100,5000]", "trainer.eval_at=[100,5000] has no effect with so few"),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(words: str, sentence: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(sentence)):
        check(*words.split())


@pytest.mark.parametrize(
    "words",
    [
        "",
        "layout=CCCC attention=window",  # the table before the run says that there is none
        "layout=CCCC network.norm=layer network.pool=average",
        "layout=ViT_REL network.norm=batch",  # as it is anyway
        "recipe.epochs=3",
        "size.head_size=8",
        "attention=window size.local.window=3",
        "attention=linear attention.feature_map=favor attention.features=8",
        "recipe.batch_size=64 data.batch_size=32",
        "trainer.devices=2 trainer.sync_batchnorm=true",
        "data.train_size=640 trainer.max_epochs=8 trainer.eval_at=[100,5000]",
        "paths.runs=/x tracker=none data.workers=2 trainer.threads=1 data.root=/x study=x budget=reference",
        "cluster=none sweep.retry=failed hydra.job.name=x",
        "init=finetune init.run=x",
    ],
)
def test_what_has_an_effect_is_taken(words: str) -> None:
    check(*words.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("hydra/launcher=coatlab_slurm", "hydra/launcher=coatlab_slurm needs the settings of cluster=slurm, such"),
        ("cluster=local hydra/launcher=coatlab_slurm", "hydra/launcher=coatlab_slurm needs the settings of cluster"),
        ("cluster=slurm hydra/launcher=basic", "hydra/launcher=basic would ignore the settings of cluster=slurm"),
        ("cluster=slurm", None),
        ("cluster=local", None),
        ("hydra/launcher=basic", None),
    ],
)  # fmt: skip
def test_the_launcher_of_a_sweep_fits_its_cluster(words: str, sentence: str | None) -> None:
    config, hydra = composed(*words.split())
    if sentence is None:
        check_launcher(config, hydra, sweeps=True)
        return
    with pytest.raises(InputError, match="^" + re.escape(sentence)):
        check_launcher(config, hydra, sweeps=True)
