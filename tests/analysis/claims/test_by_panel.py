"""A claim is judged once per panel, and each time by the runs of that panel alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.by_panel import by_panel
from analysis.claims.claim import Claim, load_claims
from analysis.claims.judge import Judgement, judge
from analysis.compare.design import PANEL_KEYS
from analysis.report.findings import headlines
from tests.analysis.planted import LAYOUTS, frames

(FINISHED,) = [claim for claim in load_claims("layouts") if claim.key == "G"]
G = replace(FINISHED, metric="eval/accuracy", losses=None)  # of runs with one budget


def at(size: str, image_size: int, effects: dict[str, float], **entries: object) -> pd.DataFrame:
    """Return planted runs of one size and resolution."""
    runs, _ = frames(effects)
    runs.index = pd.Index([f"{mark}-{size}-{image_size}" for mark in runs.index], name="fingerprint")
    return runs.assign(**{"size.name": size, "data.image_size": image_size, **entries})


REVERSED = dict(zip(LAYOUTS, reversed(LAYOUTS.values()), strict=True))


def keys(*parts: pd.DataFrame, panels: tuple[str, ...] = PANEL_KEYS) -> list[str]:
    return [claim.key for claim, _ in by_panel([G], pd.concat(parts), panels)]


def test_one_panel_is_judged_as_before() -> None:
    runs = at("nano", 32, LAYOUTS)
    ((claim, given),) = by_panel([G], runs, PANEL_KEYS)
    shared = {"data.name": ["fashion_mnist"], "data.image_size": [32], "size.name": ["nano"]}
    assert claim == replace(G, rows={**G.rows, **shared})  # by which the command that makes more of them is written
    assert given is runs


def test_each_size_and_resolution_has_its_own_verdict_by_its_own_runs() -> None:
    runs = pd.concat([at("tiny", 32, REVERSED), at("nano", 32, LAYOUTS)])
    found = list(by_panel([G], runs, PANEL_KEYS))
    histories = pd.DataFrame({"fingerprint": [], "step": []})

    def judged(claim: Claim, runs: pd.DataFrame) -> Judgement:
        (judgement,) = judge([(claim, runs)], histories, np.random.default_rng(0))
        return judgement

    assert [claim.key for claim, _ in found] == ["G at size nano", "G at size tiny"]
    assert [headlines([judged(*one)])[0].partition(":")[0] for one in found] == [
        f"{G.says.capitalize()}, at size {size}" for size in ("nano", "tiny")
    ]
    assert [set(given["size.name"]) for _, given in found] == [{"nano"}, {"tiny"}]
    assert sum(len(given) for _, given in found) == len(runs)
    assert judged(*found[0]).findings == judged(G, at("nano", 32, LAYOUTS)).findings
    assert judged(*found[1]).verdict == "contradicted"


def test_a_variant_stands_beside_its_claim_of_the_same_panel() -> None:
    tuned = replace(G, key="G, tuned", beside="G", primary=False, rows={**G.rows, "rates": ["tuned"]})
    shared = pd.concat([at("nano", 32, LAYOUTS), at("tiny", 32, LAYOUTS)])
    own = at("nano", 32, LAYOUTS, rates="tuned")
    own.index = own.index + "-tuned"
    for claims in ([G, tuned], [tuned, G]):
        found = {claim.key: claim.beside for claim, _ in by_panel(claims, pd.concat([shared, own]), PANEL_KEYS)}
        assert found == {"G at size nano": None, "G at size tiny": None, "G, tuned at size nano": "G at size nano"}
    few = pd.concat([at("nano", 32, LAYOUTS), own])
    assert [claim.key for claim, _ in by_panel([G, tuned], few, PANEL_KEYS)] == ["G", "G, tuned"]
    without = {claim.key: claim.beside for claim, _ in by_panel([G, tuned], shared, PANEL_KEYS)}
    assert without == {"G at size nano": None, "G at size tiny": None, "G, tuned": "G"}


def test_the_key_names_what_differs() -> None:
    small, large = at("nano", 32, LAYOUTS), at("nano", 64, LAYOUTS)
    assert keys(small, large) == ["G at image_size 32", "G at image_size 64"]
    assert keys(small, at("tiny", 64, LAYOUTS)) == [
        "G at image_size 32, size nano",
        "G at image_size 64, size tiny",
    ]
    assert keys(small, large, panels=()) == ["G"]
    assert keys(small, large, panels=("data.name", "layout.name")) == ["G"]  # what it compares is no panel


@pytest.mark.parametrize("entries", [{"status": "failed"}, {"data.name": "fractals"}, {"layout.name": "TTTT"}])
def test_runs_that_the_claim_is_not_about_make_no_panel(entries: dict[str, object]) -> None:
    assert keys(at("nano", 32, LAYOUTS), at("tiny", 32, LAYOUTS, **entries)) == ["G"]


def test_a_column_that_is_not_there_is_left_to_the_judge() -> None:
    runs = at("nano", 32, LAYOUTS).drop(columns="attention")
    assert len(list(by_panel([G], runs, PANEL_KEYS))) == 1
    assert len(list(by_panel([G], runs.head(0), PANEL_KEYS))) == 1
