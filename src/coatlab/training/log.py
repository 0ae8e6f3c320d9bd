"""metrics.jsonl, the history of a run, as a Lightning logger."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger


class MetricsFile(Logger):
    """Append a row per call to metrics.jsonl; on resume, cut the file to the length that the checkpoint states.

    Args:
        folder: the run folder.
        keep: bytes that belong to the state from which training resumes; the rows after them will be written again.
    """

    def __init__(self, folder: Path, keep: int = 0) -> None:
        super().__init__()
        self._file = open(folder / "metrics.jsonl", "ab")  # noqa: SIM115 (open for the run's whole life)
        self._file.truncate(keep)
        self._file.seek(0, os.SEEK_END)

    @property
    def name(self) -> str:
        """Empty: Lightning uses a logger's name to build folders, and the folder is given."""
        return ""

    @property
    def version(self) -> str:
        """Empty, for the same reason."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config is in the record."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one row; NaN and infinity become null."""
        row = {"step": step, **{key: value if math.isfinite(value) else None for key, value in metrics.items()}}
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()

    def synced_length(self) -> int:
        """Sync every row to disk and return the file's length in bytes, to be kept in a checkpoint."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Sync every row to disk and close the file."""
        self.synced_length()
        self._file.close()
