"""Weight decay where it belongs, and the schedule against torch's own."""

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from coatlab import create_model
from coatlab.training.optim import make_optimizer, make_schedule, parameter_groups, rate_at

RECIPE = {"lr": 1e-3, "min_lr": 1e-5, "schedule": "cosine", "warmup_steps": 10, "weight_decay": 0.05}


def test_norms_biases_and_tables_do_not_decay() -> None:
    network = create_model("CCTT", size="nano", image_size=32, channels=1, num_classes=10)
    decayed, free = parameter_groups(network, 0.05)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.05, 0.0)
    names = {id(p): name for name, p in network.named_parameters()}
    assert len(decayed["params"]) + len(free["params"]) == len(names)
    assert all(names[id(p)].endswith("weight") and p.ndim in (2, 4) for p in decayed["params"])
    assert all(p.ndim == 1 or names[id(p)].endswith("bias.table") for p in free["params"])
    assert any(names[id(p)].endswith("bias.table") for p in free["params"])


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_warm_up_then_schedule_to_the_last_step(schedule: str) -> None:
    recipe = RECIPE | {"schedule": schedule}
    rates = [rate_at(step, 100, recipe) for step in range(100)]
    assert rates[:10] == pytest.approx([1e-4 * (step + 1) for step in range(10)])
    assert max(rates) == pytest.approx(1e-3)
    assert rates[10] == pytest.approx(1e-3)
    assert rates[99] == pytest.approx(1e-3 if schedule == "constant" else 1e-5)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_cosine_is_torchs() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1e-3)
    reference = CosineAnnealingLR(optimizer, T_max=99, eta_min=1e-5)
    for step in range(100):
        assert rate_at(step, 100, RECIPE | {"warmup_steps": 0}) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_the_optimizer_uses_the_rate_of_its_step() -> None:
    optimizer = make_optimizer(nn.Linear(2, 2), RECIPE)
    schedule = make_schedule(optimizer, 100, RECIPE)
    for step in range(100):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate_at(step, 100, RECIPE))
        optimizer.step()
        schedule.step()


def test_a_constant_rate_without_warm_up_is_the_peak_at_every_step() -> None:
    recipe = RECIPE | {"schedule": "constant", "warmup_steps": 0}
    assert {rate_at(step, 20, recipe) for step in range(20)} == {1e-3}
