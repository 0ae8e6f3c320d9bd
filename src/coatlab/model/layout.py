"""Check a layout against its plan: which kind of block each stage holds, and how many, how wide, with which stride.

A layout (sec. 2.2 of the paper) is a convolutional stem S0, then stages S1..S4 of MBConv (C) or transformer (T)
blocks, with every C before every T. The exception is ViT_REL: a patch stem, then one stage of T. A bad combination is
refused here, before anything expensive starts.

A plan lists S0 first: `blocks: [2, 2, 3, 5, 2]` is Table 7's "2-2-3-5-2". A pair in place of a number is a mixed stage,
MBConv blocks followed by transformer blocks: `[8, 42]` is S3 of CoAtNet-6 (Table 12).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coatlab.errors import InputError

Kind = Literal["C", "T"]
Stem = Literal["conv", "patch"]
Grid = tuple[int, int]


@dataclass(frozen=True)
class Segment:
    """Consecutive blocks of one kind and width inside a stage."""

    kind: Kind
    blocks: int
    width: int


@dataclass(frozen=True)
class Stage:
    """A stage: one segment, or an MBConv segment followed by a transformer one. Only its first block has a stride."""

    segments: tuple[Segment, ...]
    stride: int
    grid: Grid  # rows and columns of its output


@dataclass(frozen=True)
class Blueprint:
    """What to build: a layout and a plan that fit each other and an image size."""

    stem: Stem
    stem_blocks: int
    stem_width: int
    stem_stride: Grid  # rows and columns; of a patch stem: the size of a patch
    stages: tuple[Stage, ...]
    head_size: int
    image_size: Grid

    @property
    def has_attention(self) -> bool:
        """Tell whether any block is a transformer block."""
        return any(segment.kind == "T" for stage in self.stages for segment in stage.segments)

    @property
    def width(self) -> int:
        """Return the width of the last stage."""
        return self.stages[-1].segments[-1].width


def check_letters(letters: str) -> None:
    """Refuse stage letters that break the paper's rule: convolution comes before attention (sec. 2.2).

    Raises:
        InputError: a letter other than C and T, no letter at all, or a C after a T.
    """
    unknown = sorted(set(letters) - {"C", "T"})
    if unknown or not letters:
        found = f"has the letter {', '.join(unknown)}" if unknown else "has no letters"
        raise InputError(f"layout={letters} {found}; valid letters are C (MBConv) and T (transformer)")
    if "TC" in letters:
        raise InputError(
            f"layout={letters} puts convolution after attention; every C must come before every T, as "
            f"in CCCC, CCCT, CCTT, CTTT"
        )


def blueprint(layout: dict[str, Any], plan: dict[str, Any], image_size: int | Sequence[int]) -> Blueprint:
    """Check a layout and a plan against each other and an image size, and return what to build.

    Args:
        layout: `name`, `stem` (conv or patch) and `stages` (letters), as in conf/layout.
        plan: `blocks`, `widths`, `strides` (S0 first) and `head_size`, as in conf/size. A patch stem may have a pair
            as its stride, and `pad: true`: an image that is not a whole number of patches is then padded with zeros.
        image_size: pixels, one number or (rows, columns).

    Raises:
        InputError: one sentence naming the key that does not fit, and what would fit.
    """
    check_letters(layout["stages"])
    if layout["stem"] not in ("conv", "patch"):
        raise InputError(f"layout.stem={layout['stem']} does not exist; valid: conv, patch")
    blocks, widths, strides = _plan_lists(layout, plan)
    stem_stride = _pair(strides[0])
    grid = _grid_after_stem(layout, plan, stem_stride, _pair(image_size))
    return Blueprint(
        stem=layout["stem"],
        stem_blocks=blocks[0],
        stem_width=widths[0],
        stem_stride=stem_stride,
        stages=_stages(layout["stages"], blocks, widths, strides, grid, plan["head_size"]),
        head_size=plan["head_size"],
        image_size=_pair(image_size),
    )


def _plan_lists(layout: dict[str, Any], plan: dict[str, Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Return blocks, widths and strides, each with as many whole numbers as the layout needs."""
    name, needed = layout["name"], len(layout["stages"]) + 1
    for key in ("blocks", "widths", "strides"):
        if not isinstance(plan[key], list | tuple):
            raise InputError(
                f"plan.{key}={plan[key]} is not a list; layout={name} needs {needed} entries: S0 and one per stage"
            )
    for key in ("blocks", "widths", "strides"):
        values = list(plan[key])
        if len(values) != needed:
            raise InputError(
                f"plan.{key}={values} has {len(values)} entries; layout={name} needs {needed}: S0 and one per stage"
            )
        for value in _flat(values):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"plan.{key}={values} holds {value}; every entry must be a whole number of at least 1")
    blocks, widths, strides = (list(plan[key]) for key in ("blocks", "widths", "strides"))
    if not all(isinstance(stride, int) for stride in strides[1:]):
        raise InputError(f"plan.strides={strides} has a pair after the stem; only the first entry can be a pair")
    return blocks, widths, strides


def _grid_after_stem(layout: dict[str, Any], plan: dict[str, Any], stem_stride: Grid, image_size: Grid) -> Grid:
    """Return rows and columns after the stem; refuse an image that the strides do not divide."""
    strides, pad = list(plan["strides"]), plan.get("pad", False)
    if layout["stem"] == "conv" and (stem_stride[0] != stem_stride[1] or pad):
        raise InputError(f"plan.strides={strides} and plan.pad: only a patch stem may be rectangular or padded")
    grid = image_size
    if pad:
        rows, columns = (math.ceil(side / stride) * stride for side, stride in zip(grid, stem_stride, strict=True))
        grid = rows, columns
    total = math.prod(strides[1:])
    if any(side % (stride * total) for side, stride in zip(grid, stem_stride, strict=True)):
        rows, columns = image_size
        raise InputError(
            f"image_size={rows if rows == columns else (rows, columns)} is not divisible by "
            f"{stem_stride[0] * total}, the product of plan.strides={strides} of layout={layout['name']}"
        )
    return grid[0] // stem_stride[0], grid[1] // stem_stride[1]


def _stages(
    letters: str, blocks: list[Any], widths: list[Any], strides: list[int], grid: Grid, head_size: Any
) -> tuple[Stage, ...]:
    """Return S1, S2, ...; refuse convolution after attention, and a width that is not a whole number of heads."""
    stages: list[Stage] = []
    seen_attention = False
    for number, letter in enumerate(letters, start=1):
        grid = (grid[0] // strides[number], grid[1] // strides[number])
        segments = _segments(letter, blocks[number], widths[number], f"S{number}")
        if seen_attention and segments[0].kind == "C":
            raise InputError(
                f"plan.blocks={blocks} puts convolution after attention in S{number}; only the first stage with T "
                "can be mixed"
            )
        for segment in segments:
            if segment.kind == "T":
                seen_attention = True
                _check_heads(segment.width, head_size, f"S{number}")
        stages.append(Stage(segments, strides[number], grid))
    return tuple(stages)


def _segments(letter: str, blocks: Any, widths: Any, stage: str) -> tuple[Segment, ...]:
    """Return the segments of one stage: one for a number of blocks, two for the pair of a mixed stage."""
    if isinstance(blocks, int) and isinstance(widths, int):
        return (Segment("C" if letter == "C" else "T", blocks, widths),)
    pairs = isinstance(blocks, list | tuple) and isinstance(widths, list | tuple) and len(blocks) == len(widths) == 2
    if not pairs or letter != "T":
        raise InputError(
            f"plan of {stage}: blocks {blocks} and widths {widths} do not fit; a mixed stage is a T stage with a pair "
            "of each, MBConv first"
        )
    return Segment("C", blocks[0], widths[0]), Segment("T", blocks[1], widths[1])


def _check_heads(width: int, head_size: Any, stage: str) -> None:
    """Refuse a transformer width that is not a whole number of heads."""
    if not isinstance(head_size, int) or isinstance(head_size, bool) or head_size < 1 or width % head_size:
        raise InputError(
            f"plan.head_size={head_size} does not divide the width {width} of {stage}; valid: {_divisors(width)}"
        )


def _divisors(width: int) -> str:
    return ", ".join(str(d) for d in range(8, width + 1) if width % d == 0)


def _flat(values: Sequence[Any]) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list | tuple) else [value])]


def _pair(size: int | Sequence[int]) -> Grid:
    if isinstance(size, int):
        return size, size
    rows, columns = size
    return int(rows), int(columns)
