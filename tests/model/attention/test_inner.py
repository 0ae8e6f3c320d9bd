"""What holds for every attention variant: shared weights, other resolutions, precisions, copies, costs."""

import copy
import importlib
import io
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from coatlab.budget.cost import cost_of
from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.data.image_data import make_data
from coatlab.model.attention import neighborhood
from coatlab.model.attention.bias import RelativeBias, resize_table
from coatlab.model.attention.inner import InnerAttention
from coatlab.model.attention.position import PositionEmbedding
from coatlab.model.network import Network
from tests.model.attention.direct_attention import small_network

VARIANTS = choices("attention")
SETS = {"train": 2560, "eval": 500}


def model(attention: str, seed: int = 0, image_size: int | tuple[int, int] = 32) -> Network:
    torch.manual_seed(seed)
    return small_network(attention, image_size)


def test_the_variants() -> None:
    assert set(VARIANTS) >= {"relative", "post", "absolute", "window", "neighborhood", "linear"}


@pytest.mark.parametrize("attention", VARIANTS)
def test_its_module_states_cost_source_and_deviations(attention: str) -> None:
    target = compose([f"attention={attention}"]).attention["_target_"]
    module = importlib.import_module(target.rpartition(".")[0])
    assert issubclass(getattr(module, target.rpartition(".")[2]), InnerAttention)
    assert module.__name__ == f"coatlab.model.attention.{attention}"
    said = " ".join((module.__doc__ or "").split())
    assert "Cost of a block: " in said
    assert "multiply-adds" in said
    assert "memory" in said
    assert "Deviation" in said
    assert re.search(r"eq\. \d|sec\. \d|et al\.", said)


@pytest.mark.parametrize("attention", VARIANTS)
def test_runs_of_one_seed_start_from_the_same_shared_weights(attention: str) -> None:
    relative, other = (dict(model(name).named_parameters()) for name in ("relative", attention))
    shared = [name for name in relative if "attend." not in name]
    assert len(shared) > 50
    assert all(torch.equal(relative[name], other[name]) for name in shared)
    own = {name for name in other if name not in shared}
    assert all("attend." in name or "position." in name for name in own)
    again = dict(model(attention, seed=1).named_parameters())
    assert not torch.equal(again[shared[0]], other[shared[0]])


@pytest.fixture(scope="module")
def images() -> dict[str, tuple[Tensor, Tensor]]:
    """Return real images, normalized: 2560 to train on, 500 to evaluate on."""
    data = make_data(resolve(compose(["data.train_size=2560", "data.eval_size=500"])))
    data.setup()
    return {name: data.on_after_batch_transfer(data.sets[name][list(range(n))], 0) for name, n in SETS.items()}


def accuracy(network: Network, batch: tuple[Tensor, Tensor], side: int) -> float:
    scaled = F.interpolate(batch[0], size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    with torch.no_grad():
        return float((network.eval()(scaled).argmax(1) == batch[1]).float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("attention", VARIANTS)
def test_trained_at_one_resolution_it_runs_at_another(attention: str, images: dict[str, tuple[Tensor, Tensor]]) -> None:
    """Tables are resized to the grid, local ones stay, and what was learned still helps at the other resolution."""
    small = model(attention)
    local = any(inner.local for inner in small.modules() if isinstance(inner, InnerAttention))
    optimizer = torch.optim.AdamW(small.parameters(), lr=5e-3)
    for _ in range(2):
        for x, labels in zip(*(part.split(64) for part in images["train"]), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(small(x), labels).backward()
            optimizer.step()
    assert accuracy(small, images["eval"], 32) > 0.6
    for side in (48, (48, 64)):
        large = model(attention, seed=1, image_size=side)
        large.load_state_dict(small.state_dict())
        pairs = list(zip(small.modules(), large.modules(), strict=True))
        tables = [pair for pair in pairs if isinstance(pair[0], RelativeBias)]
        embeddings = [pair for pair in pairs if isinstance(pair[0], PositionEmbedding)]
        for old, new in tables:
            torch.testing.assert_close(new.table, resize_table(old.table, new.reach))
            if local:
                assert torch.equal(new.table, old.table)  # a window keeps its size, so the table is not resized
            else:
                assert new.table.shape != old.table.shape
        for old, new in embeddings:
            rows, columns = (side, side) if isinstance(side, int) else side
            assert new.table.shape[2:] == (old.table.shape[2] * rows // 32, old.table.shape[3] * columns // 32)
    larger = model(attention, seed=1, image_size=48)
    larger.load_state_dict(small.state_dict())
    assert accuracy(larger, images["eval"], 48) > 0.15  # chance is 0.1, with a standard error of 0.013


@pytest.mark.parametrize("attention", VARIANTS)
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_every_parameter_gets_a_finite_gradient_also_under_autocast(attention: str, precision: torch.dtype) -> None:
    network = model(attention)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        logits = network(torch.randn(4, 1, 32, 32))
    logits.float().square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


@pytest.mark.parametrize("attention", VARIANTS)
@pytest.mark.slow
def test_copies_and_pickles_compute_the_same(attention: str) -> None:
    network, x = model(attention).eval(), torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        expected = network(x)
    stored = io.BytesIO()
    torch.save(network, stored)
    stored.seek(0)
    with torch.no_grad():
        for twin in (copy.deepcopy(network), torch.load(stored, weights_only=False)):
            torch.testing.assert_close(twin(x), expected)
            large = model(attention, seed=1, image_size=48)
            copy.deepcopy(large).load_state_dict(twin.state_dict())  # tables are resized in copies, too


def test_macs_do_not_depend_on_how_a_neighborhood_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cost_of(model("neighborhood")).macs
    monkeypatch.setattr(neighborhood, "WHOLE", 0)
    assert cost_of(model("neighborhood")).macs == whole
