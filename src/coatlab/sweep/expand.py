"""From a sweep's yaml and the command line to its cells, each a list of overrides.

    hydra:
      sweeper:
        params: {layout: "CCTT,CTTT"}                      # a product
        cells:                                             # each combined with every one of these alternatives
          - {size: nano, plan.blocks: [2, 1, 2, 5, 1]}
          - {size: coatnet_2, plan.blocks: [2, 2, 6, 14, 2], seed: "0,1"}
        pick: {size: nano}                                 # keep only these, unless the command line says otherwise

A value with commas is swept over, as on the command line. On the command line, `key=value` selects the cells that have
that value. If no cell has it, it replaces the value in all cells, and cells that become equal are merged.

Cells may say which part of the study they belong to, `sweep.part: core` or `rest`; a study with parts picks its core.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from coatlab.config.files import choices, groups
from coatlab.config.typed.overrides import check_overrides
from coatlab.config.words import written
from coatlab.errors import InputError, not_one_of

Point = dict[str, str]  # one cell: key -> value, as an override has it
PART = "sweep.part"


def expand(sweeper: Mapping[str, Any], words: Sequence[str], parser: OverridesParser) -> list[list[str]]:
    """List the cells of a sweep in the order of its yaml, each as the overrides that make it.

    Args:
        sweeper: `params`, `cells` and `pick` of the config's `hydra.sweeper`.
        words: the command line.
        parser: Hydra's; one with a config loader knows `glob(*)`.

    Raises:
        InputError: a sweep over an interval, which has no list of cells, or over several studies; a part that the
            study does not have.
    """

    def axes(settings: Mapping[str, Any]) -> dict[str, list[str]]:
        return dict(_values(f"{key}={written(value)}", parser) for key, value in settings.items())

    check_overrides(words)
    given = dict(_values(word, parser) for word in words)
    if len(studies := given.get("sweep", [])) > 1:  # each cell would be of a study, but not one of its cells
        raise InputError(f"sweep={','.join(studies)} is not valid; give one study at a time, as in sweep={studies[0]}")
    pick = axes(sweeper["pick"])
    alternatives = [point for cell in sweeper["cells"] or [{}] for point in _product(axes(cell))]
    points = [one | other for one in _product(axes(sweeper["params"])) for other in alternatives]
    _check_parts(given.get(PART, []), {point.get(PART, "core") for point in points})
    for key in pick.keys() - given.keys():
        points = _choose(points, key, pick[key])
    for key, values in given.items():
        points = _choose(points, key, values, usual=pick.get(key))
    unique = {frozenset(point.items()): point for point in points}
    return [[f"{key}={value}" for key, value in point.items()] for point in unique.values()]


def _check_parts(asked: Sequence[str], known: Collection[str]) -> None:
    for part in asked:
        if part not in known:  # it would be put into all cells, and change nothing
            raise not_one_of(PART, part, sorted(known))


def _choose(
    points: Sequence[Point], key: str, values: Sequence[str], usual: Sequence[str] | None = None
) -> list[Point]:
    """Select the points that have one of the values; a value that none has is set in the `usual` ones, or in all."""
    chosen = []
    for value in values:
        having = [point for point in points if point.get(key) == value]
        others = [point for point in points if usual is None or point.get(key) in usual]
        chosen += having or [point | {key: value} for point in others]
    return chosen


def _product(axes: Mapping[str, Sequence[str]]) -> list[Point]:
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def _values(word: str, parser: OverridesParser) -> tuple[str, list[str]]:
    """Return the key of an override and the values that it sweeps over, each written in one way."""
    (override,) = parser.parse_overrides([word])
    if not override.is_sweep_override():
        return override.get_key_element(), [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise InputError(f"{word} is not valid in a sweep; give the values, as in {override.get_key_element()}=1,2,3")
    values = list(override.sweep_string_iterator())
    if not values:  # a pattern that no choice has, or an empty range: the sweep would have no cell
        listed = choices(override.key_or_group) if override.key_or_group in groups() else []
        raise InputError(f"{word} stands for no value" + (f"; valid: {', '.join(listed)}" if listed else ""))
    return override.get_key_element(), values
