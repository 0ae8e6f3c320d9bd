"""Verdicts on planted numbers: how often they are wrong, whatever one does, and what each depends on."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from analysis.claims.claim import Claim
from analysis.claims.decide import CONTRADICTED, SUPPORTED, UNDECIDED, decide, decide_together
from analysis.claims.evidence import Evidence
from analysis.claims.ordering import relations_of
from tests.analysis.claims.planted import (
    FALSE,
    MODELS,
    NAMES,
    REPORT,
    TRUE,
    WORST,
    G,
    Model,
    draw,
    ever_wrong,
    in_report,
    plain,
    report_of,
    right,
    truths,
    verdicts,
)

Cells = Mapping[str, np.ndarray]
STUDIES = 600


def cells_of(differences: Sequence[float], seeds: int, draws: int = 0, model: Model | None = None) -> Cells:
    numbers = draw(model or Model(noise=0.004), differences, 1, seeds, np.random.default_rng(draws))[0]
    return dict(zip(NAMES, numbers, strict=True))


def ordered(ordering: str) -> Claim:
    return replace(G, ordering=[ordering], relations=relations_of(ordering))


HARDEST = ("neighbours on margins", "six on margins")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("truth", HARDEST)
def test_of_all_reports_one_in_twenty_is_wrong_whenever_one_looks(model: str, truth: str) -> None:
    generator = np.random.default_rng(list(MODELS).index(model))
    share = ever_wrong(MODELS[model], WORST[truth], STUDIES, generator)
    assert share * STUDIES <= scipy_stats.binom.ppf(0.999, STUDIES, 0.05)


def test_the_planted_studies_would_show_tests_without_correction() -> None:
    truth = truths(G, WORST["neighbours on margins"])[:4]
    found = plain(draw(Model(), WORST["neighbours on margins"], STUDIES, 10, np.random.default_rng(0)))
    assert ((found != 0) & (found != truth)).any(axis=-1).mean() > 0.2


def test_with_enough_seeds_what_is_true_is_supported_and_what_is_false_contradicted() -> None:
    for differences in (TRUE, FALSE):
        shares = right(in_report, Model(noise=0.003), differences, 10, 200, np.random.default_rng(0))
        assert shares[-1] > 0.95


def test_many_studies_are_judged_as_one_by_one() -> None:
    numbers = report_of(Model(), FALSE, 20, 10, np.random.default_rng(0))
    together = verdicts(numbers)
    words = {SUPPORTED: 1, CONTRADICTED: -1, UNDECIDED: 0}
    for study in range(20):
        evidence = [
            Evidence(claim, dict(zip(NAMES, own[study], strict=True)))
            for claim, own in zip(REPORT, numbers, strict=True)
        ]
        for findings, expected in zip(decide_together(evidence), together, strict=True):
            assert [words[finding.verdict] for finding in findings] == expected[study].tolist()


def test_a_verdict_that_was_given_stays_and_seeds_between_looks_change_none() -> None:
    cells = cells_of(TRUE, 22)
    before: list[str] = []
    for seeds in range(23):
        found = decide(G, {name: values[:seeds] for name, values in cells.items()})
        now = [finding.verdict for finding in found]
        for was, is_now in zip(before, now, strict=False):
            assert is_now == was or was == UNDECIDED
        if seeds not in (3, 5, 10, 20):
            assert not before or now == before
            assert all(finding.seeds == seeds for finding in found)
        before = now
    assert before == [SUPPORTED] * 7


def test_an_implied_pair_that_fails_keeps_a_claim_from_being_supported_and_can_contradict_it() -> None:
    differences = WORST[".800 .806 .812"]  # each neighbour within its margin, but not the pair
    for draws in range(5):
        found = decide(G, cells_of(differences, 80, draws, Model(noise=0.003)))
        by_name = {str(finding.relation): finding.verdict for finding in found}
        assert by_name["CCCC ≈ CCCT"] == by_name["CCCT >= CCTT"] == SUPPORTED
        assert by_name["CCCC >= CCTT"] == CONTRADICTED


@pytest.mark.parametrize(
    ("sign", "inside", "outside"),
    [("≈", (-0.005, 0.005), (-0.02, 0.02)), (">=", (-0.005, 0.05), (-0.02,)), (">", (0.01,), (-0.01,)),
     (">>", (0.04,), (0.02, -0.1))],
)  # fmt: skip
def test_each_sign_has_its_thresholds_and_a_loss_turns_them(
    sign: str, inside: Sequence[float], outside: Sequence[float]
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.002, 10)
    for differences, verdict in ((inside, SUPPORTED), (outside, CONTRADICTED)):
        for d in differences:
            claim = ordered(f"a {sign} b")
            higher, lower = {"a": 0.8 + d + noise, "b": np.full(10, 0.8)}, {"a": 0.8 - d - noise, "b": np.full(10, 0.8)}
            assert decide(claim, higher)[0].verdict == verdict
            (finding,) = decide(replace(claim, better="lower"), lower)
            assert finding.verdict == verdict
            assert finding.difference == pytest.approx(d + noise.mean())


def gapped(side: str, why: str, d: float, sign: str = ">", place: int = 1) -> str:
    """Return the verdict on a clear difference, if one seed of a side has no number."""
    noise = np.random.default_rng(0).normal(0, 0.002, 11)
    cells = {"a": 0.8 + d + noise, "b": np.full(11, 0.8)}
    for name in side:
        cells[name][place] = np.nan
    gaps = {(name, place): why for name in side} if why else {}
    return decide_together([Evidence(ordered(f"a {sign} b"), cells, gaps=gaps)])[0][0].verdict


def test_a_missing_seed_keeps_a_relation_from_being_supported_but_not_from_being_contradicted() -> None:
    for side, why in itertools.product("ab", ("diverged", "failed", "running", "")):
        assert gapped(side, why, 0.05) == UNDECIDED
        assert gapped(side, why, 0.0, "≈") == UNDECIDED
    for side, why in (("a", "diverged"), ("a", ""), ("b", "failed"), ("ab", "failed")):
        assert gapped(side, why, -0.05) == CONTRADICTED
    assert gapped("b", "diverged", -0.05) == UNDECIDED  # b's bad seeds are left out, so it is not shown to be better
    assert gapped("b", "diverged", 0.05, "≈") == CONTRADICTED
    assert gapped("a", "diverged", 0.05, "≈") == UNDECIDED


def test_a_gap_behind_the_last_look_matters_to_none_and_one_within_is_named() -> None:
    assert gapped("a", "diverged", 0.05, place=10) == SUPPORTED
    cells = cells_of(TRUE, 5)
    cells["CCTT"][3] = np.nan
    found = decide_together([Evidence(G, cells, seeds=[0, 1, 4, 7, 9], gaps={("CCTT", 7): "diverged"})])[0]
    assert found[2].used == 3  # four seeds in common, of which the first look has the first three
    cells = cells_of(TRUE, 6)
    cells["CCTT"][3] = np.nan
    found = decide_together([Evidence(G, cells, seeds=[0, 1, 4, 7, 9, 10], gaps={("CCTT", 7): "diverged"})])[0]
    assert found[2].used == 5
    assert "seed 7 of CCTT is diverged, which may not be by chance" in found[2].reason
    assert found[2].needed is None


def test_a_verdict_before_a_gap_stays() -> None:
    noise = np.random.default_rng(0).normal(0, 0.0001, 6)
    cells = {"a": 0.9 + noise, "b": np.full(6, 0.8)}
    cells["a"][4] = np.nan
    assert decide(ordered("a > b"), cells)[0].verdict == SUPPORTED  # at three seeds
    cells["a"][1] = np.nan
    assert decide(ordered("a > b"), cells)[0].verdict == UNDECIDED


def test_what_would_settle_it_is_a_later_look_in_seeds_and_minutes_or_never() -> None:
    noise = np.array([-0.001, 0.007, -0.006, 0.003, -0.002, 0.0, -0.001])
    for distance, needed, words in (
        (0.006, 10, r"3 more seeds \(about 4 min 30 s\) settle it with a chance of [89]\d%"),
        (0.0025, 80, r"73 more seeds \(about 1 h 49 min\) settle it with a chance of [5-8]\d%"),
        (0.0, None, "even 80 seeds would probably not settle it"),
    ):
        cells = {"a": 0.83 + distance + noise, "b": np.full(7, 0.8)}
        (finding,) = decide_together([Evidence(ordered("a >> b"), cells, seconds=90.0)])[0]
        assert (finding.seeds, finding.used, finding.verdict) == (7, 5, UNDECIDED)
        assert finding.needed == needed
        assert re.fullmatch(words, finding.reason)


@pytest.mark.slow
def test_of_those_that_are_advised_at_least_as_many_are_settled_as_is_said() -> None:
    """True differences of any size, since the chance is one over all that the seeds so far leave open."""
    generator, said, settled = np.random.default_rng(0), [], []
    while len(said) < 200:
        numbers = generator.uniform(-0.05, 0.05) + generator.normal(0, 0.006, 80)
        (first,) = decide(ordered("a > b"), {"a": numbers[:5], "b": np.zeros(5)})
        if first.needed:
            (later,) = decide(ordered("a > b"), {"a": numbers[: first.needed], "b": np.zeros(first.needed)})
            said.append(first.chance)
            settled.append(later.verdict != UNDECIDED)
    assert np.mean(said) - 0.05 <= np.mean(settled) <= np.mean(said) + 0.15


def test_where_images_are_the_limit_more_seeds_are_not_advised() -> None:
    generator = np.random.default_rng(0)
    of_image = generator.normal(0, 0.3, 400)
    of_image += 0.03 - of_image.mean()
    scores = {"a": of_image + generator.normal(0, 0.01, (5, 1)), "b": np.zeros((5, 400))}
    cells = {name: values.mean(axis=1) for name, values in scores.items()}
    (known,) = decide(ordered("a > b"), cells, scores=scores)
    assert known.verdict == UNDECIDED
    assert known.image_error == pytest.approx(0.3 / 20, rel=0.1)
    assert known.seed_error < known.image_error
    assert known.reason == "even 80 seeds would probably not settle it: the 400 test images are the limit"
    assert decide(ordered("a > b"), cells)[0].verdict == SUPPORTED


@pytest.mark.slow
def test_with_images_planted_one_report_in_twenty_is_wrong() -> None:
    """Differences of 0 and of -about over all images, of which each study sees 100."""
    generator, mistaken, studies = np.random.default_rng(5), 0, 200
    claim = ordered("a ≈ b")
    for study in range(studies):
        of_image, of_seed = generator.normal(0, 0.15, 100), generator.normal(0, 0.003, (5, 1))
        scores = 0.01 * (-1) ** study + of_image + of_seed + generator.normal(0, 0.1, (5, 100))
        (finding,) = decide(claim, {"a": scores.mean(axis=1), "b": np.zeros(5)}, scores={"a": scores, "b": 0 * scores})
        mistaken += finding.verdict != UNDECIDED
    assert mistaken <= scipy_stats.binom.ppf(0.999, studies, 0.05)


def test_what_is_refused_or_missing_is_undecided_with_the_reason() -> None:
    cells = cells_of(TRUE, 10)
    refused = decide_together([Evidence(G, cells, refused="they differ in recipe.lr")])[0]
    assert {(finding.verdict, finding.reason) for finding in refused} == {(UNDECIDED, "they differ in recipe.lr")}
    cells["CTTT"][:] = np.nan
    found = decide(G, cells, missing={"CTTT": "no complete run of CTTT"})
    assert found[2].reason == found[3].reason == "no complete run of CTTT"
    equal = decide(ordered("a > b"), {"a": np.full(5, 0.9), "b": np.full(5, 0.8)})
    assert equal[0].reason == "all 5 differences are equal, which says nothing about the noise"
