"""timm's words mean here what they mean there; timm itself is the oracle."""

import pytest
import timm
import torch
from torch import nn

from coatlab import create_model
from coatlab.errors import InputError
from coatlab.model.network import Network

X = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def nano(layout: str = "CCTT", **settings: object) -> Network:
    torch.manual_seed(0)
    return create_model(layout, size="nano", image_size=32, channels=1, **{"num_classes": 10} | settings).eval()


@torch.no_grad()
@pytest.mark.parametrize("dense_head", [True, False])
def test_the_parts_of_a_pass_make_the_whole(dense_head: bool) -> None:
    one = nano(dense_head=dense_head)
    x = one.forward_features(X)
    assert x.shape == (2, one.num_features, 2, 2)
    assert torch.equal(x, one.features(X)[-1])
    assert torch.equal(one.forward_head(x), one(X))
    features = one.forward_head(x, pre_logits=True)
    assert features.shape == (2, one.num_features)
    assert torch.equal(one.get_classifier()(features), one(X))


@torch.no_grad()
@pytest.mark.parametrize("dense_head", [True, False])
def test_without_classes_the_features_are_returned(dense_head: bool) -> None:
    whole, without = nano(dense_head=dense_head), nano(dense_head=dense_head, num_classes=0)
    assert (whole.num_classes, without.num_classes) == (10, 0)
    assert isinstance(without.get_classifier(), nn.Identity)
    features = whole.forward_head(whole.forward_features(X), pre_logits=True)
    assert torch.equal(without(X), features)  # of one seed they have the same weights
    assert torch.equal(without.forward_head(without.forward_features(X)), features)
    whole.reset_classifier(0)
    assert torch.equal(whole(X), features)


def test_a_classifier_is_replaced() -> None:
    one = nano()
    state = one.state_dict()
    one.reset_classifier(7)
    assert one.num_classes == 7
    assert one(X).shape == (2, 7)
    classifier = one.get_classifier()
    assert isinstance(classifier, nn.Linear)
    assert classifier.bias.count_nonzero() == 0
    spread = (6 / (one.num_features + 7)) ** 0.5  # Glorot's
    assert spread * 0.9 < classifier.weight.abs().max() <= spread
    others = {name: value for name, value in one.state_dict().items() if not name.startswith("head.3")}
    assert all(torch.equal(value, state[name]) for name, value in others.items())
    one.reset_classifier(0)
    one.double().reset_classifier(3)
    assert one(X.double()).dtype == torch.float64
    for wrong in (-1, True, "7"):
        with pytest.raises(InputError, match=r"num_classes=.* must be a whole number of at least 0"):
            one.reset_classifier(wrong)


@pytest.mark.slow
def test_timms_networks_have_the_same_words() -> None:
    """The oracle: attributes, shapes and default maps are those of timm's network of the same size."""
    with torch.device("meta"):
        ours, theirs = create_model("CCTT", size="coatnet_0"), timm.create_model("coatnet_0_224")
        x = torch.empty(1, 3, 224, 224)
        assert (ours.num_features, ours.num_classes) == (theirs.num_features, theirs.num_classes)
        assert ours.forward_features(x).shape == theirs.forward_features(x).shape
        maps = ours.forward_features(x)
        for pre_logits in (False, True):
            shape = ours.forward_head(maps, pre_logits=pre_logits).shape
            assert shape == theirs.forward_head(theirs.forward_features(x), pre_logits=pre_logits).shape
        for one in (ours, theirs):
            one.reset_classifier(0)
        assert ours(x).shape == theirs(x).shape
        assert isinstance(theirs.get_classifier(), type(ours.get_classifier()))


def test_a_trained_classifier_gets_gradients_through_frozen_features() -> None:
    one = nano()
    one.requires_grad_(False)
    one.reset_classifier(4)
    one(X).sum().backward()
    assert [name for name, p in one.named_parameters() if p.grad is not None] == ["head.3.weight", "head.3.bias"]
