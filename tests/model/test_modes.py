"""A network computes the same after and within every mode of torch, for every layout and attention."""

import copy
import io
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.models.feature_extraction import create_feature_extractor

from coatlab import create_model
from coatlab.config.files import choices
from coatlab.model.network import Network

pytestmark = pytest.mark.slow

KINDS = [
    *(("CTTT", attention, {}) for attention in choices("attention")),
    *((layout, "relative", {}) for layout in choices("layout") if layout != "CTTT"),
    ("CTTT", "window", {"window": 3}),  # windows that do not divide the grid
    ("CTTT", "linear", {"feature_map": "favor"}),
]
every_kind = pytest.mark.parametrize(("layout", "attention", "settings"), KINDS)
X = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def network(layout: str, attention: str, settings: dict) -> Network:
    torch.manual_seed(0)
    shared = {"image_size": 32, "channels": 1, "num_classes": 10, "attention_settings": settings}
    return create_model(layout, attention, "nano", **shared).eval()


@torch.no_grad()
def run(network: nn.Module, x: Tensor = X) -> Tensor:
    return network(x)


@every_kind
def test_a_pass_in_any_mode_leaves_no_trace(layout: str, attention: str, settings: dict) -> None:
    one = network(layout, attention, settings)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        assert one(mode.from_tensor(X)).shape == (2, 10)
    expected = run(one)
    with torch.inference_mode():
        assert torch.equal(one(X), expected)
    with_gradients = one(X)  # by other kernels
    torch.testing.assert_close(with_gradients, expected)
    with_gradients.sum().backward()  # nothing that inference made is in the way of a gradient
    assert all(p.grad is not None for p in one.parameters())
    one.zero_grad()
    assert torch.equal(run(one), expected)
    state = dict(one.state_dict())
    assert torch.equal(torch.func.functional_call(one, state, (X,)), with_gradients)
    with torch.no_grad():
        assert torch.equal(torch.func.functional_call(one, state, (X,)), expected)
    stored = io.BytesIO()
    torch.save(one, stored)
    stored.seek(0)
    for twin in (copy.deepcopy(one), torch.load(stored, weights_only=False)):
        assert torch.equal(run(twin), expected)
    torch.testing.assert_close(run(copy.deepcopy(one).double(), X.double()).float(), expected)
    torch.testing.assert_close(run(copy.deepcopy(one).bfloat16(), X.bfloat16()).float(), expected, atol=0.1, rtol=0.1)
    assert torch.equal(run(one), expected)
    assert set(one.state_dict()) == {name for name, _ in [*one.named_parameters(), *one.named_buffers()]}


@every_kind
def test_fx_extracts_the_features_of_every_stage(layout: str, attention: str, settings: dict) -> None:
    one = network(layout, attention, settings)
    names = {f"stages.{number}": f"S{number}" for number in range(len(one.stages))}
    extract = create_feature_extractor(one, return_nodes={**names, "head": "logits"})
    found = run(extract)
    torch.testing.assert_close(found.pop("logits"), run(one))  # a graph has the layers one by one
    with torch.no_grad():
        maps = one.features(X)
    for number, one_map in enumerate(maps):
        torch.testing.assert_close(found[f"S{number}"], one_map)
    with pytest.raises(ValueError, match=r"built for \(images, 1, 32, 32\)"):
        extract(torch.randn(2, 1, 32, 48))
    extract.train()
    extract(X)["logits"].sum().backward()
    assert all(p.grad is not None for p in one.parameters())


@every_kind
def test_a_trace_computes_the_same(layout: str, attention: str, settings: dict) -> None:
    one = network(layout, attention, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that tracing is deprecated
        traced = torch.jit.trace(one, X, check_trace=False)
    torch.testing.assert_close(run(traced, torch.cat([X, X]))[:2], run(one))


@every_kind
def test_networks_are_mapped_over_images_and_over_weights(layout: str, attention: str, settings: dict) -> None:
    several = [network(layout, attention, settings), network(layout, attention, settings)]
    for p in several[1].parameters():
        p.data.mul_(0.9)
    parameters, buffers = torch.func.stack_module_state(several)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch maps some operations one by one
        base = copy.deepcopy(several[0]).to("meta")
        both = torch.vmap(lambda p, b: torch.func.functional_call(base, (p, b), (X,)))(parameters, buffers)
        single = torch.vmap(lambda image: several[0](image[None])[0])(X)
    for mine, one in zip(both, several, strict=True):
        torch.testing.assert_close(mine, run(one))
    torch.testing.assert_close(single, run(several[0]))


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "attention"), [("CTTT", "window"), ("ViT_REL", "relative")])
def test_a_network_is_compiled_as_one_graph(layout: str, attention: str) -> None:
    one = network(layout, attention, {})
    compiled = torch.compile(one, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(run(compiled), run(one))
