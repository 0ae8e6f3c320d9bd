"""The trained weights of a complete run: in its folder, and in one file that can be published with its record.

    runs/<run>/checkpoints/weights.pt                    sealed, beside record.json
    analysis/results/<study>/weights/<run>.safetensors   with the run's record in it

A published file has one entry of metadata, `coatlab`, in JSON: `record`, those parts of the run's record that say what
it is and what it measured (its config is one of them), and `sha256`, the checksum of the weights. Any program that
knows safetensors reads it. The same run always gives the same file.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coatlab.errors import InputError
from coatlab.output.files import write_atomic
from coatlab.output.sealed import damage
from coatlab.output.text import line, shown
from coatlab.runs.record import read_record
from coatlab.runs.shape import check_shape

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "checkpoints/weights.pt"
SUFFIX, METADATA = ".safetensors", "coatlab"
AGAIN = "move the folder away and run that run's command again, which trains it anew"
# what others may know of a run: not on which machine it was, at which times, and in which folders
PARTS = ("schema", "studies", "config", "cost", "recipe", "attention", "final", "timings", "hardware", "code")
PRIVATE = ("hardware.host", "config.paths", "config.tracker", "config.cluster", "config.hydra", "config.data.cache")


def read_weights(folder: Path, fingerprint: str) -> "dict[str, Tensor]":
    """Read the weights of a complete run from its folder, on the CPU.

    Raises:
        InputError: the file cannot be read, is damaged or of another run.
    """
    import torch  # here, because records are read without it

    path = folder / WEIGHTS
    try:
        reason = damage(path)
    except OSError as error:
        reason = error.strerror
    if reason:
        raise InputError(f"{shown(path)} cannot be read as weights: {reason}; {AGAIN}")
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        weights: dict[str, Tensor] = dict(stored["network"])
    except Exception as error:  # whatever a damaged or foreign file makes torch raise
        raise InputError(f"{path} cannot be read as weights ({type(error).__name__}: {error})") from error
    if stored["fingerprint"] != fingerprint:
        raise InputError(
            f"{shown(path)} holds the weights of another run, {stored['fingerprint']}, not of {fingerprint}; {AGAIN}"
        )
    return weights


def complete_record(folder: Path) -> dict[str, Any]:
    """Read the record of a run that is complete, and so has weights.

    Raises:
        InputError: there is no run, or it is not complete.
    """
    record = read_record(folder)
    if record is None:
        raise InputError(f"{shown(folder)} is not the folder of a run: it has no record.json")
    if record["status"] != "complete":
        raise InputError(f"{shown(folder)} is {record['status']}; only a complete run has weights")
    return record


def publish_weights(folder: str | os.PathLike[str], to: str | os.PathLike[str]) -> Path:
    """Write the weights of a complete run, with its record, to `<to>/<name of the run folder>.safetensors`.

    Args:
        folder: the run folder.
        to: where to, as in analysis/results/<study>/weights; made if it is not there.

    Returns:
        The file, which is written whole or not at all.

    Raises:
        InputError: the run is not complete, or its weights cannot be read.
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    folder, to = Path(folder), Path(to)
    record = complete_record(folder)
    weights = {name: one.contiguous() for name, one in read_weights(folder, record["fingerprint"]).items()}
    content = {"record": published_parts(record), "sha256": _sum(weights)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    path = to / f"{folder.name}{SUFFIX}"
    write_atomic(path, lambda file: file.write(save(weights, {METADATA: text})))
    return path


def read_published(path: Path) -> "tuple[dict[str, Any], dict[str, Tensor]]":
    """Read a published file: the record, and the weights on the CPU.

    Raises:
        InputError: the file cannot be read, is damaged, or was not written by `publish_weights`.
    """
    from safetensors.torch import load_file

    content = _content(path)
    try:
        weights = load_file(path)
    except Exception as error:  # safetensors has an error of its own, and of the disk any may come
        raise _unreadable(path, error) from error
    if _sum(weights) != content["sha256"]:
        raise InputError(f"{shown(path)} is damaged: its checksum does not match its content; fetch it again")
    return content["record"], weights


def published_record(path: Path) -> dict[str, Any]:
    """Read the record in a published file, without its weights. Raises as `read_published`."""
    return dict(_content(path)["record"])


def published_parts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be published of a record, as a record that can be read; its attempts are only counted."""
    parts = {key: record[key] for key in PARTS if key in record}
    attempts: list[dict[str, Any]] = [{} for _ in record["attempts"]]
    return _without_private(parts) | {
        "status": record["status"],
        "fingerprint": record["fingerprint"],
        "attempts": attempts,
    }


def _without_private(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        key: _without_private(value, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in node.items()
        if f"{prefix}{key}" not in PRIVATE
    }


def _content(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            content: dict[str, Any] = json.loads(file.metadata()[METADATA])
        # readers of records rely on their form; folders are no part of what is published
        check_shape({**content["record"], "config": {**content["record"]["config"], "paths": {}}})
        return {"record": content["record"], "sha256": content["sha256"]}
    except Exception as error:  # safetensors has an error of its own, and of the disk any may come
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{shown(path)} cannot be read as published weights ({type(error).__name__}: {line(error)}); give a file that "
        "coatlab.publish_weights has written, or a run folder"
    )


def _sum(weights: "Mapping[str, Tensor]") -> str:
    import torch

    total = hashlib.sha256()
    for name, one in sorted(weights.items()):
        total.update(f"{name} {one.dtype} {tuple(one.shape)}\n".encode())
        total.update(one.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
