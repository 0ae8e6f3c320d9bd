"""Dots, intervals and bands stand where their numbers are, and inside the plot."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.claims.claim import load_claims
from analysis.claims.decide import UNDECIDED, Finding
from analysis.report.tracks import dot_tracks, forest, scale_of
from analysis.tables.dots import Dot, Dots
from analysis.tabular import Mean

(G,) = [claim for claim in load_claims("layouts") if claim.key == "G"]
numbers = st.floats(-1, 1)


@given(st.lists(numbers | st.just(float("nan")), max_size=6))
def test_a_scale_keeps_order_and_holds_all_numbers(some: list[float]) -> None:
    scale = scale_of(some)
    known = sorted(number for number in some if not np.isnan(number))
    places = [scale.place(number) for number in known]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)


def test_dots_stand_in_proportion_and_one_seed_has_no_interval() -> None:
    plot = Dots(
        "few", "accuracy", [Dot(name, "", Mean(3, mean)) for name, mean in (("a", 0.0), ("b", 1.0), ("c", 0.25))]
    )
    first, second, third = dot_tracks(plot)
    assert first.dot is not None
    assert second.dot is not None
    assert third.dot == pytest.approx(first.dot + (second.dot - first.dot) / 4, abs=0.01)
    assert first.interval is None
    nothing = Dots("few", "accuracy", [Dot("a", "", Mean(0, float("nan")))])
    assert dot_tracks(nothing)[0].dot is None


def test_a_band_covers_the_differences_with_which_a_relation_holds() -> None:
    findings = [Finding(relation, UNDECIDED, difference=0.0, low=-0.01, high=0.02) for relation in G.relations]
    tracks = dict(zip(map(str, G.relations), forest(G, findings), strict=True))
    about, least, above, far = (
        tracks[word] for word in ("CCCC ≈ CCCT", "CCCT >= CCTT", "CCTT > CTTT", "CTTT >> ViT_REL")
    )
    assert about.band and least.band and above.band and far.band  # noqa: PT018
    zero = above.zero
    assert zero is not None
    assert above.band == (zero, 100.0)
    assert about.band[0] == least.band[0] < zero < about.band[1] < far.band[0]
    assert zero - about.band[0] == pytest.approx(about.band[1] - zero, abs=0.02)  # a margin on both sides
    assert far.band[0] - zero == pytest.approx(3 * (about.band[1] - zero), abs=0.05)
    assert about.dot == zero
    assert about.interval is not None
    assert about.interval[0] < zero < about.interval[1]
    unknown = forest(G, [replace(finding, difference=float("nan"), low=float("nan")) for finding in findings])
    assert [track.dot for track in unknown] == [None] * len(findings)
