"""A setting that was typed and does nothing is refused; one that does something, or says what is so anyway, is not."""

import re
from pathlib import Path

import pytest
from omegaconf import DictConfig

from coatlab.config.compose import closed, compose
from coatlab.data.files.class_folders import scan
from coatlab.errors import InputError
from coatlab.runs.effect import check_effect, check_effect_on_cells, check_launcher
from tests.data.image_files import write_folders

pytestmark = pytest.mark.slow


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
        (
            "trainer.devices=2 trainer.sync_batchnorm=true layout=ViT_REL",
            "trainer.sync_batchnorm=true has no effect with layout=ViT_REL, which has no batch norm; leave it out",
        ),
        (
            "trainer.devices=2 trainer.sync_batchnorm=true network.norm=layer",
            "trainer.sync_batchnorm=true has no effect with network.norm=layer",
        ),
        ("data.train_size=640 trainer.eval_at=[100,5000]", "trainer.eval_at=[100,5000] has no effect with so few"),
        (
            "data.train_size=64 data.batch_size=8 trainer.max_epochs=2 trainer.limit_train_batches=4 "
            "trainer.eval_at=[70]",
            "trainer.eval_at=[70] has no effect with so few images: the run sees 64; leave it out",
        ),
        (
            "data.train_size=700 data.batch_size=64 trainer.max_epochs=1 trainer.eval_at=[690]",
            "trainer.eval_at=[690] has no effect with so few images: the run sees 640; leave it out",
        ),
        (
            "trainer.max_epochs=1 data.batch_size=64 trainer.limit_train_batches=2 trainer.eval_at=[200]",
            "trainer.eval_at=[200] has no effect with so few images: the run sees 128",
        ),
        (
            "data.train_size=640 data.batch_size=64 trainer.limit_train_batches=10",
            "trainer.limit_train_batches=10 has no effect with epochs of 10 batches; leave it out",
        ),
        ("recipe.center_crop=false", "recipe.center_crop=false has no effect with data=fashion_mnist, whose images"),
        ("data=fractals recipe.center_crop=false", "recipe.center_crop=false has no effect with data=fractals, whose"),
        (
            "data=webdataset data.root=/x data.shards=a data.test_shards=b data.test_size=9",
            "data.test_size=9 has no effect with data.test_shards=b; leave it out",
        ),
        ("layout=ViT_REL plan.pad=true", "plan.pad=true has no effect with data.image_size=32, which is a whole"),
        (
            "attention=window budget=matched plan.blocks=[1,1,1,1,1] plan.widths=[8,8,8,8,8] plan.strides=[2,1,2,2,2]",
            "budget=matched has no effect with a plan whose blocks, widths and strides are typed; leave it out",
        ),
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
        "data.train_size=640 data.batch_size=64 trainer.limit_train_batches=9",
        "trainer.limit_train_batches=100000",  # only the data tell how many there are
        "data.train_size=640 data.train_eval_size=700",  # all of them
        "trainer=ddp trainer.sync_batchnorm=false layout=ViT_REL",  # needed where there is no GPU
        "data=folder data.root=/x recipe.center_crop=false",
        "layout=ViT_REL data.image_size=30 plan.pad=true",
        "attention=window budget=matched plan.blocks=[1,1,1,1,1]",
        "attention=relative budget=matched",  # whose plan is the reference
        "layout=CCCC attention=window budget=matched",
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


def test_images_are_held_out_for_the_test_only_where_there_are_none(tmp_path: Path) -> None:
    write_folders(tmp_path / "train", each=20)
    words = ["data=folder", f"data.root={tmp_path}", "data.test_size=9"]
    scan.cache_clear()
    check(*words)
    write_folders(tmp_path / "test", each=2)
    scan.cache_clear()
    with pytest.raises(InputError, match=f"^data.test_size=9 has no effect with test images in {tmp_path}/test; leave"):
        check(*words)


@pytest.mark.parametrize(
    "words",
    [
        "trainer.max_epochs=x trainer.eval_at=[5] data.train_size=640",
        "trainer.devices=x trainer.sync_batchnorm=true",
        "data.batch_size=0 data.train_size=640 trainer.limit_train_batches=3",
        "data=folder data.root=5 data.test_size=9",
        "data=folder data.root=/nope data.test_size=9",
        "data=folder data.test_size=9",
        "data.image_size=x layout=ViT_REL plan.pad=true plan.strides=[0]",
    ],
)
def test_values_that_their_rules_refuse_are_left_to_them(words: str) -> None:
    check(*words.split())


CELLS = [["layout=CCCC", "attention.window=3"], ["layout=CCTT", "attention.window=3"]]


@pytest.mark.parametrize(
    ("cells", "word", "company"),
    [
        (CELLS[:1], "attention.window=3", "layout=CCCC and the other choices of this run"),
        (CELLS, "recipe.scale_lr=false", "recipe.batch_size=null"),
        (CELLS, "trainer.sync_batchnorm=true", "one process"),
        ([["cluster=local", "cluster.jobs=2"]], "cluster.per_gpu=3", "cluster.jobs=2"),
        ([["cluster=local", "trainer=cpu"]], "cluster.per_gpu=3", "trainer.accelerator=cpu"),
        ([["cluster=slurm", "cluster.detach=true"]], "cluster.poll=5", "cluster.detach=true"),
    ],
)
def test_what_no_cell_of_a_sweep_uses_is_refused(cells: list[list[str]], word: str, company: str) -> None:
    made = [["attention=window", *dict.fromkeys([*cell, word])] for cell in cells]
    sentence = f"{word} has no effect on any run of this sweep (the last one has {company}); leave it out"
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        check_effect_on_cells(made, ["attention=window", "layout=CCCC,CCTT", word], ())


def test_what_one_cell_of_a_sweep_uses_is_taken() -> None:
    typed = [
        "sweep=smoke",
        "sweep.retry=never",
        "study=x",
        "attention=window",
        "layout=CCCC,CCTT",
        "attention.window=3",
    ]
    cells = [["attention=window", *cell] for cell in CELLS]
    check_effect_on_cells(cells, typed, ())
    check_effect_on_cells(cells, ["seed=0,1", "tracker=none", "trainer.threads=1", "paths.runs=/x"], ())
    for cluster in (["cluster=local", "cluster.per_gpu=2"], ["cluster=slurm", "cluster.poll=5", "cluster.gpus=1"]):
        check_effect_on_cells([["layout=CCCC", *cluster]], cluster, ())
