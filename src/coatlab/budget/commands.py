"""What `python -m coatlab.budget` prints: the cost of layouts, and plans that are solved again."""

import sys
from collections.abc import Iterator
from typing import Any

import pandas as pd
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from coatlab.budget import REFERENCE_ATTENTION
from coatlab.budget.cost import Cost
from coatlab.budget.sizes import budget_of, config_of, cost_in, plan_text, solve_for, write_plans
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.errors import InputError
from coatlab.output.markdown import to_markdown
from coatlab.output.text import shown

WIDE = 160
PLAN_KEYS = ("blocks", "widths", "strides", "pad")


def cost_rows(
    size: str, attentions: list[str], image_size: int | None, matched: bool, stages: bool
) -> Iterator[dict[str, Any]]:
    """Yield a row for each layout that has a plan and for each attention; a layout without T has one row in all."""
    node = compose([f"size={size}"]).size
    budget = budget_of(size) if "budget" in node else None
    for layout in node.plans:
        for attention in attentions:
            config = config_of(size, layout, attention, matched)
            if "T" not in config["layout"]["stages"] and attention != attentions[0]:
                continue
            cost = cost_in(config, image_size)
            comparable = budget is not None and image_size in (None, budget.image_size)
            row = {
                "size": size,
                "layout": layout,
                "attention": attention if "T" in config["layout"]["stages"] else "none",
            }
            plan = {key: _dashed(config["plan"][key]) for key in ("blocks", "widths", "strides")}
            off = {
                f"off_{key}": f"{getattr(cost, key) / getattr(budget, key) - 1:+.2%}" if comparable else ""
                for key in ("parameters", "macs")
            }
            yield row | plan | _shown(cost) | off
            for number, (name, part) in enumerate(cost.stages.items() if stages else ()):
                inner = {key: plan[key].split("-")[number] if name != "head" else "" for key in plan}
                yield row | {"layout": f"{layout} {name}"} | inner | _shown(part) | dict.fromkeys(off, "")


def _shown(cost: Cost) -> dict[str, float]:
    return {
        "parameters_m": round(cost.parameters / 1e6, 3),
        "mmacs": round(cost.macs / 1e6, 2),
        "activations_mb": round(cost.activations / 1e6, 2),
    }


def compare(size: str, attention: str, write: bool, only: str | None = None) -> int:
    """Solve the plans of a size again, print the differences, and write the plans if asked.

    Returns:
        1 if a plan differs and was not written, or if there is none for a layout; otherwise 0.
    """
    budget_of(size)
    node = compose([f"size={size}"]).size
    given = list(node.get("given", []))
    held = (node.plans if attention == REFERENCE_ATTENTION else node.matched.get(attention)) or {}
    plans: dict[str, dict[str, Any]] = {}
    differs, refused = False, []
    for layout in choices("layout"):
        if only not in (None, layout) or (attention == REFERENCE_ATTENTION and layout in given):
            if layout in held:
                plans[layout] = _plain(held[layout])
            continue
        if attention != REFERENCE_ATTENTION and "T" not in compose([f"layout={layout}"]).layout.stages:
            continue  # without attention the plan is the same for all of them
        try:
            found = solve_for(size, layout, attention)
        except InputError as none:
            refused.append(f"{size} {layout}: {none}")
            if layout in held:
                plans[layout] = _plain(held[layout])
            continue
        plans[layout] = found.plan
        before = _plain(held[layout]) if layout in held else None
        if before == found.plan:
            print(f"{size} {layout}: unchanged, {plan_text(found.plan)}")
        else:
            differs = True
            print(f"{size} {layout}: {plan_text(before) if before else 'no plan'} -> {plan_text(found.plan)}")
    if write:
        print(f"written: {shown(write_plans(size, attention, plans))}")
    for sentence in refused:
        print(sentence, file=sys.stderr)
    return 1 if refused or (differs and not write) else 0


def print_table(table: pd.DataFrame, form: str) -> None:
    """Print a table for the terminal, as Markdown or as CSV."""
    if form == "csv":
        print(table.to_csv(index=False), end="")
    elif form == "markdown":
        print(to_markdown(table))
    else:
        shown = Table(box=None, pad_edge=False)
        for column in table.columns:
            numeric = pd.api.types.is_numeric_dtype(table[column])
            shown.add_column(column, justify="right" if numeric else "left", no_wrap=True)
        for row in table.itertuples(index=False):
            shown.add_row(*(Text(str(value)) for value in row))
        Console(width=WIDE, highlight=False).print(shown)  # wide, so that each row is one line in a file


def _plain(plan: Any) -> dict[str, Any]:
    """Return a plan from the yaml in the solver's form: a dict with the keys of PLAN_KEYS."""
    values = OmegaConf.to_container(plan)
    assert isinstance(values, dict)
    return {key: values[key] for key in PLAN_KEYS if key in values}


def _dashed(values: list[Any]) -> str:
    """Write a list of a plan as the paper does: 2-2-3-5-2, with a pair as 8+42."""
    return "-".join("+".join(map(str, value)) if isinstance(value, list) else str(value) for value in values)
