"""Verdicts on planted studies: the true ordering, a false one, ties at the margin, and what is missing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from analysis.claims.claim import Claim, load_claims
from analysis.claims.judge import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Finding,
    Judgement,
    claim_value,
    decide,
    judge,
    weakest,
)
from analysis.claims.ordering import names_of, parse
from analysis.claims.scale import OUT_OF_REACH
from analysis.compare.finished import MEASURES
from coatlab.errors import InputError
from tests.analysis.planted import LAYOUTS, budgeted, frames
from tests.support.made_runs import config_of

pytestmark = pytest.mark.slow

(FINISHED,) = [claim for claim in load_claims("layouts") if claim.key == "G"]
G = replace(FINISHED, metric="eval/accuracy", losses=None)  # of runs with one budget


def ordered(ordering: str, **changes: object) -> Claim:
    return replace(G, ordering=[ordering], relations=parse(ordering), **changes)  # type: ignore[arg-type]


def judged(claim: Claim, runs: pd.DataFrame, histories: pd.DataFrame, allow: Sequence[str] = ()) -> Judgement:
    return judge(claim, runs, histories, np.random.default_rng(0), allow=allow)


def verdicts(judgement: Judgement) -> list[str]:
    return [finding.verdict for finding in judgement.findings]


def test_the_true_ordering_is_supported_at_equal_loss_and_by_any_final_accuracy() -> None:
    runs, histories = frames(seeds=10)
    finished = [replace(FINISHED, metric=metric) for metric in MEASURES]
    for claim, own in [(G, runs), *((claim, budgeted(runs)) for claim in finished)]:
        judgement = judged(claim, own, histories)
        assert judgement.verdict == SUPPORTED
        assert verdicts(judgement) == [SUPPORTED] * 4
        assert judgement.needed is None


def test_budgets_that_do_not_span_the_losses_are_named_and_decide_nothing() -> None:
    runs, histories = frames(seeds=10)
    slow = budgeted(runs).query("not (`layout.name` == 'ViT_REL' and `trainer.max_epochs` == 36)")
    judgement = judged(FINISHED, slow, histories)
    assert verdicts(judgement) == [SUPPORTED] * 3 + [UNDECIDED]
    assert judgement.notes[-1].startswith("ViT_REL, seeds 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: final training losses from 0.1")
    # budgets are no difference for these measures alone
    assert "differ in more than that: trainer.max_epochs" in judged(G, slow, histories).findings[0].reason


def test_a_scale_that_cannot_speak_gives_no_verdict() -> None:
    (claim,) = [claim for claim in load_claims("layouts") if claim.key == "C"]
    runs, histories = frames(seeds=10)
    judgement = judged(claim, runs.assign(**{"data.name": "fractals"}), histories)
    assert judgement.verdict == OUT_OF_REACH
    assert judgement.needed is None
    assert set(verdicts(judgement)) == {OUT_OF_REACH}
    assert "above 80%" in judgement.findings[0].reason


def test_a_false_ordering_is_contradicted_where_it_is_false() -> None:
    judgement = judged(ordered("CCCC ≈ CCCT > ViT_REL > CTTT"), *frames(seeds=10))
    assert judgement.verdict == CONTRADICTED
    assert verdicts(judgement) == [SUPPORTED, SUPPORTED, CONTRADICTED]
    for false in ("CCCC ≈ ViT_REL", "CTTT >> CCTT", "CCCT >> CCTT", "ViT_REL >= CTTT"):
        assert judged(ordered(false), *frames(seeds=10)).verdict == CONTRADICTED


@pytest.mark.parametrize(
    ("sign", "distance"), [("≈", 0.01), ("≈", -0.01), (">=", -0.01), (">", 0.0), (">>", 0.03)], ids=str
)
def test_a_tie_at_the_margin_is_undecided(sign: str, distance: float) -> None:
    claim, decided = ordered(f"a {sign} b"), 0
    generator = np.random.default_rng(1)
    for _ in range(200):
        noise_S = generator.normal(0, 0.004, 8)
        (finding,) = decide(claim, {"a": 0.8 + distance + noise_S, "b": np.full(8, 0.8)})
        decided += finding.verdict != UNDECIDED
    assert decided <= scipy_stats.binom.ppf(0.999, 200, 0.1)  # 5 % each way


def test_the_numbers_are_those_of_a_few_lines_of_pandas() -> None:
    runs, histories = frames(seeds=4)
    finding = judged(replace(G, metric="eval/accuracy"), runs, histories).findings[3]
    means = runs.groupby("layout.name")["eval/accuracy"].mean()
    one, other = (runs[runs["layout.name"] == name].set_index("seed") for name in ("CTTT", "ViT_REL"))
    paired = scipy_stats.ttest_rel(one["eval/accuracy"], other["eval/accuracy"])
    interval = paired.confidence_interval(0.9)
    assert (finding.left, finding.right) == pytest.approx((means["CTTT"], means["ViT_REL"]))
    assert finding.difference == pytest.approx(means["CTTT"] - means["ViT_REL"])
    assert (finding.seeds, finding.low, finding.high) == (4, pytest.approx(interval.low), pytest.approx(interval.high))
    assert finding.improvement[0] == 1.0


def test_with_a_loss_lower_is_better() -> None:
    runs, histories = frames(seeds=10)
    runs["train_eval/loss"] = 1 - runs["eval/accuracy"]
    lower = judged(replace(G, metric="train_eval/loss", better="lower"), runs, histories)
    higher = judged(replace(G, metric="eval/accuracy"), runs, histories)
    assert verdicts(lower) == verdicts(higher)
    for one, other in zip(lower.findings, higher.findings, strict=True):
        assert one.difference == pytest.approx(other.difference)
        assert one.improvement[0] == pytest.approx(other.improvement[0])
        assert one.left == pytest.approx(1 - other.left)


def test_one_seed_missing_layouts_and_no_runs_are_undecided_with_the_reason() -> None:
    one = judged(G, *frames(seeds=1))
    assert {finding.reason for finding in one.findings} == {"1 seed in common; a verdict needs two or more"}
    assert one.findings[3].difference == pytest.approx(one.findings[3].left - one.findings[3].right)
    effects = {name: effect for name, effect in LAYOUTS.items() if name != "CTTT"}
    missing = judged(G, *frames(effects, seeds=10))
    assert missing.verdict == UNDECIDED
    assert verdicts(missing) == [SUPPORTED, SUPPORTED, UNDECIDED, UNDECIDED]
    assert missing.findings[2].reason == missing.findings[3].reason == "no complete run of CTTT"
    assert missing.needed is None
    runs, histories = frames()
    for nothing in (pd.DataFrame({"status": []}), runs[:0], runs[["status"]].assign(status="running")):
        none = judged(G, nothing, histories[:0])
        assert none.findings[0].reason == "no complete run of CCCC; no complete run of CCCT"


def test_only_seeds_that_both_have_are_compared() -> None:
    runs, histories = frames(seeds=6)
    runs.loc[["CCCC-0", "CCCT-1"], "status"] = ["diverged", "running"]
    judgement = judged(G, runs, histories)
    assert [finding.seeds for finding in judgement.findings] == [4, 5, 6, 6]
    alone = runs.drop([run for run in runs.index if run.startswith("CCC") and run[-1] in "01"])
    for claim in (replace(G, metric="eval/accuracy"), replace(G, metric="train_eval/loss", better="lower")):
        every, paired = (judged(claim, some, histories).findings[0] for some in (runs, alone))
        assert every.improvement == paired.improvement
    assert judgement.notes[:2] == ["left out: CCCC seed 0, diverged", "left out: CCCT seed 1, running"]


def test_runs_that_differ_in_something_else_decide_nothing() -> None:
    runs, histories = frames(seeds=10)
    twin = runs.loc[["CCTT-2"]].rename(index={"CCTT-2": "twin"})
    judgement = judged(G, pd.concat([runs, twin]), histories)
    assert judgement.verdict == UNDECIDED
    reason = "runs CCTT-2, twin are all CCTT with seed 2, so they differ in something else"
    assert {finding.reason for finding in judgement.findings} == {reason}


def test_runs_a_claim_is_not_about_do_not_count() -> None:
    runs, histories = frames(seeds=10)
    other = runs.assign(**{"data.name": "fractals", "eval/accuracy": 0.1}).rename(index=lambda name: f"other-{name}")
    assert judged(G, pd.concat([runs, other]), histories) == judged(G, runs, histories)


def test_a_column_that_is_not_there_is_one_sentence() -> None:
    runs, histories = frames()
    with pytest.raises(
        InputError, match=r"^claim G: the runs have no column test/top5; they have run, status, config, "
    ):
        judged(replace(G, metric="test/top5"), runs, histories)


def test_names_of_our_own_stand_for_values() -> None:
    runs, histories = frames({"CCTT": 0.9, "CTTT": 0.8}, seeds=10)
    blocks = [[2, 1, 2, 5, 1] if name == "CCTT" else [2, 1, 1, 6, 1] for name in runs["layout.name"]]
    runs["plan.blocks"] = blocks
    runs["config"] = [
        config_of("layout=CCTT", f"plan.blocks={one}", seed=seed)
        for one, seed in zip(blocks, runs["seed"], strict=True)
    ]
    claim = ordered("V0 > V1", names="plan.blocks", called={"2-1-2-5-1": "V0", "2-1-1-6-1": "V1"})
    assert judged(claim, runs, histories).verdict == SUPPORTED


@pytest.mark.slow
def test_a_claim_about_runs_that_differ_in_more_is_undecided_and_says_in_what() -> None:
    runs, histories = frames(seeds=10)
    other = [config if seed else config | {"recipe": config["recipe"] | {"lr": 0.5}}
             for config, seed in zip(runs["config"], runs["seed"], strict=True)]  # fmt: skip
    judgement = judged(G, runs.assign(config=other), histories)
    assert set(verdicts(judgement)) == {UNDECIDED}
    assert "recipe.lr is 0.5 in 5 runs, not 0.003" in judgement.findings[0].reason
    assert "recipe.lr" in judged(G, runs.assign(config=other), histories, allow=["recipe.lr"]).notes[0]


def test_a_list_is_written_as_claims_name_it() -> None:
    assert (
        claim_value([2, 1, 2])
        == claim_value((2, 1, 2))
        == claim_value(np.array([2, 1, 2]))
        == claim_value("[2, 1, 2]")
        == "2-1-2"
    )
    assert claim_value("ViT_REL") == "ViT_REL"


@given(st.lists(st.sampled_from([SUPPORTED, CONTRADICTED, UNDECIDED]), min_size=1))
def test_a_claim_is_the_weakest_of_its_relations(several: list[str]) -> None:
    expected = CONTRADICTED if CONTRADICTED in several else UNDECIDED if UNDECIDED in several else SUPPORTED
    assert weakest(several) == expected


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_the_generator_and_the_order_of_runs_change_no_verdict(draw: int, seeds: int) -> None:
    runs, _ = frames(seeds=seeds, draw=draw)
    cells = {name: part["eval/accuracy"].to_numpy() for name, part in runs.groupby("layout.name")}
    backwards = {name: values[::-1] for name, values in cells.items()}
    found = zip(decide(G, cells), decide(G, backwards), strict=True)
    assert all(one.verdict == other.verdict and one.p == pytest.approx(other.p) for one, other in found)
    assert set(cells) == set(names_of(G.relations))


def planted(effects: list[float], seeds: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw accuracies of the layouts of claim G: effect, noise of the seed that all share, noise of the run."""
    of_seed = generator.normal(0, 0.004, seeds)
    return {
        name: effect + of_seed + generator.normal(0, 0.004, seeds)
        for name, effect in zip(names_of(G.relations), effects, strict=True)
    }


def wrong(findings: list[Finding], holds: list[bool]) -> bool:
    """Tell whether any relation has a verdict against the truth."""
    against = [CONTRADICTED if true else SUPPORTED for true in holds]
    return any(finding.verdict == bad for finding, bad in zip(findings, against, strict=True))


def claimed(*differences: float) -> list[float]:
    """Accuracies of the names of claim G, from those between neighbours."""
    return np.cumsum([0.815, *(-np.array(differences))]).tolist()


def drawn(generator: np.random.Generator) -> tuple[list[float], list[bool]]:
    """Draw differences of any size and sign, and which relations of claim G then hold."""
    d = generator.normal([0, -0.005, 0.005, 0.035], [0.008, 0.01, 0.01, 0.02])
    return claimed(*d), [abs(d[0]) < 0.01, d[1] > -0.01, d[2] > 0, d[3] > 0.03]


FAMILIES = {  # noise of a difference: 0.006; margins of G: 0.01 and 0.03
    "clear": ([0.002, 0.005, 0.013, 0.075], [True] * 4),
    "clearly false": ([0.002, 0.005, -0.02, 0.095], [True, True, False, True]),
    "near a tie at ≈": ([0.009, 0.005, 0.013, 0.075], [True] * 4),
    "near a tie at >=": ([0.002, -0.009, 0.013, 0.075], [True] * 4),
    "near a tie at >": ([0.002, 0.005, 0.001, 0.075], [True] * 4),
    "near a tie at >>": ([0.002, 0.005, 0.013, 0.031], [True] * 4),
    "near two ties": ([0.009, 0.005, 0.001, 0.075], [True] * 4),
    "mixed": (None, None),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "pilot"),
    [*((family, 3) for family in FAMILIES), ("near a tie at ≈", 2), ("near a tie at ≈", 5), ("mixed", 2), ("clear", 5)],
)
def test_of_500_studies_few_are_wrong_and_the_seeds_advised_settle_four_in_five(family: str, pilot: int) -> None:
    differences, holds = FAMILIES[family]
    generator = np.random.default_rng(pilot)
    mistaken = advised = settled = 0
    for _ in range(500):
        effects, truth = (claimed(*differences), holds) if differences and holds else drawn(generator)
        cells = planted(effects, pilot, generator)
        first = decide(G, cells)
        needed = Judgement(G, weakest([finding.verdict for finding in first]), first).needed
        if needed is None:
            mistaken += wrong(first, truth)
            continue
        more = planted(effects, needed - pilot, generator)
        second = decide(G, {name: np.concatenate([cells[name], more[name]]) for name in cells})
        mistaken += wrong(first, truth) or wrong(second, truth)
        advised += 1
        settled += weakest([finding.verdict for finding in second]) == (SUPPORTED if all(truth) else CONTRADICTED)
    assert mistaken <= scipy_stats.binom.ppf(0.999, 500, 0.05)
    assert advised > 50
    assert settled >= 0.8 * advised


def test_where_every_relation_just_fails_one_study_in_twenty_is_wrong() -> None:
    generator = np.random.default_rng(0)
    effects = np.cumsum([0.8, -0.01001, 0.01001, 0.00001, -0.02999]).tolist()
    mistaken = sum(wrong(decide(G, planted(effects, 5, generator)), [False] * 4) for _ in range(500))
    assert 0 < mistaken <= scipy_stats.binom.ppf(0.999, 500, 0.05)
