"""What makes a paired difference uncertain: the seeds, and the test images.

A study's runs are tested on one sample of images. Those images move the differences of all seeds together, so no number
of seeds shows it: a verdict that looks at seeds alone speaks of these images only. Where each run's answers are known
per image, the difference left - right is a table of S seeds (rows) by N images (columns), both drawn at random:

    difference = mean + seed + image + rest      Var(mean) = s2_seed / S + s2_image / N + s2_rest / (S N)

which is the random two-way layout without replication; its variances are estimated by the mean squares of the analysis
of variance (Searle, Casella and McCulloch 1992, Variance Components, chapter 4). The variance of the seeds' means,
divided by S, already estimates the first and the last term. So the images add s2_image / N = (M_image - M_rest) / (S N)
to the squared standard error. A negative estimate counts as 0.

A seed stands for all that it draws: initial weights, order of images, and the subset of training images, if that
follows the seed. Bouthillier et al. 2021 (Accounting for Variance in Machine Learning Benchmarks) find the data sample
to be the largest of these, so a study in which all seeds share one subset speaks of that subset only.
"""

from dataclasses import dataclass

from analysis.stats.samples import NAN, Floats


@dataclass(frozen=True)
class Components:
    """Variances of the two-way layout of S rows and N columns, as mean squares estimate them.

    Attributes:
        row, column, rest: variance between rows (seeds), between columns (images), and of what is left; never below 0.
        of_columns: the part of the mean's variance that more rows cannot lower, column / N.
    """

    row: float
    column: float
    rest: float
    of_columns: float


def components(table: Floats) -> Components:
    """Split the variance of a table of differences, (S, N); NaN with fewer than two rows or columns."""
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return Components(NAN, NAN, NAN, NAN)
    of_row, of_column, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
    squares = float(((table - mean) ** 2).sum())
    between_rows = columns * float(((of_row - mean) ** 2).sum())
    between_columns = rows * float(((of_column - mean) ** 2).sum())
    m_row, m_column = between_rows / (rows - 1), between_columns / (columns - 1)
    m_rest = max(squares - between_rows - between_columns, 0.0) / ((rows - 1) * (columns - 1))
    column = max(m_column - m_rest, 0.0) / rows
    return Components(max(m_row - m_rest, 0.0) / columns, column, m_rest, column / columns)
