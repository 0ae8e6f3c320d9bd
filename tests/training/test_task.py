"""Losses against their definitions, MixUp against its own, and measures that weigh every image the same."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from coatlab.config.compose import compose, resolve
from coatlab.data.sampler import InOrder
from coatlab.training.task import Task

RECIPE = resolve(compose([]))["recipe"]


def task(**recipe: object) -> Task:
    return Task(nn.Flatten(), RECIPE | recipe, channels_last=False, num_classes=5)


LOGITS = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1])


def test_softmax_loss_smooths_labels() -> None:
    targets = F.one_hot(LABELS, 5) * 0.9 + 0.1 / 5
    expected = -(targets * LOGITS.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(task().losses(LOGITS, LABELS, smoothing=0.1).mean(), expected)


def test_sigmoid_loss_is_summed_over_classes() -> None:
    targets = F.one_hot(LABELS, 5) * (1 - 1e-4) + 1e-4 / 5
    expected = -(targets * LOGITS.sigmoid().log() + (1 - targets) * (1 - LOGITS.sigmoid()).log()).sum(1).mean()
    torch.testing.assert_close(task(loss="sigmoid").losses(LOGITS, LABELS, smoothing=1e-4).mean(), expected)


def test_a_smaller_last_batch_weighs_less() -> None:
    measured = task()
    for part in (slice(0, 5), slice(5, 7)):
        measured.validation_step((LOGITS[part, None, None], LABELS[part]), 0, dataloader_idx=0)
    values = measured.measures("eval")
    assert values["eval/loss"] == pytest.approx(F.cross_entropy(LOGITS, LABELS).item(), rel=1e-5)
    assert values["eval/accuracy"] == pytest.approx((LOGITS.argmax(1) == LABELS).float().mean().item())


def test_measures_are_reset_and_survive_a_checkpoint() -> None:
    first = task()
    first.training_step((LOGITS[:, None, None], LABELS), 0)
    second = task()
    second.load_state_dict(first.state_dict())
    assert second.means["train_loss"].mean_value == first.means["train_loss"].mean_value
    first.measures("train")
    first.training_step((LOGITS[:2, None, None], LABELS[:2]), 0)
    expected = F.cross_entropy(LOGITS[:2], LABELS[:2]).item()
    assert first.measures("train")["train/loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("skipped", [[], [1, 4]])
def test_which_test_images_were_right_is_in_their_order_also_where_some_were_skipped(
    ranks: int, skipped: list[int]
) -> None:
    right, left_out = LOGITS.argmax(1) == LABELS, torch.zeros(7, dtype=torch.bool)
    left_out[skipped] = True
    found = torch.zeros(7, dtype=torch.bool)
    for rank in range(ranks):
        data = SimpleNamespace(left_out={"test": left_out}.__getitem__, rank=rank, ranks=ranks)
        measured = task()
        measured.trainer = SimpleNamespace(world_size=1)  # type: ignore[assignment]
        for batch in InOrder(7, 2, rank, ranks):
            kept = [index for index in batch if index not in skipped]
            measured.test_step((LOGITS[kept, None, None], LABELS[kept]), 0)
        mine = measured.correct(data)  # type: ignore[arg-type]
        assert not (found & mine).any()
        found |= mine
    assert torch.equal(found, right & ~left_out)


def test_evaluation_is_without_label_smoothing() -> None:
    smoothed = task(label_smoothing=0.5)
    smoothed.test_step((LOGITS[:, None, None], LABELS), 0)
    assert smoothed.measures("test")["test/loss"] == pytest.approx(F.cross_entropy(LOGITS, LABELS).item(), rel=1e-5)


def reference_loss(logits: list[float], shares: list[float], loss: str, smoothing: float) -> float:
    """Return the loss of one image as its definition has it, a class at a time in double precision."""
    targets = [share * (1 - smoothing) + smoothing / len(shares) for share in shares]
    if loss == "softmax":
        total = math.log(sum(math.exp(logit) for logit in logits))
        return -sum(target * (logit - total) for target, logit in zip(targets, logits, strict=True))
    chances = [1 / (1 + math.exp(-logit)) for logit in logits]
    return -sum(t * math.log(c) + (1 - t) * math.log(1 - c) for t, c in zip(targets, chances, strict=True))


@given(
    st.lists(st.lists(st.floats(-5, 5, width=32), min_size=5, max_size=5), min_size=2, max_size=4),
    st.sampled_from(["softmax", "sigmoid"]),
    st.sampled_from([0.0, 1e-4, 0.1]),
    st.integers(0, 1000),
)
def test_mixed_images_have_the_loss_of_their_mixed_labels(
    logits: list[list[float]], loss: str, smoothing: float, seed: int
) -> None:
    count = len(logits)
    labels = torch.arange(count)
    seen = []

    class Recorded(Task):
        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            seen.append(images_BCHW[:, 0, 0])
            return torch.tensor(logits)

    mixed = Recorded(
        nn.Identity(),
        RECIPE | {"loss": loss, "label_smoothing": smoothing, "mixup_alpha": 0.8},
        channels_last=False,
        num_classes=5,
    )
    torch.manual_seed(seed)
    # an image is its own label, one-hot, so that what the network sees says how it was mixed
    value = mixed.training_step((F.one_hot(labels, 5).float()[:, None, None], labels), 0)
    (shares,) = seen
    own, neighbours = shares[labels, labels], shares[labels, labels.roll(1)]
    assert len(own.unique()) == 1  # one weight a batch, and the rest of an image is the one before
    torch.testing.assert_close(own + neighbours, torch.ones(count))
    expected = [reference_loss(row, share.tolist(), loss, smoothing) for row, share in zip(logits, shares, strict=True)]
    assert float(value) == pytest.approx(sum(expected) / count, rel=1e-5, abs=1e-6)
    accuracy = sum(row.index(max(row)) == place for place, row in enumerate(logits)) / count
    assert mixed.measures("train") == {
        "train/loss": pytest.approx(float(value), rel=1e-5),
        "train/accuracy": pytest.approx(accuracy),
    }


@pytest.mark.slow
def test_mixing_is_drawn_from_the_seeded_generator_and_follows_beta() -> None:
    mixed = task(mixup_alpha=0.8)

    def weight(seed: int) -> float:
        torch.manual_seed(seed)
        _, shares = mixed.mixup(LOGITS[:, None, None], LABELS)
        return float(shares[0, 0])

    assert [weight(seed) for seed in range(5)] == [weight(seed) for seed in range(5)]
    weights = torch.tensor([weight(seed) for seed in range(2000)])
    # of Beta(a, a): mean 1/2, variance 1 / (8 a + 4); the margins are five standard errors
    assert weights.mean().item() == pytest.approx(0.5, abs=0.036)
    assert weights.var().item() == pytest.approx(1 / (8 * 0.8 + 4), abs=0.011)


@pytest.mark.slow
def test_evaluation_is_without_mixup() -> None:
    mixed, plain = task(mixup_alpha=0.8), task()
    for one in (mixed, plain):
        one.validation_step((LOGITS[:, None, None], LABELS), 0)
    assert mixed.measures("eval") == plain.measures("eval")
