"""Training steps and inference of a network beside another: one of timm's, or the same one layer by layer.

Both have the same images, labels, loss, optimizer, precision, memory format and allocator, in one process, and take
turns. Both are compiled, or their passes recorded (training/callbacks/graphs.py), where the config's `trainer` says so.

The floor of a pass is what no implementation of the same network goes below on this machine: its multiply-adds at the
measured peak of matrix products in that precision, and, at the measured bandwidth, the maps that training keeps,
written once and read once. A backward pass has twice the multiply-adds of a forward pass.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from coatlab.benchmark import paired
from coatlab.benchmark.peak import Peak
from coatlab.benchmark.scaling import peak_bytes
from coatlab.budget.cost import IMAGES, Cost, count
from coatlab.create import network_of
from coatlab.errors import InputError
from coatlab.model.eager import layer_by_layer
from coatlab.training.callbacks.graphs import HALF, autocast, record, records
from coatlab.training.optim import make_optimizer
from coatlab.training.start import compile_network
from coatlab.training.task import Task

LAYERS = "layers"  # the same network, its layers called one by one
PASSES = {"training": 3, "inference": 1}  # and their multiply-adds, in forward passes


@dataclass(frozen=True)
class Rival:
    """A network with a name, and the context in which it runs."""

    name: str
    network: nn.Module
    context: Callable[[], AbstractContextManager[None]] = nullcontext


def rivals(config: Mapping[str, Any], beside: str) -> list[Rival]:
    """Build the network of a config, and the one that it is measured beside.

    Args:
        config: resolved; its data need not be there.
        beside: `layers`, or the name of a model of timm, for images and classes as the config has them.

    Raises:
        InputError: timm has no such model, or none for images of that size.
    """
    data, seed = config["data"], config["seed"]
    shape = {key: data[key] for key in ("image_size", "num_classes", "channels")}

    def ours() -> nn.Module:
        torch.manual_seed(seed)
        return network_of(config, **shape, stochastic_depth=0.0)

    if beside == LAYERS:
        return _compiled(config, [Rival("ours", ours()), Rival("layer by layer", ours(), layer_by_layer)])
    import timm

    if beside not in timm.list_models():
        near = ", ".join(timm.list_models("coatnet_*_224"))
        raise InputError(f"--beside={beside} does not exist; valid: {LAYERS}, or a model of timm, as {near}")
    try:
        theirs = timm.create_model(
            beside, num_classes=shape["num_classes"], in_chans=shape["channels"], img_size=shape["image_size"]
        )
    except (TypeError, AssertionError, ValueError) as error:
        raise InputError(f"--beside={beside} cannot have images of {shape['image_size']} pixels: {error}") from error
    return _compiled(config, [Rival("ours", ours()), Rival(f"timm {beside}", theirs)])


def sizes(config: Mapping[str, Any], pair: list[Rival], device: torch.device) -> pd.DataFrame:
    """Return the cost of each network, and the peak memory of each pass in bytes, while no pass is recorded."""
    images, labels = _batch(config, device)
    rows = []
    for one in pair:
        cost = cost_of(one.network, images)
        jobs = {name: _job(name, one, config, images, labels) for name in PASSES}
        for job in jobs.values():
            job()  # compiles, where the config says so
        peaks = {name: peak_bytes(job, device) for name, job in jobs.items()}
        rows.append({"network": one.name, "macs": cost.macs, "activations": cost.activations, **peaks})
    return pd.DataFrame(rows).set_index("network")


def measure(config: Mapping[str, Any], pair: list[Rival], device: torch.device, rounds: int) -> pd.DataFrame:
    """Measure both passes of both networks; from now on training passes are recorded, where the config says so.

    Returns:
        One row per pass and round, with the seconds of each network by name.
    """
    images, labels = _batch(config, device)
    tables = []
    for name in PASSES:
        jobs = {one.name: _job(name, one, config, images, labels) for one in pair}
        if name == "training" and records(config["trainer"], device.type):
            for one in pair:
                record(_task(one, config, device).train(), images, config["trainer"]["precision"])
        tables.append(paired.measure(jobs, rounds, device).assign(**{"pass": name}))
    return pd.concat(tables, ignore_index=True)


def table(config: Mapping[str, Any], sizes: pd.DataFrame, measured: pd.DataFrame, peak: Peak) -> pd.DataFrame:
    """Return one row per pass and network: speed, ratio, peak memory, and how near it is to the floor."""
    batch = config["data"]["batch_size"]
    half = config["trainer"]["precision"] in HALF
    rows = []
    for name, passes in PASSES.items():
        seconds = measured[measured["pass"] == name].drop(columns="pass")
        for network, size in sizes.iterrows():
            middle = float(seconds[network].median())
            moved = (1 if half else 2) * size["activations"] * batch  # counted in bytes of float32
            rows.append(
                {
                    "pass": name,
                    "network": network,
                    "images/s": f"{batch / middle:.4g}",
                    "ours / it": f"{paired.ratio(seconds, str(network), str(sizes.index[0])):.3f}",
                    "peak MB": f"{size[name] / 1e6:.0f}",
                    "of matrix peak": f"{passes * size['macs'] * batch / peak.macs / middle:.0%}",
                    "of bandwidth": f"{moved / peak.bytes / middle:.0%}" if name == "training" else "",
                }
            )
    return pd.DataFrame(rows)


def cost_of(network: nn.Module, images: Tensor) -> Cost:
    """Count a network, ours or another, on the meta device."""
    import copy

    twin = copy.deepcopy(network).to("meta").train()
    return count(twin, torch.empty(IMAGES, *images.shape[1:], device="meta"))[0]


def _batch(config: Mapping[str, Any], device: torch.device) -> tuple[Tensor, Tensor]:
    data, generator = config["data"], torch.Generator().manual_seed(config["seed"])
    side = data["image_size"]
    images = torch.randn(data["batch_size"], data["channels"], side, side, generator=generator)
    labels = torch.randint(data["num_classes"], (data["batch_size"],), generator=generator)
    return images.to(device), labels.to(device)


def _task(one: Rival, config: Mapping[str, Any], device: torch.device) -> Task:
    return Task(one.network.to(device), config["recipe"], channels_last=config["trainer"]["channels_last"])


def _compiled(config: Mapping[str, Any], pair: list[Rival]) -> list[Rival]:
    for one in pair:
        compile_network(one.network, config["trainer"])
    return pair


def _job(name: str, one: Rival, config: Mapping[str, Any], images: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return a function that does one pass over a batch."""
    recipe, precision = config["recipe"], config["trainer"]["precision"]
    task = _task(one, config, images.device)
    optimizer = make_optimizer(task.network, recipe)

    def train() -> None:
        with one.context():
            optimizer.zero_grad()
            with autocast(precision, images.device):
                loss = task.losses(task(images), labels, smoothing=recipe["label_smoothing"]).mean()
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def infer() -> None:
        with one.context(), autocast(precision, images.device):
            task(images)

    def job() -> None:
        task.train(name == "training")
        (train if name == "training" else infer)()

    return job
