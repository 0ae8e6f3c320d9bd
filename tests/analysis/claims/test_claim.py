"""claims.yaml is the paper's, and what is wrong in it is said."""

from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf

from analysis.claims.claim import load_claims, losses_of
from analysis.claims.ordering import names_of
from analysis.compare.finished import MEASURES
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.errors import InputError
from tests.support.commandline import REPOSITORY

GOOD = {
    "says": "planted",
    "section": "2.2",
    "ordering": "a ≈ b",
    "study": "layouts",
    "metric": "eval/accuracy",
    "names": "layout.name",
    "about": 0.01,
}


def write(folder: Path, **changes: object) -> Path:
    entry = {key: value for key, value in (GOOD | changes).items() if value is not None}
    OmegaConf.save(OmegaConf.create({"X": entry}), folder / "claims.yaml")
    return folder / "claims.yaml"


def test_the_orderings_are_the_papers() -> None:
    written = {claim.key: claim.ordering for claim in load_claims()}
    generalization = [written[key] for key in ("G", "G, fitted", "G, best")]
    assert generalization == [["CCCC ≈ CCCT >= CCTT > CTTT >> ViT_REL"]] * 3
    assert written["C, training"] == written["C"] == ["CCTT ≈ CTTT > ViT_REL > CCCT > CCCC"]
    assert written["T"] == ["CCTT > CTTT"]
    assert written["R"] == ["relative > absolute"]
    assert written["S"] == ["V0 > V2 > V1"]


@pytest.mark.slow
def test_every_claim_is_about_a_study_and_names_that_there_are() -> None:
    for claim in load_claims():
        assert claim.study in choices("sweep")
        named = set(names_of(claim.relations))
        valid = {"layout.name": set(choices("layout")), "attention": set(choices("attention"))}
        if claim.called or claim.names in valid:  # what other columns hold, only runs tell
            assert named <= (set(claim.called.values()) or valid[claim.names])
        for column in claim.rows:
            assert column in ("attention", "rates") or OmegaConf.select(compose([]), column) is not None
    assert "S" in [claim.key for claim in load_claims("stage_depth")]
    assert {claim.study for claim in load_claims("stage_depth")} == {"stage_depth"}


def test_the_plans_of_claim_s_are_those_of_its_study() -> None:
    (claim,) = [claim for claim in load_claims("stage_depth") if claim.key == "S"]
    text = (REPOSITORY / "sweeps" / "stage_depth.yaml").read_text()
    for blocks, name in claim.called.items():
        assert f"plan.blocks: [{blocks.replace('-', ', ')}]" in text
        assert name in ("V0", "V1", "V2")


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    (claim,) = load_claims(path=write(tmp_path, rows={"data.name": "cifar10", "seed": [0, 1]}))
    assert (claim.key, claim.better, claim.far, claim.called) == ("X", "higher", 0.0, {})
    assert claim.rows == {"data.name": ["cifar10"], "seed": [0, 1]}


def test_claims_speak_of_test_images_and_each_of_the_papers_has_one_that_decides() -> None:
    claims = load_claims()
    assert {claim.metric for claim in claims} == {*MEASURES, "test/accuracy", "train_eval/loss"}
    assert [claim.key for claim in claims if claim.primary] == ["G", "C", "T", "R", "S", "A"]
    assert [claim.key for claim in claims if claim.speaks] == ["C", "C, training", "C, shared rate"]


def test_the_range_of_losses_is_that_of_the_claim_about_the_runs() -> None:
    (claim,) = [claim for claim in load_claims() if claim.key == "G"]
    runs = pd.DataFrame({"data.name": ["fashion_mnist"] * 2, "attention": ["none", "relative"], "rates": "shared"})
    assert losses_of(runs) == losses_of(runs, "layouts") == claim.losses == (0.03, 0.2)
    for other in (runs.assign(attention="linear"), runs.assign(**{"data.name": "cifar10"}), runs[["attention"]]):
        assert losses_of(other) is None
    assert losses_of(runs, "transfer") is None
    assert losses_of(runs.assign(rates="tuned")) == (0.03, 0.2)
    assert losses_of(runs.assign(rates=["tuned", "shared"])) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"losses": [0.1, 0.2]},
            "claim X: losses, a range of training losses, belong to metric=finished/accuracy alone",
        ),
        ({"metric": "finished/accuracy"}, "belong to metric=finished/accuracy alone"),
        ({"metric": "finished/accuracy", "losses": [0.2, 0.1]}, r"losses=\[0.2, 0.1\] is not valid; give two numbers"),
        ({"metric": "finished/accuracy", "losses": [0, 0.1]}, "two numbers above 0, the smaller one first"),
        ({"speaks": {"metric": "test/accuracy"}}, "claim X: speaks needs metric and best_between"),
        ({"speaks": {"best": 0.5}}, "claim X: speaks: key=best does not exist"),
        ({"metrics": "x"}, "claim X: key=metrics does not exist .did you mean metric"),
        ({"study": None}, "claim X has no study; it needs says, section, ordering, study, metric, names"),
        ({"better": "more"}, "claim X: better=more does not exist; valid: higher, lower"),
        ({"about": None}, "claim X has ≈ in its ordering, so it needs about, a margin above 0"),
        ({"about": -0.1}, "needs about, a margin above 0"),
        ({"ordering": ["a > b", "b >> c"]}, "claim X has >> in its ordering, so it needs far"),
        ({"ordering": "a < b"}, "cannot be read at 'a < b'"),
    ],
)
def test_a_wrong_entry_is_one_sentence(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_claims(path=write(tmp_path, **changes))
