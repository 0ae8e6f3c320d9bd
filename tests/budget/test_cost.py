"""Parameters and multiply-adds of CoAtNet-0 to -7: a golden file, and every row of the paper's cost tables."""

import csv
from functools import cache
from pathlib import Path

import pytest
import torch

from coatlab import create_model
from coatlab.budget.cost import Cost, cost_of, count, storage_id
from coatlab.config.files import choices

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]


def rows(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader((REPOSITORY / path).read_text().splitlines()))


@cache
def cost(size: str, image_size: int) -> Cost:
    with torch.device("meta"):
        return cost_of(create_model("CCTT", size=size, image_size=image_size))


@pytest.mark.parametrize("row", rows("tests/budget/costs.csv"), ids=lambda row: f"{row['size']}-{row['image_size']}")
def test_golden_counts(row: dict[str, str]) -> None:
    counted = cost(row["size"], int(row["image_size"]))
    assert counted.parameters / 1e6 == pytest.approx(float(row["parameters_m"]), rel=float(row["parameters_tolerance"]))
    if row["gmacs"]:
        assert counted.macs / 1e9 == pytest.approx(float(row["gmacs"]), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("row", rows("analysis/paper/costs.csv"), ids=lambda row: f"{row['model']}-{row['image_size']}")
def test_multiply_adds_are_the_papers(row: dict[str, str]) -> None:
    counted = cost(row["model"].lower().replace("-", "_"), int(row["image_size"]))
    assert counted.macs / 1e9 == pytest.approx(float(row["gmacs"]), rel=0.04)
    assert counted.macs / 1e9 < float(row["gmacs"])  # the paper also counts the look-up of the bias


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", rows("analysis/paper/table9.csv"), ids=lambda row: f"{row['model']}-{row['downsample']}"
)
def test_table_9_costs(row: dict[str, str]) -> None:
    with torch.device("meta"):
        model = create_model(size=row["model"].lower().replace("-", "_"), downsample=row["downsample"])
    assert cost_of(model).macs / 1e9 == pytest.approx(float(row["gmacs"]), rel=0.025)


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    rows("analysis/tables/family.csv"),
    ids=lambda row: f"{row['size']}-{row['image_size']}{'*' * bool(row['plan'])}",
)
def test_the_committed_counts_of_the_family(row: dict[str, str]) -> None:
    counted = cost(row["size"], int(row["image_size"]))
    if row["plan"]:  # S4 as Table 12 prints it
        widths = [192, 192, 384, [768, 1536], 2048]
        assert row["plan"] == f"plan.widths={widths}".replace(" ", "")
        with torch.device("meta"):
            counted = cost_of(create_model(size=row["size"], image_size=512, plan={"widths": widths}))
    assert (counted.parameters, counted.macs) == (int(row["parameters"]), int(row["macs"]))


def test_counting_does_not_change_the_network() -> None:
    network = create_model("CCTT", size="nano", image_size=32, channels=1, num_classes=10)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cost_of(network)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tensors_have_the_same_storage_exactly_if_they_share_memory(device: str) -> None:
    """Fails if torch's private `_cdata` goes away or changes its meaning."""
    tensor, other = torch.empty(4, 3, device=device), torch.empty(4, 3, device=device)
    assert storage_id(tensor) == storage_id(tensor.view(12)[6:]) == storage_id(tensor.detach())
    assert storage_id(tensor) != storage_id(other)


@pytest.mark.parametrize("attention", choices("attention"))
def test_equal_blocks_are_counted_once(attention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    monkeypatch.setattr("coatlab.budget.cost.count", lambda part, x: parts.append(part) or count(part, x))
    with torch.device("meta"):
        network = create_model("CTTT", attention, "coatnet_0")
    counted = cost_of(network)
    kinds = 3 if attention == "window" else 2  # the first of a stage, the others; and shifted windows
    assert len(parts) <= 2 + kinds * 4  # with the stem and the head
    assert len(parts) < sum(len(list(stage.children())) for stage in network.stages)
    assert counted.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_counting_agrees_with_a_calculation_by_hand() -> None:
    plan = {"blocks": [1, 1], "widths": [8, 8], "strides": [4, 1], "head_size": 8}
    counted = cost_of(create_model("ViT_REL", size="nano", image_size=8, channels=1, num_classes=3, plan=plan))
    tokens, width = 4, 8
    stem = tokens * 16 * width
    block = tokens * (3 + 1 + 4 + 4) * width**2 + 2 * tokens**2 * width
    head = width**2 + width * 3
    assert counted.macs == stem + block + head
