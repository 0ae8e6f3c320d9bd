"""What a training begins with, new or resumed: images, network, recipe, and where it goes on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from torch import nn

from coatlab.budget.cost import Cost
from coatlab.budget.counted import SHAPE, counted
from coatlab.create import network_of
from coatlab.data.image_data import ImageData, make_data
from coatlab.model.network import Network
from coatlab.process.place import Place
from coatlab.runs.donor import find
from coatlab.runs.identity import plan_name
from coatlab.runs.run import Run
from coatlab.training.checkpoints import newest, position
from coatlab.training.recipe import for_run
from coatlab.training.task import Task
from coatlab.training.transfer import transfer


@dataclass(frozen=True)
class Start:
    """The parts of a training.

    Attributes:
        data: set up, and at the batch at which training goes on.
        network: with random weights or a donor's; a checkpoint's are loaded by Lightning.
        cost: of the network, as it is counted.
        recipe: rates and warm-up for this run's batch.
        task: what Lightning trains.
        checkpoint: the file to go on from, and its content; None for a new run.
    """

    data: ImageData
    network: Network
    cost: Cost
    recipe: dict[str, Any]
    task: Task
    checkpoint: tuple[Path, dict[str, Any]] | None

    @property
    def metrics_bytes(self) -> int:
        """Return how much of metrics.jsonl belongs to the state that training goes on from."""
        return int(self.checkpoint[1]["coatlab"]["metrics_bytes"]) if self.checkpoint else 0

    @property
    def title(self) -> str:
        """Say in words where training begins."""
        return f"going on after step {self.checkpoint[1]['global_step']}" if self.checkpoint else "about to train"


def make_start(run: Run, here: Place, world: int) -> Start:
    """Make what a training begins with, in the order in which random numbers are drawn.

    Args:
        run: the run to be trained; the record gets what its data and its donor turn out to be.
        here: which of the processes of the run this is.
        world: how many there are.

    Raises:
        InputError: the data, or the weights of the donor, cannot be had.
    """
    config, settings = run.config, run.config["trainer"]
    data = _data(run, here, world)
    L.seed_everything(config["seed"], verbose=False)
    shape = {key: getattr(data, key) for key in SHAPE}
    network = network_of(config, **shape, stochastic_depth=config["recipe"]["stochastic_depth"])
    cost = counted(config, shape, network)
    checkpoint = newest(run.folder, run.record["fingerprint"], leads=run.leads)
    if checkpoint:
        data.batches.start_at(*position(checkpoint[1], len(data.batches)))
    elif config["init"]["name"] == "finetune":
        run.update(init=transfer(network, find(config), config["init"]["donor"]))
    recipe = for_run(
        config["recipe"],
        batch=data.batch_size * settings["accumulate"],
        steps_per_epoch=math.ceil(len(data.batches) / settings["accumulate"]),
        epochs=settings["max_epochs"],
    )
    task = Task(
        network,
        config["recipe"] | recipe,
        channels_last=settings["channels_last"],
        num_classes=data.num_classes,
    )
    network.set_grad_checkpointing(settings["checkpoint_activations"])
    compile_network(task.network, settings)
    return Start(data, network, cost, recipe, task, checkpoint)


def compile_network(network: nn.Module, settings: Mapping[str, Any]) -> None:
    """Let torch compile a network where `trainer.compile`, one of `settings`, says so: true, or the name of a mode."""
    if how := settings["compile"]:
        network.compile(mode=None if how is True else how)


def facts(run: Run, start: Start) -> dict[str, Any]:
    """Return what the record says of a start: what is trained, how, and what it costs."""
    cost = start.cost
    return {
        "cost": {"parameters": cost.parameters, "macs": cost.macs, "activations": cost.activations},
        "budget": _budget(run.config, cost),
        "attention": start.network.attention_fields(),
        "data": start.data.facts(),
        "recipe": start.recipe,
    }


def _data(run: Run, here: Place, world: int) -> ImageData:
    """Make and set up the images: this process's share, and what earlier attempts found out about them."""
    data = make_data(run.config)
    data.share(here.rank, world)
    data.setup()
    data.batches.limit = run.config["trainer"]["limit_train_batches"]
    data.recall(run.record.get("data", {}))
    data.on_facts = lambda: run.update(data=data.facts())
    return data


def _budget(config: Mapping[str, Any], cost: Cost) -> dict[str, Any]:
    """Return which plan was used and, at the budget's own resolution, how far its cost is off the budget."""
    plan = {"plan": plan_name(config)}
    reference = config["size"].get("budget")
    data = config["data"]
    shared = ("image_size", "channels", "num_classes")
    if reference is None or any(reference[key] != data[key] for key in shared):
        return plan
    off = {key: round(getattr(cost, key) / reference[key] - 1, 5) for key in ("parameters", "macs")}
    return plan | {"reference": dict(reference), "off": off}
