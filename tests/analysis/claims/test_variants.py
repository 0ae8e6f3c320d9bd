"""Whether verdicts depend on the measure or on the learning rate, by planted runs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.claim import Claim, load_claims
from analysis.claims.judge import judge
from analysis.claims.variants import agreement
from tests.analysis.planted import LAYOUTS, frames


def said(*effects: dict[str, float] | None) -> list[str]:
    """Judge claim G and its variants, each by planted runs of its own, or by none."""
    (g,) = [claim for claim in load_claims("layouts") if claim.key == "G"]
    cases: list[tuple[Claim, pd.DataFrame]] = []
    for place, effect in enumerate(effects):
        runs, _ = frames(effect or LAYOUTS, seeds=10, noise=0.001, draw=place)
        key, beside = ("G", None) if place == 0 else (f"G{place}", "G")
        claim = replace(g, key=key, beside=beside, metric="test/accuracy", losses=None)
        cases.append((claim, runs if effect else runs.head(0)))
    return agreement(judge(cases, pd.DataFrame(), np.random.default_rng(0)))


@pytest.mark.slow
def test_equal_verdicts_are_said_in_one_sentence_and_others_by_relation() -> None:
    other = LAYOUTS | {"CCTT": 0.79, "CTTT": 0.805}
    assert said(LAYOUTS, LAYOUTS, LAYOUTS) == ["G, G1 and G2 have the same verdict on every relation."]
    assert "CCTT > CTTT is supported in G, G2; contradicted in G1." in said(LAYOUTS, other, LAYOUTS)


def test_a_claim_alone_or_without_runs_is_compared_with_none() -> None:
    assert said(LAYOUTS) == said(LAYOUTS, None) == []
