"""The order in which tables, legends, figures and pages show layouts, attention variants and other settings.

Layouts stand as in the paper (sec. 2.2): one with a patch stem first, then by the number of attention stages, then by
name. That gives ViT_REL, CCCC, CCCT, CCTT, CTTT. It is read from conf/layout, so that a new layout finds its place by
itself. Attention variants stand in the order of the paper's options (sec. 2.2): A, global; B, local; C, linear. A
variant that is not in the list below follows by name and needs no entry.

Each rank below is a tuple: sorting by it gives the order.
"""

import re
from collections.abc import Iterable
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from coatlab.config.files import choices, conf_dir

ATTENTIONS = ("relative", "post", "absolute", "window", "neighborhood", "linear")  # options A, A, A, B, B, C
NO_ATTENTION = "none"  # of a layout without a T
COVERING = "*"  # ends the name of local attention whose field covers a whole grid, which a note then says
UNCHANGED = "unchanged"  # a run with which runs that change one detail are compared
RELATIVE = "_REL"  # ends the name of a layout that says which attention it has
STARTS = {"scratch": "", "finetune": " "}  # from scratch comes first
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")

Rank = tuple[Any, ...]


def layouts() -> list[str]:
    """List the layouts of conf/ in order."""
    return sorted(_layouts(conf_dir()), key=layout_rank)


def attentions() -> list[str]:
    """List the attention variants of conf/ in order."""
    return sorted(choices("attention"), key=attention_rank)


def layout_name(layout: str, attention: str) -> str:
    """Name a layout plainly: ViT_REL says "relative", so with another attention it is a ViT."""
    return layout if attention == "relative" else layout.removesuffix(RELATIVE)


def layout_rank(name: str) -> Rank:
    """Rank a layout; ViT stands with ViT_REL, and what conf/ does not have comes last, by name."""
    known = _layouts(conf_dir())
    full = name if name in known else name + RELATIVE
    return (0, *known[full], full, name != full) if full in known else (1, False, 0, name, False)


def attention_rank(name: str) -> Rank:
    """Rank an attention variant; those that are not in the list follow by name; `none` comes last."""
    place = ATTENTIONS.index(name) if name in ATTENTIONS else len(ATTENTIONS)
    return (name == NO_ATTENTION, place, name)


def value_rank(key: str, value: Any) -> Rank:
    """Rank a value of a key of the config: numbers by size, then text, then None, which stands for all there is."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return (True, False, 0.0, ())
    if isinstance(value, Real):
        return (False, False, float(value), ())
    text = str(value)
    if key == "layout.name":
        return (False, True, 0.0, layout_rank(text))
    if key in ("attention", "attention.name"):
        return (False, True, 0.0, attention_rank(text))
    return (False, True, 0.0, _natural(text))


def name_rank(name: str) -> Rank:
    """Rank what a figure shows, which is a layout, an attention, a setting, or several of these with commas."""
    return tuple(_part_rank(part) for part in name.split(", "))


def in_order(names: Iterable[str]) -> list[str]:
    """Return names of layouts, attentions and settings in order, each once."""
    return sorted(set(names), key=lambda name: (name_rank(name), name))


def _part_rank(part: str) -> Rank:
    known, part = _layouts(conf_dir()), part.removesuffix(COVERING)
    if part in known or part + RELATIVE in known:
        return (0, layout_rank(part))
    if part in ATTENTIONS or part == NO_ATTENTION or part in choices("attention"):
        return (1, attention_rank(part))
    return (2, ()) if part == UNCHANGED else (3, _natural(part))


def _natural(text: str) -> Rank:
    """Rank a text so that a number in it counts by its size: batch_size=32 before batch_size=128."""
    parts = _NUMBER.split(STARTS.get(text, text))
    return tuple(float(part) if place % 2 else part for place, part in enumerate(parts))


@cache
def _layouts(folder: Path) -> dict[str, tuple[bool, int]]:
    """Read conf/layout: by name, whether the stem is convolutional, and the number of attention stages."""
    found = {path.stem: OmegaConf.load(path) for path in (folder / "layout").glob("*.yaml")}
    return {name: (layout.stem != "patch", str(layout.stages).count("T")) for name, layout in found.items()}
