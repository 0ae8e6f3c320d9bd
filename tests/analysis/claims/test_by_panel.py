"""A claim is judged once per panel, and each time by the runs of that panel alone."""

import numpy as np
import pandas as pd
import pytest

from analysis.claims.by_panel import by_panel
from analysis.claims.claim import load_claims
from analysis.claims.judge import judge
from analysis.compare.design import PANEL_KEYS
from tests.analysis.planted import LAYOUTS, frames

CLAIMS = {claim.key: claim for claim in load_claims()}


def at(size: str, image_size: int, effects: dict[str, float], **entries: object) -> pd.DataFrame:
    """Return planted runs of one size and resolution."""
    runs, _ = frames(effects)
    runs.index = pd.Index([f"{mark}-{size}-{image_size}" for mark in runs.index], name="fingerprint")
    return runs.assign(**{"size.name": size, "data.image_size": image_size, **entries})


REVERSED = dict(zip(LAYOUTS, reversed(LAYOUTS.values()), strict=True))


def keys(*parts: pd.DataFrame, panels: tuple[str, ...] = PANEL_KEYS) -> list[str]:
    return [claim.key for claim, _ in by_panel([CLAIMS["G, final"]], pd.concat(parts), panels)]


def test_one_panel_is_judged_as_before() -> None:
    runs = at("nano", 32, LAYOUTS)
    ((claim, given),) = by_panel([CLAIMS["G, final"]], runs, PANEL_KEYS)
    assert claim is CLAIMS["G, final"]
    assert given is runs


def test_each_size_and_resolution_has_its_own_verdict_by_its_own_runs() -> None:
    runs = pd.concat([at("tiny", 32, REVERSED), at("nano", 32, LAYOUTS)])
    found = list(by_panel([CLAIMS["G, final"]], runs, PANEL_KEYS))
    assert [claim.key for claim, _ in found] == ["G, final at size nano", "G, final at size tiny"]
    assert [set(given["size.name"]) for _, given in found] == [{"nano"}, {"tiny"}]
    assert sum(len(given) for _, given in found) == len(runs)
    histories = pd.DataFrame({"fingerprint": [], "step": []})
    alone = judge(CLAIMS["G, final"], at("nano", 32, LAYOUTS), histories, np.random.default_rng(0))
    beside = judge(*found[0], histories, np.random.default_rng(0))
    assert beside.findings == alone.findings
    assert [judge(claim, given, histories, np.random.default_rng(0)).verdict for claim, given in found][
        1
    ] == "contradicted"


def test_the_key_names_what_differs() -> None:
    small, large = at("nano", 32, LAYOUTS), at("nano", 64, LAYOUTS)
    assert keys(small, large) == ["G, final at image_size 32", "G, final at image_size 64"]
    assert keys(small, at("tiny", 64, LAYOUTS)) == [
        "G, final at image_size 32, size nano",
        "G, final at image_size 64, size tiny",
    ]
    assert keys(small, large, panels=()) == ["G, final"]
    assert keys(small, large, panels=("data.name", "layout.name")) == ["G, final"]  # what it compares is no panel


@pytest.mark.parametrize("entries", [{"status": "failed"}, {"data.name": "fractals"}, {"layout.name": "TTTT"}])
def test_runs_that_the_claim_is_not_about_make_no_panel(entries: dict[str, object]) -> None:
    assert keys(at("nano", 32, LAYOUTS), at("tiny", 32, LAYOUTS, **entries)) == ["G, final"]


def test_a_column_that_is_not_there_is_left_to_the_judge() -> None:
    runs = at("nano", 32, LAYOUTS).drop(columns="attention")
    assert len(list(by_panel([CLAIMS["G, final"]], runs, PANEL_KEYS))) == 1
    assert len(list(by_panel([CLAIMS["G, final"]], runs.head(0), PANEL_KEYS))) == 1
