"""metrics.jsonl, the history of a run, as a Lightning logger.

A checkpoint holds the file's length and the checksum of its rows. On resume the rows that belong to the checkpoint must
be there as they were written.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger

from coatlab.errors import RunError
from coatlab.output.text import shown
from coatlab.runs.record import METRICS


class MetricsFile(Logger):
    """Append a row per call to metrics.jsonl; on resume, cut the file to the length that the checkpoint states.

    Args:
        folder: the run folder.
        keep: bytes that belong to the state from which training resumes; the rows after them will be written again.
    """

    def __init__(self, folder: Path, keep: int = 0) -> None:
        super().__init__()
        self._path = folder / METRICS
        self._file = open(self._path, "a+b")  # noqa: SIM115 (open for the run's whole life)
        self._file.truncate(keep)
        self._file.seek(0)
        self._sum = hashlib.sha256(self._file.read())
        assert self._file.tell() == keep

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
        line = json.dumps(row).encode() + b"\n"
        self._file.write(line)
        self._file.flush()
        self._sum.update(line)

    def synced(self) -> dict[str, Any]:
        """Sync every row to disk and return what a checkpoint states of them: their length in bytes and checksum.

        Raises:
            RunError: the file is not there any more, or is another one.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        try:
            same = os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            same = False
        if not same or (length := self._file.tell()) != os.fstat(self._file.fileno()).st_size:
            raise RunError(f"{shown(self._path)} was deleted, replaced or changed by somebody else during the training")
        return {"metrics_bytes": length, "metrics_sha256": self._sum.hexdigest()}

    def close(self) -> None:
        """Sync every row to disk and close the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
