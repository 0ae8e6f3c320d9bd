"""The life of one run: its folder, its lock, whether it is done, and how it ended.

    with open_run(spec) as run:
        if not run.finished:
            ...train, then run.complete(final measures)

The folder is named by the run's content, so the same command finds it again.
"""

import os
import shutil
import socket
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from omegaconf import OmegaConf

from coatlab.errors import InputError, RunError, Stopped
from coatlab.output.files import write_atomic
from coatlab.output.text import shown
from coatlab.process.machine import code_version, processor, software
from coatlab.process.place import place
from coatlab.runs.lock import now, take_lock
from coatlab.runs.record import FINAL, SCHEMA, read_record, write_record
from coatlab.runs.spec import Spec


class Run:
    """A run whose folder this process has locked; made by `open_run`."""

    leads = True  # this process writes the record; the others that train the same run do not

    def __init__(
        self, folder: Path, config: Mapping[str, Any], record: dict[str, Any], lock: IO[str] | None, new: bool = False
    ) -> None:
        self.folder, self.config, self.record, self._lock, self._new = folder, config, record, lock, new

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: the run is complete, or diverged."""
        return self.record["status"] in FINAL

    @property
    def score(self) -> float | None:
        """The final accuracy on held-out images, which a sweep compares; None if there is none."""
        value = self.record["final"].get("eval/accuracy")
        return None if value is None else float(value)

    def update(self, **entries: Any) -> None:
        """Put entries into the record and write it to disk."""
        self.record.update(entries)
        write_record(self.folder, self.record)

    def complete(self, final: Mapping[str, float | None], **entries: Any) -> None:
        """Write that the run is complete, with its final measures."""
        self._end("complete", final=dict(final), **entries)

    def diverge(self, reason: str, final: Mapping[str, float | None]) -> None:
        """Write that the run diverged. That is final: the same command would diverge again."""
        self._end("diverged", error=reason, final=dict(final))

    def close(self) -> None:
        """Release the folder."""
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.finished or error is None:
                return
            if self._new and isinstance(error, InputError) and not (self.folder / "metrics.jsonl").exists():
                _remove_begun(self.folder)  # the user asked for what cannot be: nothing has failed
            elif isinstance(error, Stopped | KeyboardInterrupt | SystemExit):
                self._end("interrupted", error=str(error) or "stopped by Ctrl-C")
            else:
                lines = traceback.format_exception(error)
                self._end("failed", error=f"{type(error).__name__}: {error}", traceback="".join(lines))
        except OSError as full:  # a full disk may be why the run failed; the record on disk is unchanged
            error.add_note(f"and {self.folder / 'record.json'} could not be updated: {full}")  # type: ignore[union-attr]
        finally:
            self.close()

    def begin_attempt(self) -> None:
        """Write that this process is running it now; what an attempt ran on stays with it when another one follows."""
        code, machine = code_version(), processor()
        self.record["attempts"].append(
            {
                "started": now(),
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "launch": place().launch,
                "commit": code["commit"],
                "dirty": code["dirty"],
                "cpu": machine["cpu"],
                "status": "running",
            }
        )
        self.update(
            status="running",
            config=_recorded(self.config),  # settings outside the identity, such as devices, may have changed
            error=None,
            traceback=None,
            code=code,
            environment=software(),
            hardware=machine,
        )

    def _end(self, status: str, **entries: Any) -> None:
        self.record["attempts"][-1].update(status=status, ended=now(), error=entries.get("error"))
        self.update(status=status, **entries)


def open_run(spec: Spec, wait: bool = False) -> Run:
    """Open the folder of a run: new, to be resumed, or already finished.

    Args:
        spec: the run; its words are kept in .hydra/.
        wait: for a process that holds the folder, instead of refusing.

    Raises:
        Held: another process is already running it.
        RunError: the folder cannot be written, or has a record of another schema.
    """
    folder, config = spec.folder, spec.config
    if (finished := _finished(spec)) is not None:
        return finished
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = take_lock(folder, wait)
    except OSError as error:
        raise RunError(
            f"paths.runs={config['paths']['runs']} cannot be used: {error.strerror} ({error.filename or folder})"
        ) from error
    try:
        record = read_record(folder)
        for stray in folder.rglob(".*.tmp"):
            stray.unlink()  # left by a process that was killed while writing; only the lock's holder writes here
        new = record is None
        if record is None:
            record = _new_record(spec)
        elif record["fingerprint"] != spec.fingerprint:
            raise RunError(f"{shown(folder)} holds another run (fingerprint {record['fingerprint']}); move it away")
        run = Run(folder, config, record, lock, new)
        _add_study(run)
        drop_left_over(folder, record)
        if not run.finished:
            _write_hydra(folder, config, spec.words)
            run.begin_attempt()
        return run
    except OSError as error:
        lock.close()
        raise RunError(f"{shown(folder)} cannot be written: {error.strerror or error}") from error
    except BaseException:
        lock.close()
        raise


def _remove_begun(folder: Path) -> None:
    """Remove a run folder in which nothing was trained, but for what is not ours."""
    for path in (folder / "record.json", folder / ".lock", *folder.glob("rank*.log")):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / ".hydra", ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


def drop_left_over(folder: Path, record: Mapping[str, Any] | None) -> None:
    """Delete the checkpoints of a complete run that was killed at its very end, when only they were left to delete.

    Nobody needs them and nobody writes them any more, so this takes no lock; in a folder that is not this user's they
    stay.
    """
    if record and record["status"] == "complete" and (folder / "checkpoints" / "weights.pt").is_file():
        for path in (folder / "checkpoints").glob("*.ckpt"):
            with suppress(OSError):
                path.unlink()


def _finished(spec: Spec) -> Run | None:
    """Return a run that is finished and needs nothing written; it may be another user's, who alone can lock it."""
    try:
        record = read_record(spec.folder)
    except (RunError, OSError):
        return None  # told by whom the run is opened for
    if record is None or record["status"] not in FINAL or record["fingerprint"] != spec.fingerprint:
        return None
    drop_left_over(spec.folder, record)
    study = spec.config.get("study")
    if not study or study in record["studies"] or not os.access(spec.folder, os.W_OK):
        return Run(spec.folder, spec.config, record, lock=None)
    return None


def _recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "hydra"}


def _new_record(spec: Spec) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "status": "running",
        "fingerprint": spec.fingerprint,
        "studies": [],
        "config": _recorded(spec.config),
        "cost": {},
        "attention": {},
        "final": {},
        "timings": {},
        "tracker": {},
        "attempts": [],
    }


def _add_study(run: Run) -> None:
    """Note in the record that a study asked for this run; one run can serve several studies."""
    study = run.config.get("study")
    if study and study not in run.record["studies"]:
        run.record["studies"].append(study)
        if run.finished:
            write_record(run.folder, run.record)


def _write_hydra(folder: Path, config: Mapping[str, Any], overrides: Sequence[str]) -> None:
    files = {
        "config.yaml": OmegaConf.to_yaml(OmegaConf.create(dict(config))),
        "overrides.yaml": OmegaConf.to_yaml(list(overrides)),
    }
    for name, text in files.items():
        write_atomic(folder / ".hydra" / name, lambda file, text=text: file.write(text.encode()))  # type: ignore[misc]
