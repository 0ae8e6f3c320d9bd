"""Fractals that are rendered on a GPU are those of a CPU."""

import torch

from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import make_data
from tests.gpu.test_runs import FRACTALS


def test_pictures_of_the_device_are_those_of_the_loader(gpu: torch.device) -> None:
    pictures = []
    for render, device in (("loader", torch.device("cpu")), ("device", gpu)):
        data = make_data(resolve(compose([*FRACTALS[:3], f"data.render={render}", "data.num_classes=20"])))
        data.setup()
        images, labels = data.sets["train"][(0, torch.arange(500))]
        images, _ = data.on_after_batch_transfer((images.to(device), labels.to(device)), 0)
        pictures.append((images.cpu() * data.std.cpu() + data.mean.cpu()) * 255)
    apart = (pictures[0] - pictures[1]).abs()
    assert float((apart > 1.5).float().mean()) < 1e-3  # a point at the border of a pixel may fall on either side
    assert float(apart.mean()) < 0.05
