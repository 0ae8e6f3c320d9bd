"""A run is known before it begins: its folder, its fingerprint and its donor; what cannot be is one sentence."""

from pathlib import Path

import pytest

from coatlab.config import composition
from coatlab.config.compose import compose, resolve
from coatlab.config.composer import composed
from coatlab.errors import InputError
from coatlab.runs.identity import fingerprint
from coatlab.runs.run import open_run
from coatlab.runs.spec import make_specs
from tests.runs.test_state import make
from tests.support.specs import spec_of


def test_a_spec_knows_the_folder_that_its_run_will_have(tmp_path: Path) -> None:
    spec = spec_of(f"paths.runs={tmp_path}", "layout=CTTT")
    with open_run(spec) as run:
        assert spec.folder == run.folder
    assert spec.fingerprint == run.record["fingerprint"] == fingerprint(resolve(compose(["layout=CTTT"])))
    assert spec.donor is None


@pytest.mark.slow
def test_a_fine_tuning_spec_is_known_before_its_donor_exists(tmp_path: Path) -> None:
    words = [f"paths.runs={tmp_path}", "init=finetune", "init.pretrain={data.train_size:2000}"]
    spec = spec_of(*words)
    assert spec.donor is not None
    assert spec.donor.words == (*words, "init.pretrain_only=true")
    assert spec.donor.folder == make(tmp_path, "complete", "data.train_size=2000")
    assert spec_of(*words, "init.pretrain_only=true") == spec.donor
    named = spec_of(f"paths.runs={tmp_path}", "init=finetune", f"init.run={spec.donor.folder}")
    assert named.fingerprint == spec.fingerprint
    assert named.donor is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data.batch_size=0"], "data.batch_size=0 is not valid"),
        (["sweep.retry=sometimes"], "sweep.retry=sometimes does not exist.*failed, never"),
        (["init=finetune"], "init=finetune needs"),
        (["init=finetune", "init.pretrain={data.batch_size:0}"], "data.batch_size=0 is not valid"),
        (["init=finetune", "init.pretrain={data:cifar10}"], "init.pretrain has another network: data.channels"),
    ],
)
def test_a_spec_that_cannot_be_is_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        spec_of(f"paths.runs={tmp_path}", *words)


@pytest.mark.slow
def test_threads_are_added_unless_the_user_has_set_them(tmp_path: Path) -> None:
    words = [f"paths.runs={tmp_path}", "init=finetune", "init.pretrain={data.train_size:2000}"]
    spec = spec_of(*words)
    more = spec.with_threads(3)
    assert more.words == (*words, "trainer.threads=3")
    assert more.fingerprint == spec.fingerprint
    assert more.donor is not None
    assert more.config["trainer"]["threads"] == more.donor.config["trainer"]["threads"] == 3
    assert spec.config["trainer"]["threads"] is None
    typed = spec_of(*more.words)
    assert (more.config, more.donor.config) == (typed.config, typed.donor and typed.donor.config)
    assert more.with_threads(1) is more


@pytest.mark.slow
def test_only_a_described_run_can_be_trained_alone(tmp_path: Path) -> None:
    with open_run(spec_of(f"paths.runs={tmp_path}")) as run:
        run.complete({})
    with pytest.raises(InputError, match=r"init\.pretrain_only=true needs init\.pretrain"):
        spec_of(f"paths.runs={tmp_path}", "init=finetune", f"init.run={run.folder}", "init.pretrain_only=true")


@pytest.mark.slow
def test_many_cells_are_composed_of_few_choices_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = [
        [f"paths.runs={tmp_path}", f"layout={layout}", f"attention={attention}", f"seed={seed}"]
        for layout in ("CCTT", "CTTT")
        for attention in ("relative", "linear")
        for seed in range(30)
    ]
    asked: list[object] = []
    monkeypatch.setattr(composition, "composed", lambda *words: [asked.append(words), composed(*words)][1])
    specs = list(make_specs(cells))
    assert len(asked) < 10
    assert capsys.readouterr().err == "composing 120 cells\n"
    assert len({spec.fingerprint for spec in specs}) == 120
    assert specs[-1] == spec_of(*cells[-1])
    list(make_specs(cells[:3]))
    assert capsys.readouterr().err == ""
