"""Which run a fine-tuning run starts from: by folder, name, fingerprint or description; errors before any training."""

from pathlib import Path
from typing import Any

import pytest

from coatlab.config.compose import compose, resolve
from coatlab.errors import InputError
from coatlab.runs import donor
from coatlab.runs.identity import fingerprint
from coatlab.runs.run import open_run
from tests.support.specs import spec_of

pytestmark = pytest.mark.slow


def config(runs: Path, *words: str) -> dict[str, Any]:
    return resolve(compose([f"paths.runs={runs}", *words]))


def complete(runs: Path, *words: str) -> Path:
    with open_run(spec_of(f"paths.runs={runs}", *words)) as run:
        run.complete({"eval/accuracy": 0.5})
        return run.folder


@pytest.mark.parametrize("how", ["folder", "name", "beginning", "fingerprint"])
def test_a_run_is_found_by_whatever_names_it(how: str, tmp_path: Path) -> None:
    folder = complete(tmp_path, "data.train_size=1000")
    complete(tmp_path, "layout=CTTT")
    mark = fingerprint(config(tmp_path, "data.train_size=1000"))
    name = {"folder": str(folder), "name": folder.name, "beginning": "CCTT-rel", "fingerprint": mark[:6]}[how]
    tuned = config(tmp_path, "init=finetune", f"init.run={name}")
    assert donor.find(tuned) == folder
    named, first = donor.with_donor(tuned)
    assert first is None  # it is there
    assert named["init"]["donor"] == mark
    again, _ = donor.with_donor(config(tmp_path, "init=finetune", f"init.run={folder}"))
    assert fingerprint(named) == fingerprint(again)


def test_a_described_donor_has_this_runs_network_and_a_known_fingerprint(tmp_path: Path) -> None:
    tuned = config(
        tmp_path, "init=finetune", "init.pretrain={data:fractals,trainer.max_epochs:3}", "layout=CTTT",
        "attention=window", "attention.window=3", "plan.head_size=8", "seed=4", "network.pool=average",
    )  # fmt: skip
    by_hand = spec_of(
        f"paths.runs={tmp_path}", "data=fractals", "trainer.max_epochs=3", "layout=CTTT", "attention=window",
        "attention.window=3",
        "plan.head_size=8", "seed=4", "network.pool=average",
    )  # fmt: skip
    assert fingerprint(donor.described(tuned)) == by_hand.fingerprint
    before, first = donor.with_donor(tuned)
    assert first == donor.described(tuned)
    with open_run(by_hand) as run:
        run.complete({})
    assert donor.with_donor(tuned)[0] == before
    assert before["init"]["donor"] == by_hand.fingerprint
    assert donor.find(tuned) == run.folder


def test_the_words_of_a_description_are_read_as_they_were_meant(tmp_path: Path) -> None:
    said = "init.pretrain={recipe.gradient_clip:null,plan:null,data.mean:[0.1],recipe.lr:0.1}"
    assert donor.pretraining(config(tmp_path, "init=finetune", said)) == [
        "recipe.gradient_clip=null", "plan=null", "data.mean=[0.1]", "recipe.lr=0.1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["init.run=CCTT"], "init.run=CCTT names 2 runs: CCTT-relative-nano-fashion_mnist-s0-"),
        (["init.run=abc"], "init.run=abc names no run; give a folder, or the beginning of"),
        ([], r"init=finetune needs init\.run \(a complete run\) or init\.pretrain"),
        (["init.run=a", "init.pretrain={data:fractals}"], "init=finetune needs"),
        (["init.run=CTTT-relative-nano"], "is interrupted; only a complete run can give its weights"),
        (["init.run=CCCC"], r"has another network: .*layout\.name is CCCC there and CCTT here; layout.stages"),
        (["init.pretrain={layout:CTTT}"], "changes layout=CTTT; a donor has this run's network"),
        (["init.pretrain={seed:3}"], "changes seed=3"),
        (["init.pretrain={tracker:none}"], "changes tracker=none; a donor has this run's tracker"),
        (["init.pretrain={trainer.threads:1}"], "changes trainer.threads=1; a donor has this run's trainer.threads"),
        (["init.pretrain={cluster:local}"], "changes cluster=local; a donor has this run's cluster"),
        (["init.pretrain={budget:matched}"], "changes budget=matched; a donor has this run's budget"),
        (
            ["init.pretrain={data:fractals,data.pad:0}"],
            "data.pad does not exist with data=fractals, only with data=cifar10, cifar100, fashion_mn",
        ),
        (
            ["init.pretrain={data:fractals,trainer.max_epoch:3}"],
            "trainer.max_epoch does not exist .did you mean trainer",
        ),
        (["init.pretrain=fractals"], "init.pretrain=fractals is not valid; give keys, as in"),
        (["init.pretrain={data:fractals}"], "is not there; only a complete run"),
    ],
)
def test_what_cannot_be_a_donor_is_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    complete(tmp_path)
    complete(tmp_path, "seed=1")
    complete(tmp_path, "layout=CCCC")
    with pytest.raises(KeyboardInterrupt), open_run(spec_of(f"paths.runs={tmp_path}", "layout=CTTT")):
        raise KeyboardInterrupt
    with pytest.raises(InputError, match=sentence):
        donor.find(config(tmp_path, "init=finetune", *words))
