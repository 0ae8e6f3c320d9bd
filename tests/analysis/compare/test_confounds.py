"""What may be compared: a planted difference is refused by name, and what follows from a factor is none."""

import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.compare import confounds
from analysis.compare.confounds import WARNED, differences, require_comparable, require_keys, setup_warnings
from analysis.compare.design import Design
from analysis.compare.panels import make_panels
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.errors import InputError
from coatlab.runs.identity import fingerprint
from tests.support.made_runs import config_of

pytestmark = pytest.mark.slow

NANO = compose(["size=nano"]).size
LAYOUTS = sorted(set(NANO.plans) & set(choices("layout")))
ATTENTIONS = choices("attention")


def runs_of(*cells: str, seeds: int = 1) -> pd.DataFrame:
    """Runs named by the words that make them."""
    rows = [
        {"run": " ".join(filter(None, [cell, f"s{seed}"])), "config": config_of(*cell.split(), seed=seed)}
        for cell in cells
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def keys(runs: pd.DataFrame, *factors: str) -> list[str]:
    return [one.key for one in differences(runs, factors, {})]


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_layout_brings_its_plan(attention: str) -> None:
    assert keys(runs_of(*(f"layout={layout} attention={attention}" for layout in LAYOUTS), seeds=2), "layout") == []


def test_an_attention_brings_its_settings_and_its_matched_plan() -> None:
    assert keys(runs_of(*(f"attention={name}" for name in ATTENTIONS)), "attention") == []
    matched = [f"attention={name} budget=matched" for name in ATTENTIONS if "CCTT" in NANO.matched.get(name, {})]
    assert len(matched) >= 5
    # relative is one experiment under both budgets, and may have been run under either
    for relative in ("attention=relative budget=matched", "attention=relative"):
        assert keys(runs_of(relative, *matched), "attention") == []


def test_matched_and_unmatched_plans_are_not_mixed() -> None:
    mixed = runs_of("attention=relative", "attention=window budget=matched", "attention=neighborhood")
    assert keys(mixed, "attention") == ["plan.blocks", "plan.widths"]


@pytest.mark.parametrize(
    ("cells", "factor"),
    [
        (("size=nano attention=window", "size=coatnet_0 attention=window"), "size"),
        (("recipe=study", "recipe=in1k"), "recipe"),
        (("recipe=in1k size=nano", "recipe=in1k size=coatnet_2"), "size"),
        (("data.train_size=1000", "data.train_size=2000"), "data.train_size"),
        (("plan.blocks=[2,1,2,5,1]", "plan.blocks=[2,1,1,6,1]", ""), "plan.blocks"),
        (("network.norm=layer", ""), "network"),
    ],
)
def test_what_follows_from_a_factor_is_no_confound(cells: tuple[str, ...], factor: str) -> None:
    assert keys(runs_of(*cells), factor) == []


@pytest.mark.parametrize(
    ("planted", "key"),
    [
        ("data.batch_size=64", "data.batch_size"),
        ("recipe.lr=0.5", "recipe.lr"),
        ("trainer.max_epochs=7", "trainer.max_epochs"),
        ("recipe.epochs=7", "trainer.max_epochs"),
        ("plan.blocks=[2,1,2,5,1]", "plan.blocks"),
        ("plan.head_size=24", "plan.head_size"),
        ("network.norm=layer", "network.norm"),
        ("data.split_seed=1", "data.split_seed"),
    ],
)
@pytest.mark.parametrize("another", ["layout=CTTT", "layout=CCTT"])
def test_a_planted_confound_is_named_with_its_value_and_its_run(planted: str, key: str, another: str) -> None:
    runs = runs_of("layout=CCTT", "layout=CTTT", "layout=CCCC", f"{another} {planted}")
    with pytest.raises(InputError) as refused:
        require_comparable(runs, ["layout"])
    assert f"{key} is " in str(refused.value)
    assert f" in {another} {planted} s0, not " in str(refused.value)
    assert f"--allow {key}" in str(refused.value)
    (footnote,) = require_comparable(runs, ["layout"], allow=[key])
    assert f"{another} {planted} s0" in footnote


def test_a_confound_of_one_layout_with_the_factor_is_refused() -> None:
    # a function of the layout in the data, but not one that the layout brings
    assert keys(runs_of("layout=CCTT", "layout=CTTT data.batch_size=64"), "layout") == ["data.batch_size"]


def test_pairs_that_agree_with_a_third_do_not_hide_their_difference() -> None:
    window = "attention.name", "attention.window"
    assert keys(runs_of("layout=CCCC", "layout=CCTT attention=window", "layout=CTTT"), "layout") == [*window]
    assert keys(runs_of("layout=CCCC", "layout=CCTT attention=window", "layout=CTTT attention=window"), "layout") == []


def test_precision_is_a_warning() -> None:
    runs = runs_of("layout=CCTT", "layout=CTTT trainer.precision=bf16-mixed")
    assert keys(runs, "layout") == []
    runs["precision"] = [config["trainer"]["precision"] for config in runs["config"]]
    runs["code"], runs["device"], runs["cpu"], runs["gpu"] = ["a", "b"], "cpu", "one", None
    assert setup_warnings(runs) == [
        "Warning: 2 code versions: a (1), b (1).",
        "Warning: 2 precisions: 32-true (1), bf16-mixed (1).",
    ]


def test_an_allowed_key_must_exist_and_a_group_allows_its_keys() -> None:
    runs = runs_of("layout=CCTT", "layout=CTTT data.batch_size=64")
    with pytest.raises(InputError, match=r"data.batchsize does not exist \(did you mean data.batch_size"):
        require_keys(["data.batchsize"], runs["config"])
    require_keys(["data.batch_size", "data"], runs["config"])
    assert len(require_comparable(runs, ["layout"], allow=["data"])) == 1
    assert require_comparable(runs_of("layout=CCTT", "layout=CTTT"), ["layout"], allow=["data.batch_size"]) == []


def finetuned(layout: str, donor: str, seed: int) -> tuple[dict, dict]:
    """A run and the donor that it starts from."""
    first = config_of(*donor.split(), f"layout={layout}", seed=seed)
    run = config_of("init=finetune", f"layout={layout}", seed=seed)
    run["init"]["donor"] = fingerprint(first)
    return run, first


@pytest.mark.parametrize("factors", [("layout",), ("layout", "init")])
def test_donors_are_compared_by_what_they_are(factors: tuple[str, ...]) -> None:
    def found(*donors: str, known: bool = True) -> list[str]:
        pairs = [
            finetuned(layout, donor, seed)
            for seed in range(2)
            for layout, donor in zip(("CCTT", "CTTT"), donors, strict=True)
        ]
        runs = pd.DataFrame([{"run": str(i), "config": run} for i, (run, _) in enumerate(pairs)])
        return [
            one.key for one in differences(runs, factors, {fingerprint(first): first for _, first in pairs if known})
        ]

    assert found("data=fractals", "data=fractals") == []
    assert found("data=fractals", "data=fractals trainer.max_epochs=4") == ["init.donor"]
    if "init" not in factors:
        assert found("data=fractals", "data=fractals", known=False) == ["init.donor"]


FOLLOWS = "data.split_seed=${seed}"


def test_a_split_that_follows_the_seed_is_no_confound_and_one_that_does_so_in_part_is() -> None:
    for cells in ((f"layout=CCTT {FOLLOWS}", f"layout=CTTT {FOLLOWS}"), ("layout=CCTT", "layout=CTTT")):
        runs = runs_of(*cells, seeds=3)
        assert keys(runs, "layout") == []
        assert [len(row.runs) for row in make_panels(runs_with_columns(runs), Design(("layout",)))[0].rows] == [3, 3]
    (found,) = differences(runs_of(f"layout=CCTT {FOLLOWS}", "layout=CTTT", seeds=3), ["layout"], {})
    assert found.key == "data.split_seed"
    crossed = runs_of("layout=CCTT", "layout=CTTT", "layout=CCTT data.split_seed=1", seeds=2)
    assert keys(crossed, "layout") == ["data.split_seed"]
    assert keys(crossed, "layout", "data.split_seed") == []


def runs_with_columns(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that panels read."""
    more = [
        {"layout.name": config["layout"]["name"], "seed": config["seed"], "attention": "relative", "covering": ""}
        | dict.fromkeys(WARNED)
        for config in runs["config"]
    ]
    return runs.join(pd.DataFrame(more))


@pytest.mark.parametrize("own", ["", FOLLOWS])
@pytest.mark.parametrize(("donor", "expected"), [(FOLLOWS, []), ("", []), (None, ["init.donor"])])
def test_the_images_of_a_donor_may_follow_the_seed_too(own: str, donor: str | None, expected: list[str]) -> None:
    runs, donors = [], {}
    for seed in range(3):
        for layout in ("CCTT", "CTTT"):
            split = donor if donor is not None else FOLLOWS if layout == "CCTT" else ""
            run, first = finetuned(layout, f"data=fractals {split}", seed)
            if own:
                run["data"]["split_seed"] = seed
            runs.append(run)
            donors[fingerprint(first)] = first
    frame = pd.DataFrame([{"run": str(i), "config": run} for i, run in enumerate(runs)])
    assert [one.key for one in differences(frame, ["layout"], donors)] == expected


def test_more_seeds_of_fine_tuned_runs_are_no_more_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[object] = []
    real = confounds.resolve
    monkeypatch.setattr(confounds, "resolve", lambda config: resolved.append(config) or real(config))
    work = []
    for seeds in (1, 4):
        pairs = [finetuned(layout, "data=fractals", seed) for seed in range(seeds) for layout in ("CCTT", "CTTT")]
        pairs[0][0]["data"]["batch_size"] = 64
        runs = pd.DataFrame([{"run": str(i), "config": run} for i, (run, _) in enumerate(pairs)])
        donors = {fingerprint(first): first for _, first in pairs}
        assert [one.key for one in differences(runs, ["layout"], donors)] == ["data.batch_size"]
        work.append(len(resolved))
    assert 0 < work[1] - work[0] < 4 * work[0]


few = settings(max_examples=8)
cells = st.sets(
    st.tuples(st.sampled_from(LAYOUTS), st.sampled_from([64, 128]), st.sampled_from([0.1, 0.2])), min_size=2, max_size=6
)


@few
@given(cells, st.sets(st.sampled_from(["data.batch_size", "recipe.lr"])))
def test_it_refuses_exactly_where_an_undeclared_key_differs(
    found: set[tuple[str, int, float]], factors: set[str]
) -> None:
    runs = runs_of(*(f"layout={one} data.batch_size={two} recipe.lr={three}" for one, two, three in sorted(found)))
    names = {1: "data.batch_size", 2: "recipe.lr"}
    expected = {name for i, name in names.items() if name not in factors and len({cell[i] for cell in found}) > 1}
    assert set(keys(runs, "layout", *factors)) == expected


@few
@given(st.permutations(list(itertools.product(["CCTT", "CTTT"], ["64", "128"]))))
def test_the_order_of_runs_does_not_matter(order: list[tuple[str, str]]) -> None:
    runs = runs_of(*(f"layout={layout} data.batch_size={size}" for layout, size in order))
    assert keys(runs, "layout") == ["data.batch_size"]
    assert keys(runs, "layout", "data.batch_size") == []
