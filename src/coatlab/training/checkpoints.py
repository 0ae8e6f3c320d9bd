"""Checkpoints that are always whole: written to a temporary file beside them, synced and renamed; the last one is kept.

Lightning's own atomic save goes through the system's temporary folder and a copy without sync, which kill -9 can cut in
two if that folder is on another file system. What a disk does to a checkpoint later is found by its checksum
(output/sealed.py), and what happened to the rows of metrics.jsonl that belong to it by theirs
(runs/record.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from coatlab.output.files import write_atomic
from coatlab.output.sealed import damage, save_sealed
from coatlab.output.text import shown
from coatlab.runs.record import METRICS, rows_damage
from coatlab.runs.weights import WEIGHTS

LAST, PREVIOUS = "checkpoints/last.ckpt", "checkpoints/previous.ckpt"
ASIDE = "checkpoints/damaged.ckpt"  # a last.ckpt that could not be used


class AtomicCheckpoint(TorchCheckpointIO):
    """Save as Lightning does, but completely or not at all, and keep the previous checkpoint."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write `checkpoint` to `path`, sealed."""
        path = Path(path)
        write_atomic(path, lambda file: save_sealed(checkpoint, file), keep=path.with_name(Path(PREVIOUS).name))


def newest(folder: Path, fingerprint: str, leads: bool = True) -> tuple[Path, dict[str, Any]] | None:
    """Read the newest checkpoint of a run folder that is whole, and whose rows of metrics.jsonl are; None: start again.

    Args:
        folder: the run folder.
        fingerprint: of the run.
        leads: whether this process writes in the folder: a damaged last.ckpt is then set aside, so that it does not
            take the place of the good previous one. What is passed over is said in a sentence.
    """
    wrong: list[str] = []
    found = None
    for name in (LAST, PREVIOUS):
        content = _read(folder / name, fingerprint)
        if isinstance(content, str):
            wrong.append(f"{shown(folder / name)} cannot be used ({content})")
        elif content is not None:
            found = folder / name, content
            break
    if found and wrong and leads:
        (folder / LAST).replace(folder / ASIDE)
    if wrong:
        print(f"{' and '.join(wrong)}; {'going back to the previous one' if found else 'the run starts again'}")
    elif not found and (folder / METRICS).exists() and (folder / METRICS).stat().st_size:
        print(f"{shown(folder)} has no checkpoint; the run starts again")
    return found


def _read(path: Path, fingerprint: str) -> dict[str, Any] | str | None:
    """Read a checkpoint; return why it cannot be used, or None where there is none."""
    try:
        if reason := damage(path):
            return reason
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        ours = content["coatlab"]
        if ours.get("fingerprint", fingerprint) != fingerprint:
            return f"it belongs to another run, {ours['fingerprint']}"
        return rows_damage(path.parent.parent, ours) or content
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever a foreign file makes torch raise, or a disk that cannot be read
        return type(error).__name__ if not isinstance(error, OSError) else str(error.strerror)


def position(checkpoint: Mapping[str, Any], batches_per_epoch: int) -> tuple[int, int]:
    """Return the (epoch, batch) at which training goes on, after all batches that were processed."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    epoch, batch = divmod(int(progress["total"]["processed"]), batches_per_epoch)
    return epoch, batch


def save_weights(folder: Path, network: torch.nn.Module, fingerprint: str) -> None:
    """Write only the trained weights, which a complete run keeps; sealed."""
    content = {"fingerprint": fingerprint, "network": network.state_dict()}
    write_atomic(folder / WEIGHTS, lambda file: save_sealed(content, file))


def drop_training_state(folder: Path) -> None:
    """Delete the checkpoints of a complete run; its weights stay."""
    for name in (LAST, PREVIOUS, ASIDE):
        (folder / name).unlink(missing_ok=True)
