"""Several tests with one error, against statsmodels and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from analysis.stats.several import hochberg, levels, shares


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_hochberg_is_statsmodels(p: list[float]) -> None:
    expected = multipletests(p, method="simes-hochberg")[1]
    assert hochberg(np.array(p)) == pytest.approx(expected)
    assert hochberg(np.array([p, [1.0] * len(p)])) == pytest.approx(np.array([expected, [1.0] * len(p)]))


def test_primary_claims_have_four_fifths_of_the_error() -> None:
    assert shares([True, False, True, False, False]) == pytest.approx([0.4, 0.2 / 3, 0.4, 0.2 / 3, 0.2 / 3])
    assert shares([True, True]) == pytest.approx([0.5, 0.5])
    assert shares([False] * 4) == pytest.approx([0.25] * 4)
    assert len(shares([])) == 0


def test_a_decided_claim_passes_its_share_on_to_those_that_wait() -> None:
    share = np.array([0.8, 0.1, 0.1])
    assert levels(np.array([0.05, 0.5, 0.5]), share) == pytest.approx([0.04, 0.005, 0.005])
    assert levels(np.array([0.03, 0.5, 0.5]), share)[1:] == pytest.approx([0.025, 0.025])
    assert levels(np.array([0.03, 0.02, 0.5]), share)[2] == pytest.approx(0.05)
    chain = levels(np.array([0.03, 0.02, 0.04]), share)
    assert (np.array([0.03, 0.02, 0.04]) <= chain).all()
    first = levels(np.array([[0.05, 0.5, 0.5], [0.03, 0.5, 0.5]]), share)
    assert first[:, 1] == pytest.approx([0.005, 0.025])


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=5), st.data())
def test_levels_of_waiting_claims_never_exceed_the_error_together(largest: list[float], data: st.DataObject) -> None:
    primary = data.draw(st.lists(st.booleans(), min_size=len(largest), max_size=len(largest)))
    found = levels(np.array(largest), shares(primary))
    waiting = np.array(largest) > found
    assert found[waiting].sum() <= 0.05 + 1e-12
