"""Checkpoints that are always whole: written to a temporary file beside them, synced and renamed; the last one is kept.

Lightning's own atomic save goes through the system's temporary folder and a copy without sync, which kill -9 can cut in
two if that folder is on another file system.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from coatlab.output.files import write_atomic
from coatlab.output.text import shown

LAST, PREVIOUS = "checkpoints/last.ckpt", "checkpoints/previous.ckpt"
WEIGHTS = "checkpoints/weights.pt"


class AtomicCheckpoint(TorchCheckpointIO):
    """Save as Lightning does, but completely or not at all, and keep the previous checkpoint."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`."""
        path = Path(path)
        write_atomic(path, lambda file: torch.save(checkpoint, file), keep=path.with_name(Path(PREVIOUS).name))


def newest(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Read the newest readable checkpoint of a run folder; None if there is none."""
    for name in (LAST, PREVIOUS):
        path = folder / name
        try:
            return path, torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            continue
        except Exception as error:  # whatever a damaged file makes torch raise: the older one is good
            print(f"{shown(path)} cannot be read ({type(error).__name__}); going back to the previous one")
    return None


def position(checkpoint: Mapping[str, Any], batches_per_epoch: int) -> tuple[int, int]:
    """Return the (epoch, batch) at which training goes on, after all batches that were processed."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    epoch, batch = divmod(int(progress["total"]["processed"]), batches_per_epoch)
    return epoch, batch


def save_weights(folder: Path, network: torch.nn.Module, fingerprint: str) -> None:
    """Write only the trained weights, which a complete run keeps."""
    content = {"fingerprint": fingerprint, "network": network.state_dict()}
    write_atomic(folder / WEIGHTS, lambda file: torch.save(content, file))


def drop_training_state(folder: Path) -> None:
    """Delete the checkpoints of a complete run; its weights stay."""
    for name in (LAST, PREVIOUS):
        (folder / name).unlink(missing_ok=True)
