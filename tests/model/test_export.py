"""Networks leave Python: torch.export and ONNX, with batches of any size, for every attention."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from coatlab import create_model
from coatlab.config.files import choices

pytestmark = pytest.mark.slow

KINDS = [
    *(("CTTT", attention, {}) for attention in choices("attention")),
    *((layout, "relative", {}) for layout in choices("layout") if layout != "CTTT"),
    ("CTTT", "window", {"window": 3}),  # windows that do not divide the grid
    ("CTTT", "linear", {"feature_map": "softmax"}),
    ("CTTT", "linear", {"feature_map": "favor"}),
]
X = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
SIZES = {"x_BCHW": {0: torch.export.Dim("images")}}


def network(layout: str, attention: str, settings: dict) -> nn.Module:
    torch.manual_seed(0)
    shared = {"image_size": 32, "channels": 1, "num_classes": 10, "attention_settings": settings}
    blocks = [1, 2] if layout == "ViT_REL" else [1, 1, 1, 2, 1]
    return create_model(layout, attention, "nano", plan={"blocks": blocks}, **shared).eval()


def batches() -> list[Tensor]:
    return [X, X[:1], torch.cat([X, X, X])]


@torch.no_grad()
@pytest.mark.parametrize(("layout", "attention", "settings"), KINDS)
def test_an_exported_network_takes_batches_of_any_size(layout: str, attention: str, settings: dict) -> None:
    one = network(layout, attention, settings)
    exported = torch.export.export(one, (X,), dynamic_shapes=SIZES).module()
    for batch in batches():
        torch.testing.assert_close(exported(batch), one(batch))


@torch.no_grad()
@pytest.mark.parametrize("attention", choices("attention"))
def test_onnx_takes_batches_of_any_size(attention: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    one = network("CTTT", attention, {})
    with sdpa_kernel(SDPBackend.MATH):  # torch.onnx cannot decompose the fused kernel of a CPU
        torch.onnx.export(one, (X,), dynamic_shapes=SIZES, verbose=False).save(tmp_path / "network.onnx")
    session = runtime.InferenceSession(tmp_path / "network.onnx")
    (name,) = [given.name for given in session.get_inputs()]
    for batch in batches():
        (logits,) = session.run(None, {name: batch.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), one(batch), rtol=1e-4, atol=1e-5)
