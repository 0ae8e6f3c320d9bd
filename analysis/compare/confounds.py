"""Whether rows may be compared: they may differ only in the declared factors, what these imply, and the seed.

`data.split_seed` may differ as the seed does if it follows the seed in all of the runs (`identity.per_seed`).

A factor is a group or a key of the config: `layout`, `attention`, `data.train_size`. Rows may be compared if there is
one row that turns into each of the others when it is given the other's factors and seed and nothing else. Values that
conf/ derives from the factors are derived again, so a layout brings its plan with it; a plan that was given by hand is
not derived, so it counts as a difference. Remaining differences are found by `identity.diff`, which also decides what
is one experiment; so the attention of a layout without attention is no difference. A run that starts from another one,
its donor, is compared by the donor's config and not by its fingerprint.

Differences of code, hardware and precision are not refused, only warned about. But two precisions are two experiments,
so they get rows of their own (`analysis.compare.panels`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices, groups
from coatlab.config.words import flatten, is_below
from coatlab.errors import InputError, not_one_of_keys
from coatlab.runs.identity import PER_SEED, SPLIT, diff, experiment, fingerprint, per_seed

Config = Mapping[str, Any]
Donors = Mapping[str, Config]  # configs by fingerprint
MAY_DIFFER = ("seed", "trainer.precision")  # the seed is averaged over; different precisions are warned about
WARNED = {"code": "code versions", "device": "devices", "cpu": "CPUs", "gpu": "GPUs", "precision": "precisions"}
MOST_VALUES = 3  # of one key, named in a refusal


@dataclass(frozen=True)
class Difference:
    """A key that differs although no factor explains it.

    Attributes:
        key: of the config.
        values: the runs that differ in it, by two values: the one they have, and the one that the factors explain.
    """

    key: str
    values: Mapping[tuple[str, str], Sequence[str]]

    def __str__(self) -> str:
        """Write it as a clause: which value, in which runs, and what the value should be."""
        parts = [f"{has} in {_listed(runs)}, not {due}" for (has, due), runs in self.values.items()]
        more = " and so on" if len(parts) > MOST_VALUES else ""
        return f"{self.key} is {' and '.join(parts[:MOST_VALUES])}{more}"


def require_comparable(
    runs: pd.DataFrame, factors: Sequence[str], donors: Donors | None = None, allow: Sequence[str] = ()
) -> list[str]:
    """Check that runs differ only in the factors and the seed.

    Args:
        runs: of one table or figure, as `analysis.read.folders` returns them.
        factors: what it compares.
        donors: configs of runs that others start from, by fingerprint.
        allow: keys, or groups, that may differ nevertheless.

    Returns:
        A footnote for each allowed key that differs.

    Raises:
        InputError: they differ in more; the message names the keys and values.
    """
    found = differences(runs, factors, donors or {})
    refused = [one for one in found if not is_below(one.key, allow)]
    if refused:
        raise InputError(
            f"rows that compare {' and '.join(factors)} differ in more than that: "
            f"{'; '.join(str(one) for one in refused)}; leave these runs out, or allow the difference with "
            f"--allow {refused[0].key}"
        )
    return [f"Compared although {one} (--allow {one.key})." for one in found]


def require_keys(allow: Sequence[str], configs: Iterable[Config]) -> None:
    """Check that each allowed key, or group, exists in some run of a study; not every table has runs with it.

    Raises:
        InputError: a key does not exist.
    """
    known = {part for config in configs for key in flatten(config) for part in _beginnings(key)} if allow else set()
    for key in allow:
        if key not in known:
            raise not_one_of_keys(f"--allow {key}", sorted(known))


def differences(runs: pd.DataFrame, factors: Sequence[str], donors: Donors) -> list[Difference]:
    """Return the keys, by name, in which runs differ although neither a factor nor the seed explains it."""
    distinct: dict[str, Config] = {}
    named: dict[str, list[str]] = {}
    levels = [(*factors, *MAY_DIFFER, *following) for following in _following(list(runs["config"]), donors)]
    starts = starts_of(list(runs["config"]), donors)
    for name, config, start in zip(runs["run"], runs["config"], starts, strict=True):
        # here the seeds of one cell count as one experiment, and so do the seeds of their donors
        mark = fingerprint(_without_seed(config, start, SPLIT in levels[0]))
        distinct.setdefault(mark, config)
        named.setdefault(mark, []).append(name)
    if len(distinct) < 2:
        return []
    left: dict[str, dict[str, tuple[Any, Any]]] = {}
    fewest = len(runs) + 1
    # look for the row that explains most others; one with many keys and many seeds is the likeliest
    for base in sorted(distinct, key=lambda mark: (-len(experiment(distinct[mark])), -len(named[mark]))):
        derived = _derived(distinct[base])
        moved = {mark: _moved(distinct[base], derived, config, levels, donors) for mark, config in distinct.items()}
        tried = {mark: found for mark in distinct if (found := diff(moved[mark], distinct[mark]))}
        unexplained = sum(len(named[mark]) for mark in tried)
        if unexplained < fewest:
            left, fewest = tried, unexplained
        if not unexplained:
            return []
    return [_difference(key, left, named) for key in sorted({key for found in left.values() for key in found})]


def starts_of(configs: Sequence[Config], donors: Donors) -> list[str | None]:
    """Return what each run started from as a fingerprint that ignores the donor's seed, if its config is known."""
    marks = [config.get("init", {}).get("donor") for config in configs]
    known = _donors_of(configs, donors)
    if not known:
        return marks
    follows = SPLIT in per_seed(known.values())
    starts = starts_of(list(known.values()), donors)
    anew = {
        mark: fingerprint(_without_seed(donor, start, follows))
        for (mark, donor), start in zip(known.items(), starts, strict=True)
    }
    return [anew.get(mark, mark) for mark in marks]


def setup_warnings(runs: pd.DataFrame) -> list[str]:
    """Say in which of code, hardware and precision runs differ, one warning for each."""
    found = []
    for column, plural in WARNED.items():
        values = Counter(str(value) for value in runs[column].dropna())
        if len(values) > 1:
            listed = ", ".join(f"{value} ({number})" for value, number in values.most_common())
            found.append(f"Warning: {len(values)} {plural}: {listed}.")
    return found


def _following(configs: Sequence[Config], donors: Donors) -> list[tuple[str, ...]]:
    """Return which keys follow the seed: in the runs, in the runs that these started from, and so on."""
    here = tuple(key for key in per_seed(configs) if key not in PER_SEED)
    known = _donors_of(configs, donors)
    return [here, *(_following(list(known.values()), donors) if known else [])]


def _donors_of(configs: Sequence[Config], donors: Donors) -> dict[str, Config]:
    """Return the known donors of some runs, by fingerprint."""
    marks = {config.get("init", {}).get("donor"): None for config in configs}
    return {mark: donors[mark] for mark in marks if mark and donors.get(mark)}


def _without_seed(config: Config, start: str | None, split_follows: bool) -> dict[str, Any]:
    """Return a config as that of seed 0, which started from a given run."""
    return _replace(config, {"seed": 0, "init.donor": start} | ({SPLIT: 0} if split_follows else {}))


def _moved(
    base: Config, derived: Mapping[str, str], other: Config, levels: Sequence[Sequence[str]], donors: Donors
) -> dict[str, Any]:
    """Give a config the factors of another, and derive again the values that it had derived.

    `levels` are the keys to give: to the run itself, to the run that it started from, and so on.
    """
    values = flatten(other)
    moved: dict[str, Any] = {}
    for key in levels[0]:
        group = other.get(key)
        if isinstance(group, Mapping):
            moved[key] = group
        elif key in values:
            moved[key] = values[key]
    given = _replace(base, moved)
    result = OmegaConf.create(_needed(given))
    for key, text in derived.items():
        if not is_below(key, moved):
            OmegaConf.update(result, key, text)
    try:
        config = given | resolve(result)
    except InputError:  # there is no plan for these factors: nothing is derived, and plans are compared as they are
        config = given
    mine, its = (donors.get(one.get("init", {}).get("donor") or "") for one in (base, other))
    if mine and its and "init.donor" not in moved:
        start = fingerprint(_moved(mine, _derived(mine), its, levels[1:], donors))
        config = dict(_replace(config, {"init.donor": start}))
    return config


def _derived(config: Config) -> dict[str, str]:
    """Return the interpolations from which a config has values, by key.

    A key whose value was given by hand is left out, unless it is the value that the interpolation gives.
    """
    words = tuple(
        f"{group}={config[group]['name']}"
        for group in groups()
        if isinstance(config.get(group), Mapping) and config[group].get("name") in choices(group)
    )
    recorded = experiment(config)
    texts = {key: text for key, text in _interpolations(words).items() if key in recorded}
    anew = OmegaConf.create(_needed(config))
    for key, text in texts.items():
        OmegaConf.update(anew, key, text)
    try:
        values = experiment(dict(config) | resolve(anew))
    except InputError:
        return {}
    return {key: text for key, text in texts.items() if values[key] == recorded[key]}


def _needed(config: Config) -> dict[str, Any]:
    """Return a config without the plans of other layouts, which are most of it and slow to interpolate."""
    layout, attention, size = config["layout"]["name"], config["attention"]["name"], dict(config["size"])
    size["plans"] = {name: plan for name, plan in size.get("plans", {}).items() if name == layout}
    solved = ((size.get("matched") or {}).get(attention) or {}).get(layout)
    size["matched"] = {attention: {layout: solved}} if solved else {}
    return {**config, "size": size}


@cache
def _interpolations(words: tuple[str, ...]) -> dict[str, str]:
    """Return the keys that conf/ derives from other keys, with the interpolations, for some choices of groups."""
    raw = OmegaConf.to_container(compose(list(words)), resolve=False)
    assert isinstance(raw, dict)
    flat = flatten({str(key): value for key, value in raw.items()})
    return {key: value for key, value in flat.items() if isinstance(value, str) and "${" in value}


def _replace(config: Config, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with other values at some dotted keys."""
    result = dict(config)
    for key, value in values.items():
        first, _, rest = key.partition(".")
        result[first] = _replace(result.get(first, {}), {rest: value}) if rest else value
    return result


def _difference(
    key: str, left: Mapping[str, Mapping[str, tuple[Any, Any]]], named: Mapping[str, Sequence[str]]
) -> Difference:
    runs: dict[tuple[str, str], list[str]] = {}
    for mark, found in left.items():
        if key in found:
            due, has = (json.dumps(value) for value in found[key])
            runs.setdefault((has, due), []).extend(named[mark])
    return Difference(key, runs)


def _listed(runs: Sequence[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{len(runs)} runs"


def _beginnings(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
