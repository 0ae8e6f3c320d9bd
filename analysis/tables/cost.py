"""Cost and speed of a study's cells: the costs that are counted, and what their trainings took.

Parameters, multiply-adds and activations are counted; the others are measured. The caption names the hardware and
precision; if runs differ in these, each kind gets rows of its own.
"""

from collections.abc import Sequence

from analysis.compare.design import Panel, Summarize
from analysis.compare.hardware import by_hardware
from analysis.compare.panels import covering_notes
from analysis.tabular import Column, Table, mean_of

COUNTED = {
    "parameters": Column("parameters (M)", ".3f", within=0.03),
    "macs": Column("MACs (M)", ".2f", within=0.03),
    "activations": Column("activations (MB)", ".2f"),  # bytes of one training step, per image
}
SECONDS = "seconds"
MEASURED = {
    SECONDS: Column("seconds", ",.0f", best="low"),
    "images_per_second": Column("images/s", ",.0f", best="high"),
    "peak_memory_mb": Column("peak memory (MB)", ",.0f", best="low"),
}
NOTES = (
    "Activations: what a training step keeps for its backward pass, per image, in float32.",
    "Images/s: training only, the median of a run's epochs. Peak memory: of the GPU, or of the whole process on a CPU.",
)
OF_SECONDS = "Seconds: training and evaluation, all attempts."


def cost_tables(panels: Sequence[Panel], summarize: Summarize = mean_of) -> list[Table]:
    """Make one table per panel, with a row for each cell and kind of hardware; all budgets of a cell are one row."""
    return [_table(panel.over_budgets or panel, summarize, bool(panel.over_budgets)) for panel in panels]


def _table(panel: Panel, summarize: Summarize, over_budgets: bool) -> Table:
    # of several budgets, each has its own seconds, and all have the same speed
    taken = {key: column for key, column in MEASURED.items() if not (over_budgets and key == SECONDS)}
    hardware = list(by_hardware(panel.runs))
    apart = len(hardware) > 1
    rows = [
        [
            *row.words,
            *([kind] if apart else []),
            own["seed"].nunique(),
            *(float(own[key].mean()) / 1e6 if key in own else None for key in COUNTED),
            *(summarize(own.groupby("seed")[key].mean().to_numpy(float)) if key in own else None for key in taken),
        ]
        for row in panel.rows
        for kind, own in by_hardware(row.runs).items()
    ]
    measured = [Column(one.title, one.form, None if apart else one.best) for one in taken.values()]
    told = [Column("hardware")] if apart else []
    columns = [*panel.columns, *told, Column("seeds", "d", within=0), *COUNTED.values(), *measured]
    several = "trained on different hardware, with a row for each kind, so no value is marked as best"
    where = several if apart else f"trained on {hardware[0]}"
    notes = [*NOTES, *([OF_SECONDS] if SECONDS in taken else []), *covering_notes(panel.runs)]
    return Table(f"Cost and speed, {panel.title}", columns, rows, where, notes)
