"""The LightningModule: loss, measures and optimizer. What is measured is defined here, when it is in measure.py.

`train/*` are means over the steps of an epoch, with changing weights, in training mode, on augmented images. They are
not compared; under MixUp `train/accuracy` counts an image's own class, which may be the smaller part of the mixture.
`train_eval/*` and `eval/*` are measured in evaluation mode, and `gap` is their difference in accuracy: the paper's
generalization gap.

B batch, C channels, H rows, W columns, K classes, N test images, R processes, S sums.
"""

from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MeanMetric
from torchvision.transforms.v2 import MixUp

from coatlab.data.image_data import Batch, ImageData
from coatlab.training.optim import make_optimizer, make_schedule

MEASURED = ("eval", "train_eval")  # the order of the data module's validation loaders
PERSISTENT = ("train_loss", "train_accuracy")  # an epoch that is resumed in its middle keeps its first part


class Task(L.LightningModule):
    """Image classification by a network, trained by a recipe.

    Args:
        network: from images to logits.
        recipe: of the config, with what `coatlab.training.recipe.for_run` adds; losses need the config's alone.
        channels_last: memory format.
        num_classes: K, which MixUp asks for.
    """

    def __init__(
        self, network: nn.Module, recipe: Mapping[str, Any], *, channels_last: bool, num_classes: int | None = None
    ) -> None:
        super().__init__()
        self.network: nn.Module = network.to(memory_format=torch.channels_last) if channels_last else network
        self.recipe = recipe
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        alpha = recipe["mixup_alpha"]
        # one weight per batch, from the generator that is seeded at every step; each image is mixed with its neighbour
        self.mixup = None if alpha is None else MixUp(alpha=alpha, num_classes=num_classes)
        self._correct: list[Tensor] = []  # of the batches of test images
        names = ("train", *MEASURED, "test")
        self.means = nn.ModuleDict(
            {f"{name}_{what}": MeanMetric(nan_strategy="disable") for name in names for what in ("loss", "accuracy")}
        )
        for name in PERSISTENT:
            self.means[name].persistent(True)  # type: ignore[operator]

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return logits (B, K)."""
        images_BCHW = images_BCHW.to(self.dtype, memory_format=self.memory_format)  # float64 if the network is
        return self.network(images_BCHW)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss that is minimized; `train/loss` is the same number."""
        images_BCHW, labels_B = batch
        targets = labels_B
        if self.mixup is not None:
            images_BCHW, targets = self.mixup(images_BCHW, labels_B)
        logits_BK = self(images_BCHW)
        losses_B = self.losses(logits_BK, targets, smoothing=self.recipe["label_smoothing"])
        self._measure("train", logits_BK.detach(), labels_B, losses_B.detach())
        return losses_B.mean()

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Measure one batch of `eval` or `train_eval`."""
        self._evaluate(MEASURED[dataloader_idx], batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure one batch of the test images."""
        self._correct.append(self._evaluate("test", batch))

    def correct(self, data: ImageData) -> Tensor:
        """Return which test images were classified correctly, (N,), in their order and from all processes.

        An image that was skipped as corrupt is wrong here, so that all others keep their places; the accuracy leaves it
        out.
        """
        read_N = ~data.left_out("test")
        mine = torch.arange(data.rank, len(read_N), data.ranks)  # as data/sampler.py has them in order
        whole_N = torch.zeros(len(read_N), dtype=torch.uint8)
        whole_N[mine[read_N[mine]]] = torch.cat(self._correct).to(whole_N)
        if self.trainer.world_size > 1:
            whole_N = self.trainer.strategy.reduce(whole_N.to(self.device), reduce_op="max").cpu()
        return whole_N.bool()

    def losses(self, logits_BK: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the recipe's loss of each image, (B,): softmax, or sigmoid summed over classes (JFT, IN-21K).

        Targets are classes, (B,), or how much of each class an image has, (B, K), as MixUp gives them.
        """
        logits_BK = logits_BK.to(torch.promote_types(logits_BK.dtype, torch.float32))  # half precision is too coarse
        if self.recipe["loss"] == "softmax":
            return F.cross_entropy(logits_BK, targets, label_smoothing=smoothing, reduction="none")
        classes = logits_BK.shape[1]
        shares_BK = F.one_hot(targets, classes) if targets.ndim == 1 else targets
        targets_BK = shares_BK * (1 - smoothing) + smoothing / classes
        return F.binary_cross_entropy_with_logits(logits_BK, targets_BK.to(logits_BK), reduction="none").sum(1)

    def on_validation_epoch_start(self) -> None:
        """Evaluate with the same batch statistics in all processes."""
        self._share_statistics()

    def on_test_epoch_start(self) -> None:
        """Do as before the evaluation of an epoch."""
        self._share_statistics()
        self._correct = []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the sums of every process, if several train."""
        if self.trainer.world_size > 1:
            state = checkpoint[_moving(checkpoint)]
            mine_S = torch.stack([state[key] for key in _sums(state)])
            every = [torch.empty_like(mine_S) for _ in range(self.trainer.world_size)]
            torch.distributed.all_gather(every, mine_S)
            checkpoint["sums_RS"] = torch.stack(every)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore this process's sums; if the number of processes has changed, the first one takes all of them."""
        if (sums_RS := checkpoint.get("sums_RS")) is not None:
            state, rank = checkpoint[_moving(checkpoint)], self.trainer.global_rank
            if len(sums_RS) != self.trainer.world_size:
                sums_RS = torch.stack([sums_RS.sum(0), *torch.zeros(rank, sums_RS.shape[1])])
            state |= dict(zip(_sums(state), sums_RS[rank], strict=True))

    def measures(self, *names: str) -> dict[str, float]:
        """Return and reset loss and accuracy of the named sets."""
        values = {}
        for name in names:
            for what in ("loss", "accuracy"):
                mean = self.means[f"{name}_{what}"]
                values[f"{name}/{what}"] = float(mean.compute())  # type: ignore[operator]
                mean.reset()  # type: ignore[operator]
        return values

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build optimizer and schedule over all steps of the run."""
        fused = str(self.trainer.precision) != "16-mixed"  # where it would undo the scale of gradients before clipping
        optimizer = make_optimizer(self.network, self.recipe, fused=fused)
        schedule = make_schedule(optimizer, self.recipe["steps"], self.recipe)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as Lightning does, also for a fused optimizer under bfloat16, where it refuses to."""
        if str(self.trainer.precision) == "bf16-mixed" and gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def _share_statistics(self) -> None:
        if self.trainer.world_size > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def _evaluate(self, name: str, batch: Batch) -> Tensor:
        """Measure a batch and return which of its images were classified correctly, (B,)."""
        images_BCHW, labels_B = batch
        if not len(labels_B):
            return labels_B.bool()  # every image of the batch was skipped as corrupt
        logits_BK = self(images_BCHW)
        return self._measure(name, logits_BK, labels_B, self.losses(logits_BK, labels_B))

    def _measure(self, name: str, logits_BK: Tensor, labels_B: Tensor, losses_B: Tensor) -> Tensor:
        correct_B = logits_BK.argmax(1) == labels_B
        # image by image: torchmetrics 1.9 ignores weights when its NaN check is off
        self.means[f"{name}_loss"].update(losses_B)  # type: ignore[operator]
        self.means[f"{name}_accuracy"].update(correct_B.float())  # type: ignore[operator]
        return correct_B


def _moving(checkpoint: Mapping[str, Any]) -> str:
    """Return the checkpoint's key of the weights that are trained; with averaging, `state_dict` holds the average."""
    return "current_model_state" if "current_model_state" in checkpoint else "state_dict"


def _sums(state: Mapping[str, Any]) -> list[str]:
    return [key for key in state if key.startswith("means.")]
