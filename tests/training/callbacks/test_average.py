"""The average is torch's, on the device that trains, and is counted on the CPU; of a run: test_measure.py."""

from types import SimpleNamespace

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from coatlab.config.compose import compose, resolve
from coatlab.training.callbacks.average import Averaged, MovingAverage
from coatlab.training.task import Task

DECAY = 0.8


def test_it_is_the_average_of_torch() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))  # a whole number among its statistics
    ours = Averaged(network, torch.device("cpu"), DECAY)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True)
    for _ in range(4):
        network(torch.randn(5, 3)).sum().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter += torch.randn(parameter.shape)
        for one in (ours, theirs):
            one.update_parameters(network)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=0, atol=0)


def test_it_counts_on_the_cpu_wherever_it_is() -> None:
    assert Averaged(nn.Linear(2, 2), torch.device("meta"), DECAY).n_averaged.device.type == "cpu"


def test_the_average_is_kept_where_the_network_trains() -> None:
    # at set-up the network itself is not there yet
    task = Task(nn.Linear(2, 2), resolve(compose([]))["recipe"], channels_last=False)
    callback = MovingAverage(DECAY)
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    callback.setup(trainer, task, "fit")  # type: ignore[arg-type]
    assert callback._average_model is not None
    assert {tensor.device.type for tensor in callback._average_model.module.parameters()} == {"meta"}
    assert {tensor.device.type for tensor in task.parameters()} == {"cpu"}
