"""Do data keep up with training? Images per second of the pipeline alone, of training steps alone, and of both.

The pipeline is everything up to a normalized batch on the device. A step is forward, backward and optimizer on a batch
that is already there. Both together are a training epoch without evaluation and records. The three are measured in
turn.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd
import torch

from coatlab.benchmark.paired import wait
from coatlab.create import network_of
from coatlab.data.image_data import Batch, ImageData, make_data
from coatlab.training.optim import make_optimizer
from coatlab.training.task import Task


def measure(config: Mapping[str, Any], device: torch.device, *, seconds: float, turns: int) -> pd.DataFrame:
    """Return images per second of `pipeline`, `model` and `both`: a row per turn, of at least `seconds` each."""
    data = make_data(config)
    data.setup()
    torch.manual_seed(config["seed"])
    batches, step = endless_batches(data, device), training_step(config, data, device)
    images, labels = next(batches)
    for _ in range(2):
        step(images, labels)  # compiles, fills caches
    jobs: dict[str, Callable[[], object]] = {
        "pipeline": lambda: next(batches),
        "model": lambda: step(images, labels),
        "both": lambda: step(*next(batches)),
    }
    rows = [{name: data.batch_size * _rate(job, device, seconds) for name, job in jobs.items()} for _ in range(turns)]
    return pd.DataFrame(rows)


def endless_batches(data: ImageData, device: torch.device) -> Iterator[Batch]:
    """Yield normalized training batches on the device, epoch after epoch."""
    loader = data.train_dataloader()
    for epoch in itertools.count():
        data.batches.set_epoch(epoch)
        for images, labels in loader:
            yield data.on_after_batch_transfer((images.to(device), labels.to(device)), 0)


def training_step(config: Mapping[str, Any], data: ImageData, device: torch.device) -> Callable[..., None]:
    """Return a function that takes one training step with the config's network and recipe."""
    shape = {"image_size": data.image_size, "num_classes": data.num_classes, "channels": data.channels}
    recipe = config["recipe"]
    network = network_of(config, **shape, stochastic_depth=recipe["stochastic_depth"])
    task = Task(network.to(device), recipe, channels_last=config["trainer"]["channels_last"]).train()
    optimizer = make_optimizer(task.network, recipe)

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad()
        task.losses(task(images), labels, smoothing=recipe["label_smoothing"]).mean().backward()
        if recipe["gradient_clip"] is not None:
            torch.nn.utils.clip_grad_norm_(task.network.parameters(), recipe["gradient_clip"])
        optimizer.step()

    return step


def _rate(job: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Return how often a job runs per second, measured over at least `seconds` and at least once."""
    wait(device)
    began, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - began < seconds:
        job()
        times += 1
    wait(device)
    return times / (time.perf_counter() - began)
