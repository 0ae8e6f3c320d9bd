"""The findings at the end of the terminal's output: what holds, what does not, and what would settle the rest."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claims.claim import Claim, load_claims
from analysis.claims.judge import judge
from analysis.claims.ordering import relations_of
from analysis.report.findings import findings, headlines
from tests.analysis.planted import frames

pytestmark = pytest.mark.slow

(G,) = [claim for claim in load_claims("layouts") if claim.key == "G"]


def claim(ordering: str, **changes: object) -> Claim:
    values = {"metric": "eval/accuracy", "losses": None, "ordering": [ordering], "relations": relations_of(ordering)}
    return replace(G, **values | changes)  # type: ignore[arg-type]


def told(*cases: tuple[Claim, pd.DataFrame], seeds: int = 10) -> list[str]:
    _, histories = frames(seeds=seeds)
    return findings(judge(cases, histories, np.random.default_rng(0)))


def test_what_holds_and_what_does_not_is_said_with_its_size() -> None:
    runs, _ = frames(seeds=10)
    difference = runs.groupby("layout.name")["eval/accuracy"].mean()
    vit, cttt, cctt = (difference[name] for name in ("ViT_REL", "CTTT", "CCTT"))
    title, holds, fails = told((claim("CTTT >> ViT_REL"), runs), (claim("CTTT > CCTT", key="K"), runs))[0:3]
    assert title == "G, generalization on few images, at equal final training loss: supported"
    assert holds == f"  holds: CTTT >> ViT_REL ({100 * (cttt - vit):+.1f} points, 10 seeds)"
    assert fails.startswith("K, ")
    last = told((claim("CTTT > CCTT"), runs))[1]
    assert last == f"  does not hold: CTTT > CCTT ({100 * (cttt - cctt):+.1f} points, 10 seeds)"


def test_what_is_open_comes_with_the_command_that_settles_it() -> None:
    runs, _ = frames(seeds=2)
    _, opened, advice = told((claim("CCCT >= CCTT"), runs), seeds=2)
    assert opened.startswith("  too few seeds: CCCT >= CCTT (")
    assert opened.endswith(", leans yes, 2 seeds)")
    assert "The first look needs 3 seeds" in advice
    assert "sweep=layouts data=fashion_mnist seed=0,1,2" in advice


def test_claims_without_runs_share_a_line_and_one_that_is_refused_says_why() -> None:
    runs, _ = frames(seeds=3)
    lines = told((claim("TTTT > TCTC", key="X"), runs), (claim("TTCC > CTCT", key="Y"), runs))
    assert lines == ["without runs, so not judged: X; Y: python src/train.py sweep=layouts data=fashion_mnist"]
    twice = pd.concat([runs, runs.rename(index=lambda mark: f"{mark}-again")])
    title, _, reason = told((claim("CCCT >= CCTT"), twice))
    assert title.endswith(": undecided")
    assert "so they differ in something else" in reason


def test_a_claim_out_of_reach_says_why() -> None:
    runs, _ = frames(seeds=3)
    (capacity,) = [one for one in load_claims("layouts") if one.key == "C"]
    title, reason = told((capacity, runs.assign(**{"data.name": "fractals", "rates": "tuned"})), seeds=3)
    assert title.endswith(": out of reach")
    assert "too easy" in reason


def test_a_claim_of_its_own_has_a_headline_when_it_is_settled() -> None:
    few, _ = frames(seeds=2)
    many, histories = frames(seeds=10)
    primary = claim("CTTT >> ViT_REL"), few
    other = claim("CTTT >> ViT_REL", key="T2", says="at twice the resolution", primary=False)
    for runs, number in ((many, 2), (few, 1)):
        assert len(headlines(judge([primary, (other, runs)], histories, np.random.default_rng(0)))) == number


def test_a_variant_has_a_headline_where_it_decides_more_than_its_claim() -> None:
    few, _ = frames(seeds=2)
    many, histories = frames(seeds=10)
    variant = claim("CTTT >> ViT_REL", key="G2", says="at tuned rates", primary=False, beside="G")

    def said(*cases: tuple[Claim, pd.DataFrame]) -> list[str]:
        return headlines(judge(cases, histories, np.random.default_rng(0)))

    assert [line.partition(":")[0] for line in said((claim("CTTT >> ViT_REL"), few), (variant, many))] == [
        "Generalization on few images, at equal final training loss",
        "At tuned rates",
    ]
    for fewer in ((claim("CTTT >> ViT_REL"), many), (variant, many)), ((claim("CTTT >> ViT_REL"), few), (variant, few)):
        assert len(said(*fewer)) == 1
