"""The two-way layout against statsmodels' analysis of variance, and against planted components."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from analysis.stats.variance import components


def planted(row: float, column: float, rest: float, shape: tuple[int, int], draw: int = 0) -> np.ndarray:
    generator = np.random.default_rng(draw)
    rows, columns = shape
    return generator.normal(0, row, (rows, 1)) + generator.normal(0, column, columns) + generator.normal(0, rest, shape)


def test_mean_squares_are_those_of_statsmodels() -> None:
    table = planted(1.0, 2.0, 0.5, (4, 7))
    long = pd.DataFrame([{"row": r, "column": c, "value": table[r, c]} for r in range(4) for c in range(7)])
    squares = anova_lm(ols("value ~ C(row) + C(column)", long).fit())
    m_row, m_column, m_rest = (squares["sum_sq"] / squares["df"]).to_numpy()
    found = components(table)
    assert found.rest == pytest.approx(m_rest)
    assert found.row == pytest.approx((m_row - m_rest) / 7)
    assert found.column == pytest.approx((m_column - m_rest) / 4)
    assert found.of_columns == pytest.approx(found.column / 7)


def test_with_the_variance_of_row_means_it_is_the_variance_of_the_grand_mean() -> None:
    drawn = [planted(0.1, 1.0, 2.0, (5, 200), draw) for draw in range(400)]
    estimated = [table.mean(axis=1).var(ddof=1) / 5 + components(table).of_columns for table in drawn]
    assert np.mean(estimated) == pytest.approx(np.var([table.mean() for table in drawn]), rel=0.2)
    assert np.mean([components(table).column for table in drawn]) == pytest.approx(1.0, rel=0.05)


def test_a_component_is_never_negative_and_one_row_tells_nothing() -> None:
    found = [components(planted(0.0, 0.0, 1.0, (3, 20), draw)) for draw in range(20)]
    assert min(one.column for one in found) == min(one.row for one in found) == 0.0
    assert np.isnan(components(np.zeros((1, 5))).column)
