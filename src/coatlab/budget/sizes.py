"""The sizes of conf/size: their budgets, what their plans cost, and how solved plans are written back."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from coatlab.budget import REFERENCE_ATTENTION
from coatlab.budget.cost import Cost, cost_of
from coatlab.budget.parts import Budget, Setting
from coatlab.budget.solver import Found, solve
from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices, conf_dir
from coatlab.create import attention_factory, network_of
from coatlab.errors import InputError
from coatlab.output.files import write_atomic


def config_of(size: str, layout: str, attention: str, matched: bool = False) -> dict[str, Any]:
    """Return the resolved config of a layout at a size, with its reference plan or (matched) the attention's own."""
    mode = "matched" if matched else "reference"
    return resolve(compose([f"size={size}", f"layout={layout}", f"attention={attention}", f"budget={mode}"]))


def cost_in(config: Mapping[str, Any], image_size: int | None = None) -> Cost:
    """Count the network of a resolved config at its size's resolution, or at another one (pixels)."""
    reference = config["size"].get("budget") or {"image_size": 224, "channels": 3, "num_classes": 1000}
    with torch.device("meta"):
        network = network_of(
            config,
            image_size=image_size or reference["image_size"],
            num_classes=reference["num_classes"],
            channels=reference["channels"],
            stochastic_depth=0.0,
        )
    return cost_of(network)


def budget_of(size: str) -> Budget:
    """Return the budget of a size.

    Raises:
        InputError: the size has no budget, only the paper's plan.
    """
    values = compose([f"size={size}", "layout=CCTT"]).size.get("budget")
    if values is None:
        raise InputError(f"size={size} has no budget, only the paper's CCTT plan; valid: {', '.join(budgeted())}")
    return Budget(**values)


def budgeted() -> list[str]:
    """List the sizes that have a budget."""
    return [size for size in choices("size") if "budget" in compose([f"size={size}"]).size]


def solve_for(size: str, layout: str, attention: str) -> Found:
    """Solve the plan of a layout with an attention for the budget of a size.

    Raises:
        NoPlan: no plan comes within 2 % of the budget; the sentence names the closest plan and what it misses.
        InputError: the layout has another number of stages than the size's preferred shape.
    """
    budget = budget_of(size)
    chosen = compose([f"size={size}", f"layout={layout}", f"attention={attention}"])
    config: dict[str, Any] = {
        key: OmegaConf.to_container(chosen[key], resolve=True) for key in ("size", "attention", "network")
    }
    shape, letters = config["size"]["shape"], chosen.layout.stages
    if chosen.layout.stem == "conv" and len(letters) != len(shape["blocks"]) - 1:
        raise InputError(
            f"layout={layout} has {len(letters)} stages; size={size} describes {len(shape['blocks']) - 1} in its shape"
        )
    setting = Setting(
        head_size=config["size"]["head_size"],
        strides=tuple(shape["strides"]),
        blocks=tuple(shape["blocks"]),
        patch=shape["patch"],
        width_per_block=shape["width_per_block"],
        attention=attention_factory(config["attention"]),
        network=config["network"],
    )
    found = solve(chosen.layout.stem, letters, budget, setting)
    plan = {**found.plan, "head_size": setting.head_size}
    whole = cost_in({**config, "layout": dict(chosen.layout), "plan": plan})
    assert (whole.parameters, whole.macs) == (round(found.parameters), round(found.macs)), "predicted costs are wrong"
    return found


def write_plans(size: str, attention: str, plans: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write solved plans into conf/size/<size>.yaml; the rest of the file, with its comments, does not change."""
    path = conf_dir() / "size" / f"{size}.yaml"
    text = path.read_text()
    if attention == REFERENCE_ATTENTION:
        block = "plans:\n" + "".join(f"  {layout}: {plan_text(plan)}\n" for layout, plan in plans.items())
        text = re.sub(r"^plans:\n(?:  .*\n)*", block, text, flags=re.MULTILINE)
    else:
        block = f"  {attention}:\n" + "".join(f"    {layout}: {plan_text(plan)}\n" for layout, plan in plans.items())
        text = re.sub(r"^matched: \{\}", "matched:", text, flags=re.MULTILINE)
        text = re.sub(rf"^  {attention}:\n(?:    .*\n)*", "", text, flags=re.MULTILINE)
        text = re.sub(r"^(matched:.*\n)", lambda found: found[1] + block, text, flags=re.MULTILINE)
    write_atomic(path, lambda file: file.write(text.encode()))
    return path


def plan_text(plan: Mapping[str, Any]) -> str:
    """Write a plan in one line, as in the yaml."""
    return "{" + ", ".join(f"{key}: {str(value).lower()}" for key, value in plan.items()) + "}"
