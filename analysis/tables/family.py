"""The CoAtNet family, which no sweep trains: its plans beside Tables 3 and 12, costs and accuracies beside 4 and 5.

Our plans are those of conf/size, and `python -m coatlab.budget family` counted their costs. Accuracies are from
complete runs on ImageNet with such a plan, on the official validation images, as in the paper. Runs that differ in more
than the seed are never averaged: they get rows of their own.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from analysis.compare.confounds import Donors
from analysis.compare.design import Summarize
from analysis.paper.quotes import read_csv
from analysis.tabular import Cell, Column, Table, mean_of
from coatlab.config.files import conf_dir
from coatlab.runs.identity import diff, experiment, per_seed

COUNTED = Path(__file__).with_suffix(".csv")
KEYS = ("model", "stage", "kind")
COMPARED = ("stride", "blocks", "width", "head_size")
LAYOUT = "CCTT"
IMAGENET, SHARDS = "imagenet", "webdataset"  # the data of a run; the data that it may have been pre-trained on
AS_PRINTED = ", as Table 12 prints it"
COSTS = [
    Column("model"),
    Column("pixels", "d"),
    Column("parameters (M)", ",.2f"),
    Column("paper, parameters (M)", ",.0f"),
    Column("off, parameters", "+.1%"),
    Column("MACs (G)", ",.2f"),
    Column("paper, MACs (G)", ",.1f"),
    Column("off, MACs", "+.1%"),
    Column("test acc., 1K", ".1%"),
    Column("paper, 1K", ".1%"),
    Column("test acc., 21K to 1K", ".1%"),
    Column("paper, 21K to 1K", ".1%"),
]
NOTES = (
    "Off: our number minus the paper's, relative to the paper's, which is rounded. The paper also counts the look-up "
    "of the bias and point-wise work; we count convolutions and matrix products. Bias tables grow with the resolution.",
    "1K: trained on ImageNet-1K only; above 224 pixels the paper fine-tunes such a model. 21K to 1K: fine-tuned from "
    "ImageNet-21K, ours from a run with data=webdataset.",
)


def family_tables(runs: pd.DataFrame, donors: Donors | None = None, summarize: Summarize = mean_of) -> list[Table]:
    """Make the tables of the family.

    Args:
        runs: complete runs of any study; those on ImageNet with a plan of the family are shown.
        donors: configs of runs that others start from, by fingerprint.
        summarize: turns the accuracies of several seeds into one entry.
    """
    own = runs[runs["data.name"] == IMAGENET] if "data.name" in runs else runs
    return [plans_table(), costs_table(own, donors or {}, summarize)]


def family_runs(runs: pd.DataFrame) -> pd.Series:
    """Tell which runs, whatever their status, belong to the family: on ImageNet, at one of its sizes."""
    if runs.empty:
        return pd.Series(dtype=bool)
    sizes = {counted["size"] for counted in _counted()}
    return runs["size.name"].isin(sizes) & (runs["data.name"] == IMAGENET)


def plans_table() -> Table:
    """Compare every stage of the plans in conf/size with the paper's."""
    paper = {tuple(row[key] for key in KEYS): row for row in read_csv("family")}
    models = list(dict.fromkeys(model for model, *_ in paper))
    ours = {tuple(row[key] for key in KEYS): row for model in models for row in _stages(model)}
    rows: list[list[Cell]] = []
    notes = []
    for key in sorted({**paper, **ours}, key=lambda key: key[:2]):
        has, printed = ours.get(key, {}), paper.get(key, {})
        differs = [name for name in COMPARED if has.get(name, "") != printed.get(name, "")]
        told = ", ".join(f"{name.replace('_', ' ')} {printed.get(name) or 'none'}" for name in differs)
        rows.append([*key, *(int(has[name]) if has.get(name) else None for name in COMPARED), told or "the same"])
        if differs:
            notes.append(f"{key[0]}, {key[1]} differs: {_explained(*key[:2])}.")
    columns = [Column("model"), Column("stage"), Column("kind")]
    columns += [*(Column(name.replace("_", " "), "d") for name in COMPARED), Column("paper")]
    return Table("The family's plans", columns, rows, "from conf/size, beside Tables 3, 11 and 12", notes)


def costs_table(runs: pd.DataFrame, donors: Donors, summarize: Summarize) -> Table:
    """Compare our counts with the paper's, and accuracies where there are runs."""
    rows: list[list[Cell]] = []
    notes = list(NOTES)
    for counted in _counted():
        model, pixels = _model(counted["size"]), int(counted["image_size"])
        (printed,) = [row for row in read_csv("costs") if (row["model"], int(row["image_size"])) == (model, pixels)]
        shown: list[Cell] = [model + AS_PRINTED * bool(counted["plan"]), pixels]
        if counted["plan"]:
            notes.append(f"{model}{AS_PRINTED}: {counted['plan']}.")
        for key, unit, paper in (("parameters", 1e6, printed["params_m"]), ("macs", 1e9, printed["gmacs"])):
            shown += [int(counted[key]) / unit, float(paper), int(counted[key]) / unit / float(paper) - 1]
        found = ([], []) if counted["plan"] else _experiments(runs, counted["size"], pixels, donors)
        its = [float(printed[key]) / 100 if printed[key] else None for key in ("top1_in1k", "top1_in21k_to_in1k")]
        for pair in list(zip_longest(*found)) or [(None, None)]:
            ours = [None if one is None else summarize(one["test/accuracy"].to_numpy(dtype=float)) for one in pair]
            rows.append([*shown, ours[0], its[0], ours[1], its[1]])
        for several in found:
            differ = {key for one in several[1:] for key in diff(several[0]["config"].iloc[0], one["config"].iloc[0])}
            if several[1:]:
                keys = ", ".join(sorted(differ.difference(per_seed(runs["config"])))) or "the run that they start from"
                notes.append(f"{model} at {pixels} pixels has rows that differ in {keys}.")
    if all(row[8] is None and row[10] is None for row in rows):
        notes.append("We have no accuracies yet: there is no complete run of these plans with data=imagenet.")
    return Table("The family's costs and accuracies", COSTS, rows, "counted, beside Tables 4 and 5", notes)


def _experiments(
    runs: pd.DataFrame, size: str, pixels: int, donors: Donors
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the runs of a size at a resolution, from ImageNet-1K only and via ImageNet-21K, a frame per experiment."""
    wanted: dict[str, Any] = {
        "layout.name": LAYOUT,
        "attention.name": "relative",
        "size.name": size,
        "data.name": IMAGENET,
    }
    wanted |= {f"plan.{key}": value for key, value in _conf("size", size)["plans"][LAYOUT].items()}
    wanted |= {f"network.{key}": value for key, value in _conf("network", "coatnet").items()}
    wanted |= {"data.image_size": pixels}
    dropped = per_seed(runs.get("config", ()))
    alone: dict[str, list[int]] = {}
    transferred: dict[str, list[int]] = {}
    for place, config in enumerate(runs.get("config", ())):
        keys = experiment(config)
        start = donors.get(keys.get("init.donor") or "", {})
        before = start.get("data", {}).get("name") if keys["init.name"] == "finetune" else IMAGENET
        if before not in (IMAGENET, SHARDS) or any(keys.get(key) != value for key, value in wanted.items()):
            continue
        mark = {key: value for key, value in keys.items() if key not in dropped}
        mark["start"] = (
            {key: value for key, value in experiment(start).items() if key not in dropped} if start else None
        )
        (transferred if before == SHARDS else alone).setdefault(json.dumps(mark), []).append(place)
    return [runs.iloc[at] for at in alone.values()], [runs.iloc[at] for at in transferred.values()]


def _stages(model: str) -> Iterator[dict[str, str]]:
    """Yield the stages of a size as family.csv lists them: as texts, with a row for each kind of block."""
    size = _conf("size", model.lower().replace("-", "_"))
    plan, stride = size["plans"][LAYOUT], 1
    for number, (blocks, width) in enumerate(zip(plan["blocks"], plan["widths"], strict=True)):
        stride *= plan["strides"][number]
        kinds = ["conv"] if number == 0 else [{"C": "mbconv", "T": "transformer"}[LAYOUT[number - 1]]]
        if isinstance(blocks, list):  # convolution, then attention, in one stage
            kinds = ["mbconv", "transformer"]
        for kind, own, wide in zip(kinds, _listed(blocks), _listed(width), strict=True):
            head = str(size["head_size"]) if kind == "transformer" else ""
            shape = {"stride": str(stride), "blocks": str(own), "width": str(wide), "head_size": head}
            yield {"model": model, "stage": f"S{number}", "kind": kind, **shape}


def _explained(model: str, stage: str) -> str:
    """Say why a stage differs from the paper's, which is known for S4 of CoAtNet-6."""
    if (model, stage) != ("CoAtNet-6", "S4"):
        return "it is not known why"
    (printed,) = [row["params_m"] for row in read_csv("costs") if row["model"] == model]
    ours, its = [int(row["parameters"]) / 1e6 for row in _counted() if _model(row["size"]) == model]
    return (
        f"with the width of Table 12 it counts {its:,.0f} M parameters, with ours {ours:,.0f} M, and Table 5 prints "
        f"{float(printed):,.0f} M, so Table 12 very likely has a slip"
    )


def _counted() -> list[dict[str, str]]:
    return list(csv.DictReader(COUNTED.read_text().splitlines()))


def _conf(group: str, choice: str) -> Mapping[str, Any]:
    values = OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{choice}.yaml"))
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


def _model(size: str) -> str:
    return size.replace("coatnet_", "CoAtNet-")


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
