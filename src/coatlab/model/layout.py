"""A layout (which kind of block each stage holds) and its plan (blocks, widths and strides), checked.

Sec. 2.2 of the paper: a convolutional stem S0, then stages S1..S4 of MBConv (C) or transformer (T)
blocks, every C before every T; or ViT_REL, a patch stem and one stage of T. A
bad combination is refused before anything expensive starts.

A plan lists S0 first: `blocks: [2, 2, 3, 5, 2]` is Table 7's "2-2-3-5-2". A pair in place of a number
is a mixed stage, MBConv blocks and then transformer blocks: `[8, 42]` is S3 of CoAtNet-6 (Table 12).
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
    """A row of equal blocks inside a stage."""

    kind: Kind
    blocks: int
    width: int


@dataclass(frozen=True)
class Stage:
    """A stage: one segment, or an MBConv and a transformer one; its first block strides."""

    segments: tuple[Segment, ...]
    stride: int
    grid: Grid  # rows and columns after the stride


@dataclass(frozen=True)
class Blueprint:
    """A layout and a plan that were checked together against an image size: all that a network needs."""

    stem: Stem
    stem_blocks: int
    stem_width: int
    stem_stride: Grid  # rows and columns; a patch stem's patch
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
    """Refuse stage letters that the paper's rule excludes (sec. 2.2).

    Raises:
        InputError: a letter other than C and T, none at all, or a C after a T.
    """
    unknown = sorted(set(letters) - {"C", "T"})
    if unknown or not letters:
        raise InputError(
            f"layout={letters} has the letter {', '.join(unknown) or '(none)'}; valid letters are C "
            f"(MBConv) and T (transformer)"
        )
    if "TC" in letters:
        raise InputError(
            f"layout={letters} puts convolution after attention; every C must come before every T, as "
            f"in CCCC, CCCT, CCTT, CTTT"
        )


def blueprint(layout: dict[str, Any], plan: dict[str, Any], image_size: int | Sequence[int]) -> Blueprint:
    """Check a layout and a plan against each other and an image size, and return what to build.

    Args:
        layout: `name`, `stem` (conv or patch) and `stages` (letters), as in conf/layout.
        plan: `blocks`, `widths`, `strides` (S0 first) and `head_size`, as in conf/size. With `pad` a patch stem
            completes the last patches of a row and a column with zeros; its stride may be a pair.
        image_size: pixels, one number or (rows, columns).

    Raises:
        InputError: one sentence naming the key that does not fit and what would.
    """
    name, letters = layout["name"], layout["stages"]
    check_letters(letters)
    if layout["stem"] not in ("conv", "patch"):
        raise InputError(f"layout.stem={layout['stem']} does not exist; valid: conv, patch")
    for key in ("blocks", "widths", "strides"):
        if not isinstance(plan[key], list | tuple):
            raise InputError(
                f"plan.{key}={plan[key]} is not a list; layout={name} needs {len(letters) + 1} entries: "
                "S0 and one a stage"
            )
    blocks, widths, strides = (list(plan[key]) for key in ("blocks", "widths", "strides"))
    for key, values in (("blocks", blocks), ("widths", widths), ("strides", strides)):
        if len(values) != len(letters) + 1:
            raise InputError(
                f"plan.{key}={values} has {len(values)} entries; layout={name} needs "
                f"{len(letters) + 1}: S0 and one a stage"
            )
        for value in _flat(values):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"plan.{key}={values} holds {value}; every entry must be a whole number of at least 1")

    if not all(isinstance(stride, int) for stride in strides[1:]):
        raise InputError(f"plan.strides={strides} has a pair behind the stem; only the first entry may be one")
    stem_stride, grid = _pair(strides[0]), _pair(image_size)
    if layout["stem"] == "conv" and (stem_stride[0] != stem_stride[1] or plan.get("pad", False)):
        raise InputError(f"plan.strides={strides} and plan.pad: only a patch stem may be rectangular or padded")
    if plan.get("pad", False):
        grid = (
            math.ceil(grid[0] / stem_stride[0]) * stem_stride[0],
            math.ceil(grid[1] / stem_stride[1]) * stem_stride[1],
        )
    total = math.prod(strides[1:])
    if any(side % (stride * total) for side, stride in zip(grid, stem_stride, strict=True)):
        rows, columns = _pair(image_size)
        raise InputError(
            f"image_size={rows if rows == columns else (rows, columns)} is not divisible by "
            f"{stem_stride[0] * total}, the product of plan.strides={strides} of layout={name}"
        )
    grid = (grid[0] // stem_stride[0], grid[1] // stem_stride[1])
    stages = []
    seen_attention = False
    for i, letter in enumerate(letters, start=1):
        grid = (grid[0] // strides[i], grid[1] // strides[i])
        segments = _segments(letter, blocks[i], widths[i], f"S{i}")
        if seen_attention and segments[0].kind == "C":
            raise InputError(
                f"plan.blocks={blocks} puts convolution after attention in S{i}; a mixed stage can "
                f"only be the first one with T"
            )
        for segment in segments:
            if segment.kind == "T":
                seen_attention = True
                _check_heads(segment.width, plan["head_size"], f"S{i}")
        stages.append(Stage(segments, strides[i], grid))
    return Blueprint(
        stem=layout["stem"],
        stem_blocks=blocks[0],
        stem_width=widths[0],
        stem_stride=stem_stride,
        stages=tuple(stages),
        head_size=plan["head_size"],
        image_size=_pair(image_size),
    )


def _segments(letter: str, blocks: Any, widths: Any, stage: str) -> tuple[Segment, ...]:
    """Read a stage's entry: a number, or a pair for a mixed stage."""
    if isinstance(blocks, int) and isinstance(widths, int):
        return (Segment("C" if letter == "C" else "T", blocks, widths),)
    pairs = isinstance(blocks, list | tuple) and isinstance(widths, list | tuple) and len(blocks) == len(widths) == 2
    if not pairs or letter != "T":
        raise InputError(
            f"plan of {stage}: blocks {blocks} and widths {widths}; a mixed stage is a T stage with a "
            f"pair of each, MBConv first"
        )
    return Segment("C", blocks[0], widths[0]), Segment("T", blocks[1], widths[1])


def _check_heads(width: int, head_size: Any, stage: str) -> None:
    """Refuse a transformer width that is not a whole number of heads."""
    if not isinstance(head_size, int) or head_size < 1 or width % head_size:
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
