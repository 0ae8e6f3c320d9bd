"""Claims judged by runs: the true ordering, a false one, which runs count, and what is missing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from analysis.claims.claim import Claim, load_claims
from analysis.claims.decide import CONTRADICTED, SUPPORTED, UNDECIDED
from analysis.claims.judge import Judgement, claim_value, gather, judge, seconds_per_seed, weakest
from analysis.claims.ordering import relations_of
from analysis.claims.scale import OUT_OF_REACH
from analysis.compare.finished import MEASURES
from coatlab.errors import InputError
from tests.analysis.planted import LAYOUTS, budgeted, frames
from tests.support.made_runs import config_of

pytestmark = pytest.mark.slow

(FINISHED,) = [claim for claim in load_claims("layouts") if claim.key == "G"]
G = replace(FINISHED, metric="eval/accuracy", losses=None)  # of runs with one budget


def ordered(ordering: str, **changes: object) -> Claim:
    return replace(G, ordering=[ordering], relations=relations_of(ordering), **changes)  # type: ignore[arg-type]


def judged(claim: Claim, runs: pd.DataFrame, histories: pd.DataFrame, allow: Sequence[str] = ()) -> Judgement:
    (judgement,) = judge([(claim, runs)], histories, np.random.default_rng(0), allow=allow)
    return judgement


def verdicts(judgement: Judgement) -> list[str]:
    return [finding.verdict for finding in judgement.findings]


def test_the_true_ordering_is_supported_at_equal_loss_and_by_any_final_accuracy() -> None:
    runs, histories = frames(seeds=10)
    finished = [replace(FINISHED, metric=metric) for metric in MEASURES]
    for claim, own in [(G, runs), *((claim, budgeted(runs)) for claim in finished)]:
        judgement = judged(claim, own, histories)
        assert judgement.verdict == SUPPORTED
        assert verdicts(judgement) == [SUPPORTED] * 7
        assert judgement.needed is None


def test_budgets_that_do_not_span_the_losses_are_named_and_decide_nothing() -> None:
    runs, histories = frames(seeds=10)
    slow = budgeted(runs).query("not (`layout.name` == 'ViT_REL' and `trainer.max_epochs` == 36)")
    judgement = judged(FINISHED, slow, histories)
    assert verdicts(judgement) == [SUPPORTED] * 3 + [UNDECIDED] + [SUPPORTED] * 3
    assert judgement.notes[-1].startswith("ViT_REL, seeds 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: final training losses from 0.1")
    # budgets are no difference for these measures alone
    assert "differ in more than that: trainer.max_epochs" in judged(G, slow, histories).findings[0].reason


def test_a_scale_that_cannot_speak_gives_no_verdict() -> None:
    (claim,) = [claim for claim in load_claims("layouts") if claim.key == "C"]
    runs, histories = frames(seeds=10)
    judgement = judged(claim, runs.assign(**{"data.name": "fractals", "rates": "tuned"}), histories)
    assert judgement.verdict == OUT_OF_REACH
    assert judgement.needed is None
    assert set(verdicts(judgement)) == {OUT_OF_REACH}
    assert "above 80%" in judgement.findings[0].reason


def test_a_false_ordering_is_contradicted_where_it_is_false() -> None:
    judgement = judged(ordered("CCCC ≈ CCCT > ViT_REL > CTTT"), *frames(seeds=10))
    assert judgement.verdict == CONTRADICTED
    assert verdicts(judgement) == [SUPPORTED, SUPPORTED, CONTRADICTED, SUPPORTED]
    for false in ("CCCC ≈ ViT_REL", "CTTT >> CCTT", "CCCT >> CCTT", "ViT_REL >= CTTT"):
        assert judged(ordered(false), *frames(seeds=10)).verdict == CONTRADICTED


def test_the_numbers_are_those_of_a_few_lines_of_pandas() -> None:
    runs, histories = frames(seeds=4)
    finding = judged(replace(G, metric="eval/accuracy"), runs, histories).findings[3]
    assert (finding.seeds, finding.used) == (4, 3)
    runs = runs[runs["seed"] < 3]  # the fourth waits for the next look
    means = runs.groupby("layout.name")["eval/accuracy"].mean()
    one, other = (runs[runs["layout.name"] == name].set_index("seed") for name in ("CTTT", "ViT_REL"))
    paired = scipy_stats.ttest_rel(one["eval/accuracy"], other["eval/accuracy"])
    interval = paired.confidence_interval(0.9)
    assert (finding.left, finding.right) == pytest.approx((means["CTTT"], means["ViT_REL"]))
    assert finding.difference == pytest.approx(means["CTTT"] - means["ViT_REL"])
    assert (finding.low, finding.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
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
    assert {finding.reason for finding in one.findings} == {"1 seed in common; the first look needs 3"}
    assert one.findings[3].difference == pytest.approx(one.findings[3].left - one.findings[3].right)
    effects = {name: effect for name, effect in LAYOUTS.items() if name != "CTTT"}
    missing = judged(G, *frames(effects, seeds=10))
    assert missing.verdict == UNDECIDED
    assert verdicts(missing) == [SUPPORTED, SUPPORTED, UNDECIDED, UNDECIDED, SUPPORTED, UNDECIDED, UNDECIDED]
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
    assert [finding.seeds for finding in judgement.findings] == [4, 5, 6, 6, 5, 5, 5]
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


def test_claims_of_a_report_share_its_error() -> None:
    runs, histories = frames({"CCTT": 0.8, "CTTT": 0.795}, seeds=5)
    claim = ordered("CCTT > CTTT", metric="eval/accuracy", primary=True)
    alone = judged(claim, runs, histories).findings[0]
    several = [claim, *[replace(claim, ordering=["CTTT > CCTT"], relations=relations_of("CTTT > CCTT"))] * 3]
    shared = judge([(one, runs) for one in several], histories, np.random.default_rng(0))[0].findings[0]
    assert shared.level == pytest.approx(alone.level / 4)
    assert shared.p == pytest.approx(4 * alone.p)


def test_what_the_runs_know_of_images_widens_the_interval() -> None:
    runs, histories = frames({"CCTT": 0.8, "CTTT": 0.7}, seeds=5)
    generator = np.random.default_rng(0)
    easy = generator.random(400)
    runs["correct"] = [easy < accuracy + generator.normal(0, 0.01) for accuracy in runs["test/accuracy"]]
    runs["test/accuracy"] = [answers.mean() for answers in runs["correct"]]
    claim = ordered("CCTT > CTTT", metric="test/accuracy")
    known, unknown = (judged(claim, some, histories).findings[0] for some in (runs, runs.drop(columns="correct")))
    assert known.image_error > 0
    assert np.isnan(unknown.image_error)
    assert known.low < unknown.low < unknown.high < known.high
    assert known.difference == pytest.approx(unknown.difference)
    one_without = runs.assign(correct=[None, *runs["correct"][1:]])
    assert np.isnan(judged(claim, one_without, histories).findings[0].image_error)


def test_a_seed_with_a_diverged_run_has_no_number_whatever_its_other_runs_say() -> None:
    runs, histories = frames(seeds=3)
    twin = runs.loc[["CCTT-1"]].rename(index={"CCTT-1": "diverged"}).assign(status="diverged")
    evidence = gather(replace(G, metric="eval/accuracy"), pd.concat([runs, twin]), histories)
    assert np.isnan(evidence.cells["CCTT"]).tolist() == [False, True, False]
    assert evidence.gaps == {("CCTT", 1): "diverged"}


def test_a_seed_takes_the_runs_of_all_names() -> None:
    runs = pd.DataFrame({"name": ["a", "a", "b", "b", "b"], "seed": [0, 1, 0, 0, 1], "seconds": [10.0, 30, 5, 15, 20]})
    assert seconds_per_seed(runs, ["a", "b"]) == 20 + 20
    assert seconds_per_seed(runs, ["a", "b", "c"]) == 60
    assert np.isnan(seconds_per_seed(runs.drop(columns="seconds"), ["a"]))
