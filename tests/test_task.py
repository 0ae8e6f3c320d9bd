"""Losses against their definitions, and measures that weigh every image the same."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from coatlab.configs import compose, resolve
from coatlab.task import Task


def task(**recipe: object) -> Task:
    return Task(nn.Flatten(), resolve(compose([]))["recipe"] | recipe, channels_last=False)


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


def test_measures_start_anew_and_survive_a_checkpoint() -> None:
    first = task()
    first.training_step((LOGITS[:, None, None], LABELS), 0)
    second = task()
    second.load_state_dict(first.state_dict())
    assert second.means["train_loss"].mean_value == first.means["train_loss"].mean_value
    first.measures("train")
    first.training_step((LOGITS[:2, None, None], LABELS[:2]), 0)
    expected = F.cross_entropy(LOGITS[:2], LABELS[:2]).item()
    assert first.measures("train")["train/loss"] == pytest.approx(expected, rel=1e-5)


def test_evaluation_is_without_label_smoothing() -> None:
    smoothed = task(label_smoothing=0.5)
    smoothed.test_step((LOGITS[:, None, None], LABELS), 0)
    assert smoothed.measures("test")["test/loss"] == pytest.approx(F.cross_entropy(LOGITS, LABELS).item(), rel=1e-5)
