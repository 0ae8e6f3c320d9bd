"""When a run is evaluated: after which epochs, and after which numbers of images."""

from collections.abc import Sequence

import lightning as L


def ends_evaluated(trainer: L.Trainer, every: int) -> bool:
    """Tell whether this epoch ends with an evaluation, as every `every`-th and the last one do."""
    epoch = trainer.current_epoch + 1
    return epoch % every == 0 or epoch == trainer.max_epochs


def images_reached(trainer: L.Trainer, batch_idx: int, numbers: Sequence[int]) -> int:
    """Return how many images the run has seen after the step to which a batch belongs, if it reaches one of `numbers`.

    Returns 0 if it does not. Images are counted over all processes.
    """
    first = batch_idx - batch_idx % trainer.accumulate_grad_batches
    last = min(first + trainer.accumulate_grad_batches, int(trainer.num_training_batches))
    earlier = trainer.current_epoch * int(trainer.num_training_batches)
    each = trainer.datamodule.batch_size  # type: ignore[attr-defined]
    before, after = (earlier + first) * each, (earlier + last) * each
    return after if any(before < number <= after for number in numbers) else 0
