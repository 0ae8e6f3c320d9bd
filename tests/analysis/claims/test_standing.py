"""Each reason for which a relation is open has its own words, and what is open leans to one side."""

from dataclasses import replace

import pytest

from analysis.claims.decide import CONTRADICTED, SUPPORTED, UNDECIDED, Finding
from analysis.claims.scale import OUT_OF_REACH
from analysis.claims.standing import OPEN, difference_words, leaning, said, standing
from tests.analysis.claims.planted import G

BY_SIGN = {relation.sign: relation for relation in reversed(G.relations)}


def finding(sign: str, difference: float = 0.02, verdict: str = UNDECIDED, seeds: int = 5, **more: object) -> Finding:
    return Finding(BY_SIGN[sign], verdict, seeds, seeds, difference=difference, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (finding(">", verdict=SUPPORTED), "holds"),
        (finding(">", verdict=CONTRADICTED), "does not hold"),
        (finding(">", verdict=OUT_OF_REACH), "out of reach"),
        (finding(">", seeds=0, reason="no complete run of CCTT"), "not run"),
        (finding(">", seeds=2, reason="2 seeds in common; the first look needs 3"), "too few seeds"),
        (finding(">", seeds=0, reason="no seed in common; the first look needs 3"), "no number"),
        (finding(">", reason="5 more seeds settle it"), "too noisy"),
        (finding(">", seeds=0, reason="runs a, b are all CCTT with seed 0"), "not comparable"),
    ],
)
def test_a_relation_stands_where_its_runs_are(one: Finding, words: str) -> None:
    assert standing(one) == words
    assert (words in OPEN) == (one.verdict == UNDECIDED)


@pytest.mark.parametrize(
    ("sign", "yes", "no"), [("≈", 0.005, 0.02), (">=", -0.005, -0.02), (">", 0.001, -0.001), (">>", 0.04, 0.02)]
)
def test_what_is_open_leans_to_the_side_of_its_threshold(sign: str, yes: float, no: float) -> None:
    assert leaning(finding(sign, yes), G) == "leans yes"
    assert leaning(finding(sign, no), G) == "leans no"
    assert leaning(finding(sign, yes, verdict=SUPPORTED), G) == ""
    assert leaning(finding(sign, float("nan")), G) == ""


def test_a_decided_relation_is_said_in_words_with_its_number() -> None:
    assert said(finding(">", 0.023, SUPPORTED), G) == "CCTT beats CTTT by 2.3 points"
    assert said(finding(">", -0.023, CONTRADICTED), G) == "CTTT beats CCTT by 2.3 points"
    assert said(finding(">>", 0.012, CONTRADICTED), G) == "CTTT beats ViT_REL by only 1.2 points"
    assert said(finding(">=", -0.002, SUPPORTED), G) == "CCCT is not worse than CCTT"
    assert said(finding(">=", -0.05, CONTRADICTED), G) == "CCTT beats CCCT by 5.0 points"
    assert said(finding("≈", 0.002, SUPPORTED), G) == "CCCC and CCCT are about equal"
    assert said(finding("≈", -0.05, CONTRADICTED), G) == "CCCT beats CCCC by 5.0 points"
    assert said(finding(">", 0.0002), G) == "CCTT and CTTT are level"
    loss = replace(G, metric="train_eval/loss")
    assert difference_words(finding(">", 0.1), loss) == "+0.10 nats"
    assert said(finding(">", 0.1, SUPPORTED), loss) == "CCTT beats CTTT by 0.10 nats"
    assert difference_words(finding(">", float("nan")), G) == ""
