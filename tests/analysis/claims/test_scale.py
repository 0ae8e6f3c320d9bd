"""When a scale can speak about a claim: planted easy, hard, hardly begun and unsettled studies."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.claims.claim import Speaks, load_claims
from analysis.claims.scale import out_of_reach, unlooked
from tests.analysis.planted import frames

(C,) = [claim for claim in load_claims("layouts") if claim.key == "C"]
REACHED = {"CCCC": 0.60, "CCCT": 0.63, "CCTT": 0.70, "CTTT": 0.70, "ViT_REL": 0.66}


def study(changes: dict[str, float] | None = None) -> pd.DataFrame:
    runs, _ = frames(REACHED | (changes or {}), noise=0.0)
    return runs.assign(name=runs["layout.name"])


def evaluated(runs: pd.DataFrame, gains: dict[str, float], at: float = 0.5) -> pd.DataFrame:
    """Plant evaluations at the end and at a share of the images, before which an accuracy was lower by its gain."""
    rows = []
    for mark, run in runs.iterrows():
        gain = gains.get(run["name"], 0.05)
        rows.append({"fingerprint": mark, "images": 100_000 * at, "eval/accuracy": run["eval/accuracy"] - gain})
        # the row of an epoch does not state its images
        rows.append({"fingerprint": mark, "step": 100_000 / 64, "eval/accuracy": run["eval/accuracy"]})
    return pd.DataFrame(rows)


def test_a_scale_within_the_rule_speaks_and_without_a_rule_every_scale_does() -> None:
    runs = study()
    assert out_of_reach(C, runs, evaluated(runs, {})) is None
    assert out_of_reach(C, runs, pd.DataFrame({"fingerprint": []})) is None
    assert out_of_reach(replace(C, speaks=None), study({"CCCC": 0.99}), evaluated(runs, {})) is None
    assert out_of_reach(C, runs[:0], evaluated(runs, {})) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"CCCC": 0.99}, "the best, CCCC, ends with a test accuracy of 98.0%, above 80%: the images are too easy"),
        (dict.fromkeys(REACHED, 0.3), "ends with a test accuracy of 29.0%, below 40%: nobody has learned enough"),
        ({"ViT_REL": 0.05}, "ViT_REL ends with a test accuracy of 4.0%, not above 20%: it has hardly begun to learn"),
    ],
)
def test_ease_and_speed_are_named(changes: dict[str, float], said: str) -> None:
    reason = out_of_reach(C, study(changes), pd.DataFrame({"fingerprint": []}))
    assert reason
    assert said in reason


def test_an_order_that_still_changes_is_named() -> None:
    runs = study()
    reason = out_of_reach(C, runs, evaluated(runs, {"ViT_REL": 0.20}))
    assert reason
    assert reason.startswith("CTTT - ViT_REL changed by -15.0 points")
    # not at half of the images, so nothing is known
    assert out_of_reach(C, runs, evaluated(runs, {"ViT_REL": 0.20}, at=0.1)) is None
    lenient = replace(C, speaks=Speaks("test/accuracy", (0.4, 0.8), settled=None))
    assert out_of_reach(lenient, runs, evaluated(runs, {"ViT_REL": 0.20})) is None
    # a layout that the claim is not about may do what it likes
    fewer = replace(C, relations=C.relations[:1])
    assert out_of_reach(fewer, runs, evaluated(runs, {"ViT_REL": 0.20})) is None
    (said,) = unlooked(C, runs, evaluated(runs, {}, at=0.1))
    assert "not looked at for CCTT, CTTT, ViT_REL, CCCT, CCCC: no run was evaluated near half of its images" in said
    assert unlooked(C, runs, evaluated(runs, {})) == []
    some = evaluated(runs, {})[lambda rows: ~rows["fingerprint"].str.startswith("CCCT")]
    assert "not looked at for CCCT: " in unlooked(C, runs, some)[0]
    assert unlooked(replace(C, speaks=None), runs, evaluated(runs, {}, at=0.1)) == []
