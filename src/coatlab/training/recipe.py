"""The recipe as one run uses it: learning rates for its batch size, warm-up in its steps.

Deviation from Table 10, which is stated for batches of 512 to 4096 images on many TPU cores: with a smaller batch the
rates shrink in proportion (Goyal et al. 2017), and the warm-up covers as many images in more steps. With a larger batch
nothing changes. `recipe.scale_lr=false` turns this off; a recipe without a `batch_size` is for any batch size.
"""

from collections.abc import Mapping
from typing import Any


def for_run(recipe: Mapping[str, Any], *, batch: int, steps_per_epoch: int, epochs: int) -> dict[str, Any]:
    """Return the rates and the warm-up that a run uses, and how they came about, as the record has them.

    A warm-up in steps or epochs that is not shorter than the run is cut to a tenth of it, so that a short trial still
    trains. A share of the run is never longer than all steps but one.

    Args:
        recipe: of a checked config.
        batch: images per optimizer step.
        steps_per_epoch: optimizer steps.
        epochs: of the whole run.

    Returns:
        lr, min_lr and warmup_steps, which replace the recipe's own; batch, reference_batch and scale, from which they
        were derived; steps and steps_per_epoch.
    """
    reference, steps = recipe["batch_size"], steps_per_epoch * epochs
    scale = min(1.0, batch / reference) if reference is not None and recipe["scale_lr"] else 1.0
    if recipe["warmup_share"]:
        warmup = min(round(recipe["warmup_share"] * steps), steps - 1)
    else:
        warmup = round(recipe["warmup_steps"] / scale + recipe["warmup_epochs"] * steps_per_epoch)
    return {
        "lr": recipe["lr"] * scale,
        "min_lr": recipe["min_lr"] * scale,
        "warmup_steps": warmup if warmup < steps else steps // 10,
        "batch": batch,
        "reference_batch": reference,
        "scale": scale,
        "steps": steps,
        "steps_per_epoch": steps_per_epoch,
    }
