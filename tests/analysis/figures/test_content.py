"""What each figure shows of planted runs: points at their means, lines through them, and panels of what is alike."""

import numpy as np
import pandas as pd
import pytest

from analysis.claims.claim import losses_of
from analysis.compare.finished import at_equal_loss
from analysis.paper.data_sets import ABUNDANT
from coatlab.errors import InputError
from tests.analysis.figures.drawing import ORDER, draw, study
from tests.analysis.planted import BUDGETS, frames
from tests.analysis.planted import LAYOUTS as EFFECTS

pytestmark = pytest.mark.slow


def test_a_point_stands_at_its_means_and_its_whiskers_end_at_the_interval() -> None:
    runs, histories = study(figure="generalization")
    (axis,) = draw("generalization", runs, histories).axes
    few = runs[runs["data.name"] == "fashion_mnist"]
    losses = losses_of(few)
    values = at_equal_loss(few.assign(name=few["layout.name"]), losses).values if losses else pd.Series()
    for name, container in zip(ORDER, axis.containers, strict=True):
        many = runs[(runs["layout.name"] == name) & (runs["data.name"] == "fractals")]["test/accuracy"]
        line, _, (across, up) = container.lines
        assert container.get_label() == name
        for bars, coordinate, own in ((across, 0, many), (up, 1, values[name])):
            place = line.get_xydata()[0][coordinate]
            assert place == pytest.approx(own.mean())
            ends = bars.get_segments()[0][:, coordinate]
            assert own.min() - 1e-9 <= ends[0] < place < ends[1] <= own.max() + 1e-9


def test_finished_trainings_are_joined_and_the_range_of_the_claim_is_shaded() -> None:
    runs, histories = study(figure="finished")
    (axis,) = draw("finished", runs, histories).axes
    assert axis.get_title() == "fashion_mnist, 1,000 images"
    left, right = axis.get_xlim()
    assert left > right
    lines = {line.get_label(): line for line in axis.lines}
    own = runs[(runs["layout.name"] == "CTTT") & (runs["data.name"] == "fashion_mnist")]
    means = own.groupby("trainer.max_epochs")["test/accuracy"].mean()
    assert lines["CTTT"].get_xdata() == pytest.approx(sorted(BUDGETS.values()))
    assert lines["CTTT"].get_ydata() == pytest.approx(means[::-1])
    (shaded,) = axis.patches
    assert (shaded.get_x(), shaded.get_x() + shaded.get_width()) == pytest.approx((0.03, 0.2))


def test_accuracy_after_n_images_has_a_point_a_length() -> None:
    runs, histories = study(figure="scale")
    (axis,) = draw("scale", runs, histories).axes
    lines = {line.get_label(): line for line in axis.lines}
    own = runs[(runs["layout.name"] == "CTTT") & (runs["data.name"] == "fractals")]
    means = own.groupby("data.train_size")["test/accuracy"].mean()
    assert lines["CTTT"].get_xydata() == pytest.approx(np.column_stack([means.index, means]))
    with pytest.raises(InputError, match="needs runs of several lengths"):
        draw("scale", *study())


def test_curves_within_an_epoch_are_over_the_images_seen() -> None:
    runs, histories = study()
    many = histories["fingerprint"].str.startswith("many-")
    inside = histories.assign(images=np.where(many, 1000.0 * histories["step"], np.nan))
    axes = draw("curves", runs, inside).axes
    assert [axis.get_xscale() for axis in axes] == ["linear", "linear", "log", "log"]
    steps = sorted(histories["step"].unique())
    for axis, factor in ((axes[1], 64), (axes[3], 1000)):
        (line,) = [line for line in axis.lines if line.get_label() == "CTTT"]
        assert line.get_xdata() == pytest.approx([factor * step for step in steps])


def test_layouts_under_several_budgets_have_no_curve() -> None:
    runs, histories = study(figure="finished")
    axes = draw("curves", runs, histories).axes
    assert {axis.get_title() for axis in axes} == {"fractals, 50,000 images"}
    few = runs[runs["data.name"] == "fashion_mnist"]
    with pytest.raises(InputError, match="with a single budget"):
        draw("curves", few, histories)
    with pytest.raises(InputError, match="needs runs under several budgets"):
        draw("finished", *study())


def test_a_curve_is_the_mean_over_seeds_and_its_band_holds_every_seed() -> None:
    runs, histories = study()
    axes = draw("curves", runs, histories).axes
    assert [axis.get_title() for axis in axes] == ["fashion_mnist, 1,000 images"] * 2 + ["fractals, 50,000 images"] * 2
    last = runs[(runs["data.name"] == "fractals") & (runs["layout.name"] == "CTTT")]["eval/accuracy"]
    (line,) = [line for line in axes[3].lines if line.get_label() == "CTTT"]
    assert line.get_ydata()[-1] == pytest.approx(last.mean())
    band = axes[3].collections[ORDER.index("CTTT")].get_paths()[0].vertices
    ends = band[band[:, 0] == band[:, 0].max(), 1]
    assert (ends.min(), ends.max()) == pytest.approx((last.min(), last.max()))


def test_of_random_labels_the_training_accuracy_is_drawn() -> None:
    runs, histories = frames()
    histories = histories.assign(**{"train_eval/accuracy": histories["eval/accuracy"] / 2})
    axes = draw("curves", runs.assign(**{"data.random_labels": True}), histories).axes
    assert axes[1].get_ylabel() == "random labels fitted"
    (line,) = [line for line in axes[1].lines if line.get_label() == "CTTT"]
    last = histories[histories["step"] == histories["step"].max()].set_index("fingerprint")
    own = runs[runs["layout.name"] == "CTTT"].index
    assert line.get_ydata()[-1] == pytest.approx(last.loc[own, "train_eval/accuracy"].mean())


def test_accuracy_against_images_has_a_point_a_size() -> None:
    few, histories = frames()
    more, _ = frames({name: effect + 0.05 for name, effect in EFFECTS.items()}, draw=2)
    runs = pd.concat([few, more.assign(**{"data.train_size": 4000}), few.assign(**{"data.train_size": np.nan})])
    (axis,) = draw("data_size", runs, histories).axes
    assert [container.get_label() for container in axis.containers] == ORDER
    drawn = axis.containers[ORDER.index("CCCC")].lines[0].get_xydata()
    means = runs[runs["layout.name"] == "CCCC"].groupby("data.train_size")["test/accuracy"].mean()
    assert drawn == pytest.approx(np.column_stack([means.index, means]))


def test_speeds_of_different_hardware_are_panels_of_their_own() -> None:
    runs, histories = frames(seeds=1)
    runs = runs.assign(gpu=None, cpu="slow")
    mixed = pd.concat([runs, runs.assign(cpu="fast", images_per_second=9000.0)])
    figure = draw("cost", mixed, histories)
    titles = [axis.get_title().replace("\n", " ") for axis in figure.axes]
    assert len(titles) == 4
    assert {word for title in titles for word in ("slow", "fast") if word in title} == {"slow", "fast"}
    speeds = {
        title: [container.lines[0].get_xdata()[0] for container in axis.containers]
        for title, axis in zip(titles[1::2], figure.axes[1::2], strict=True)
    }
    assert [set(found) == {9000.0} for title, found in speeds.items() if "fast" in title] == [True]
    assert [9000.0 in found for title, found in speeds.items() if "slow" in title] == [False]


def test_capacity_is_of_the_same_size() -> None:
    runs, histories = study(figure="generalization")
    larger, more = study(figure="generalization")
    larger = larger.assign(**{"size.name": "tiny", "test/accuracy": 0.1}).rename(index=lambda name: f"tiny-{name}")
    more["fingerprint"] = "tiny-" + more["fingerprint"]
    both = pd.concat([runs.assign(**{"size.name": "nano"}), larger]), pd.concat([histories, more])
    alone, mixed = draw("generalization", runs, histories).axes, draw("generalization", *both).axes
    drawn = [{one.get_label(): one.lines[0].get_xdata()[0] for one in axis.containers} for axis in (*alone, *mixed)]
    assert drawn == [drawn[0], drawn[0], dict.fromkeys(ORDER, pytest.approx(0.1))]


def test_every_abundant_data_set_measures_capacity_and_two_of_them_are_never_averaged() -> None:
    runs, histories = study(figure="generalization")
    many = runs[runs["data.name"] == "fractals"]
    for place, name in enumerate(ABUNDANT):
        runs = pd.concat(
            [runs, many.assign(**{"data.name": name}).rename(index=lambda run, name=name: f"{name}-{run}")]
        )
        alone = runs[runs["data.name"].isin(["fashion_mnist", name])]
        (axis,) = draw("generalization", alone, histories).axes
        assert (axis.get_title(), name in axis.get_xlabel()) == ("fashion_mnist, 1,000 images", True)
        assert len(draw("generalization", runs, histories).axes) == place + 1


def test_without_abundant_images_there_is_no_capacity() -> None:
    runs, histories = study(figure="generalization")
    few = runs["data.name"] == "fashion_mnist"
    for part, epochs in (
        (runs[few], histories),
        (runs.assign(**{"size.name": np.where(few, "nano", "tiny")}), histories),
        (runs[~few | (runs["trainer.max_epochs"] == 4)], histories),
    ):
        with pytest.raises(
            InputError, match=r"on few images under several budgets, .* abundant images \(data\.name=fractals or web"
        ):
            draw("generalization", part, epochs)


def test_seeds_are_linked_margins_shaded_orders_noted_and_what_lacks_a_number_is_named() -> None:
    runs, histories = study(figure="generalization")
    (axis,) = draw("generalization", runs, histories).axes
    links = [line for line in axis.lines if line.get_color() == "0.5"]
    assert [len(line.get_xdata()) for line in links] == [len(ORDER)] * 3  # one per seed, through every layout
    up, right = (patch.get_bbox() for patch in axis.patches)
    assert (up.height, right.width) == pytest.approx((0.01, 0.01))
    assert right.x1 == pytest.approx(max(one.lines[0].get_xdata()[0] for one in axis.containers))
    assert "CCTT ≈ CTTT > ViT_REL > CCCT > CCCC" in axis.get_xlabel().replace("\n", " ")
    assert "CCCC ≈ CCCT >= CCTT > CTTT >> ViT_REL" in axis.get_ylabel()
    assert "not shown" not in axis.get_xlabel()
    without = runs[(runs["layout.name"] != "CTTT") | (runs["data.name"] != "fractals")]
    (axis,) = draw("generalization", without, histories).axes
    assert "not shown, without numbers of both kinds: CTTT" in axis.get_xlabel()


def test_costs_that_are_all_the_same_have_no_panel() -> None:
    runs, histories = frames()
    labels = {axis.get_xlabel() for axis in draw("cost", runs, histories).axes}
    assert len(labels) == 2
    matched = runs.assign(macs=6_600_000.0)
    (label,) = {axis.get_xlabel() for axis in draw("cost", matched, histories).axes}
    assert label.startswith("images per second")
    with pytest.raises(InputError, match="needs rows that differ in multiply-adds or in speed"):
        draw("cost", matched.assign(images_per_second=1500.0), histories)
