"""Figures of planted runs: what is drawn is what was measured, the same each time, and no text covers another.

Every figure of analysis/figures is tested: a new one needs no entry here.
"""

import importlib
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.compare.labels import run_names
from analysis.compare.order import attentions, layouts
from analysis.figures.style import looks, regimes, with_names
from coatlab.output.figure import COLOURS, MARKERS, save
from tests.analysis.figures.drawing import draw, study, texts
from tests.analysis.planted import LAYOUTS as EFFECTS
from tests.analysis.planted import frames
from tests.support.commandline import REPOSITORY
from tests.support.made_runs import config_of

pytestmark = pytest.mark.slow

FIGURES = sorted(path.stem for path in (REPOSITORY / "analysis" / "figures").glob("[a-z]*.py") if path.stem != "style")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_names_what_it_shows_and_is_the_same_each_time(name: str, tmp_path: Path) -> None:
    written = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        svg, png = save(draw(name, *study(figure=name)), tmp_path / place / name)
        assert png.stat().st_size > 10_000
        written.append(svg.read_text())
    assert written[0] == written[1]
    for word in (*EFFECTS, "3 seeds"):
        assert word in written[0]


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_covers_another(name: str) -> None:
    figure = draw(name, *study(figure=name))
    # turned labels apart: their upright boxes overlap though the letters do not
    boxes = {text: text.get_window_extent() for text in texts(figure) if not text.get_rotation() % 90}
    assert len(boxes) > 10
    covering = [pair for pair in itertools.combinations(boxes, 2) if boxes[pair[0]].overlaps(boxes[pair[1]])]
    assert not covering


@pytest.mark.parametrize("name", FIGURES)
def test_one_seed_is_drawn_without_an_interval(name: str) -> None:
    found = [part for text in texts(draw(name, *study(1, name))) for part in text.get_text().split("\n")]
    assert "one seed, so no interval" in found


def test_layouts_and_attentions_look_the_same_in_every_figure_and_different_in_one() -> None:
    for group in (layouts(), attentions()):
        alone = {name: looks([name])[name] for name in group}
        assert looks(group) == alone
        for key, different in (("color", COLOURS), ("marker", MARKERS)):
            assert len({look[key] for look in alone.values()}) == min(len(group), len(different))


def test_the_layouts_of_the_paper_keep_the_colours_that_published_figures_have() -> None:
    colours = {"CCCC": "#0072B2", "CCCT": "#D55E00", "CCTT": "#009E73", "CTTT": "#CC79A7", "ViT_REL": "#E69F00"}
    assert {name: look["color"] for name, look in looks([*colours]).items()} == colours


@pytest.mark.parametrize("name", sorted({*FIGURES} - {"generalization"}))
def test_names_stand_in_the_papers_order(name: str) -> None:
    figure = draw(name, *study(figure=name))
    shown = [legend.get_texts() for legend in figure.legends] or [axis.get_xticklabels() for axis in figure.axes]
    for labels in shown:
        assert [text.get_text() for text in labels] == ["ViT_REL", "CCCC", "CCCT", "CCTT", "CTTT"]


def test_points_of_generalization_are_labelled_directly_and_no_label_covers_a_point() -> None:
    figure = draw("generalization", *study(figure="generalization"))
    assert figure.legends == []
    (axis,) = figure.axes
    boxes = {text.get_text(): text.get_window_extent() for text in texts(figure) if text.get_text() in EFFECTS}
    assert set(boxes) == set(EFFECTS)
    places = {one.get_label(): axis.transData.transform(one.lines[0].get_xydata()[0]) for one in axis.containers}
    for name, box in boxes.items():
        assert not any(box.contains(*place) for place in places.values())
        away = {
            other: np.hypot(*(np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2 - place))
            for other, place in places.items()
        }
        assert min(away, key=away.__getitem__) == name


def test_names_are_layouts_or_attentions_or_both() -> None:
    runs = pd.DataFrame({"layout.name": ["CCCC", "CCTT", "CCTT"], "attention": ["none", "relative", "linear"]})
    assert with_names(runs[:2])["name"].tolist() == ["CCCC", "CCTT"]
    assert with_names(runs[1:])["name"].tolist() == ["relative", "linear"]
    assert with_names(runs)["name"].tolist() == ["CCCC, none", "CCTT, relative", "CCTT, linear"]


def test_runs_that_started_otherwise_have_a_panel_of_their_own() -> None:
    runs, _ = frames(seeds=1)
    tuned = pd.concat([runs.assign(**{"init.name": "scratch"}), runs.assign(**{"init.name": "finetune"})])
    assert [title for title, _ in regimes(tuned.iloc[::-1])] == [
        "fashion_mnist, 1,000 images, scratch",
        "fashion_mnist, 1,000 images, finetune",
    ]


def test_panels_are_in_order_of_images_and_pixels_whatever_the_runs_order() -> None:
    runs, _ = frames(seeds=1)
    numbers = [1000.0, 16000.0, np.nan, 4000.0]
    sizes = pd.concat([runs.assign(**{"data.train_size": number, "data.name": "cifar10"}) for number in numbers])
    assert [title for title, _ in regimes(pd.concat([runs, sizes]))] == [
        "cifar10, 1,000 images",
        "cifar10, 4,000 images",
        "cifar10, 16,000 images",
        "cifar10, all images",
        "fashion_mnist, 1,000 images",
    ]
    pixels = pd.concat([runs.assign(**{"data.image_size": pixels}) for pixels in (224, 64, 32)])
    assert [title.rpartition(", ")[2] for title, _ in regimes(pixels)] == ["32 pixels", "64 pixels", "224 pixels"]


@given(st.sets(st.sampled_from([*layouts(), "ViT", "none", *(f"norm={i}" for i in range(9))]), min_size=1))
def test_names_that_are_no_layouts_take_looks_that_none_of_them_has(names: set[str]) -> None:
    found = looks(sorted(names))
    assert set(found) == names
    assert len({(look["color"], look["marker"]) for look in found.values()}) == len(names)
    for name in names & set(layouts()):
        assert found[name] == looks([name])[name]


CHANGES = ["seed=0", "plan.head_size=24", "network.norm=layer", "network.downsample=depthwise_conv"]
DEPTHS = [f"plan.blocks=[{blocks}]" for blocks in ("2,1,2,5,1", "2,1,1,6,1", "2,1,3,4,1")]


def changed(words: Iterable[str], study: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs that differ in a word of their config each, named as the report names them, and their histories."""
    by_layout = dict(zip(EFFECTS, words, strict=False))
    runs, histories = frames({layout: EFFECTS[layout] for layout in by_layout})
    configs = [
        config_of(by_layout[layout], seed=seed) for layout, seed in zip(runs["layout.name"], runs["seed"], strict=True)
    ]
    runs = runs.assign(config=configs, **{"layout.name": "CCTT"})
    return runs.assign(name=run_names(runs, importlib.import_module(f"analysis.studies.{study}").DESIGN)), histories


def test_details_are_named_by_what_changed() -> None:
    found = changed(CHANGES, "details")[0]["name"]
    assert found.iloc[::3].tolist() == ["unchanged", "head_size=24", "norm=layer", "downsample=depthwise_conv"]
    # of two, neither is what the other is compared with
    two = changed(["seed=0", "network.norm=layer"], "details")[0]["name"]
    assert set(two) == {"norm=batch", "norm=layer"}
    depths = changed(DEPTHS, "stage_depth")[0]["name"]
    assert set(depths) == {f"blocks=2-1-{s2}-{7 - s2}-1" for s2 in (1, 2, 3)}


@pytest.mark.parametrize(("words", "study"), [(CHANGES, "details"), (DEPTHS, "stage_depth")])
@pytest.mark.parametrize("name", ["cost", "curves"])
def test_long_names_cover_nothing_and_leave_the_panels_their_room(name: str, words: list[str], study: str) -> None:
    figure = draw(name, *changed(words, study))
    boxes = {text: text.get_window_extent() for text in texts(figure) if not text.get_rotation() % 90}
    assert not [pair for pair in itertools.combinations(boxes, 2) if boxes[pair[0]].overlaps(boxes[pair[1]])]
    inside = figure.bbox
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes.values())
    assert all(axis.get_position().width > 0.35 for axis in figure.axes)
