"""Weights & Biases as a mirror of metrics.jsonl, through Lightning's logger. No trouble of W&B stops a training.

The run id is the fingerprint, so a resumed run continues its W&B run. Rows carry their step explicitly and are
replayed when a run goes on: online from the step where the server is, offline as a whole into a fresh segment
(the older segments are set aside), so that `wandb sync` yields one run, nothing twice and nothing missing.
"""

import netrc
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from lightning.pytorch.loggers import WandbLogger

INIT_SECONDS, FINISH_SECONDS = 15, 20
# of a record, what tables need besides the config
FACTS = ("status", "error", "studies", "cost", "attention", "final", "timings", "code", "hardware", "attempts")
DELETED = "previously created and deleted"  # W&B's words when it refuses an id


class WandbMirror(WandbLogger):
    """A W&B run that may be lost at any moment."""

    def __init__(self, run: Any) -> None:
        super().__init__(experiment=run, project=run.project, dir=run.dir)
        self._run = run
        self.lost = False

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config was given when the run was opened."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send one row, unless the mirror is lost; losing it is said once."""
        if self.lost:
            return
        try:
            self._run.log(dict(metrics), step=step)
        except Exception as error:  # W&B's process is gone: the rows are safe in metrics.jsonl
            self.lost = True
            _say(f"W&B is gone ({type(error).__name__}); the record goes on, and the next start replays it")

    def finish(self, final: Mapping[str, Any], exit_code: int, record: Mapping[str, Any] | None = None) -> None:
        """Close the W&B run, with the final measures and, as `record`, what tables need in its summary."""
        try:
            if not self.lost:
                facts = {key: record[key] for key in FACTS if key in record} if record else {}
                self._run.summary.update({**final, "record": facts} if facts else dict(final))
            self._run.finish(exit_code=exit_code)
        except Exception as error:
            _say(f"W&B could not be closed ({type(error).__name__}); its files stay in the run folder")

    def finalize(self, status: str) -> None:
        """Do nothing: `finish` ends the run, after the final measures."""

    def entry(self) -> dict[str, Any]:
        """Return what the record says of the tracker."""
        settings = self._run.settings
        offline = bool(getattr(settings, "_offline", False) or self._run.offline)
        return {
            "name": "wandb",
            "mode": "offline" if offline else "online",
            "id": self._run.id,
            "project": self._run.project,
            "url": None if offline else self._run.url,
            "folder": str(Path(self._run.dir).parent),
        }


def open_mirror(
    settings: Mapping[str, Any],
    *,
    folder: Path,
    fingerprint: str,
    config: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> WandbMirror | None:
    """Open the W&B run of an experiment and replay its rows; None if W&B cannot be used at all.

    Args:
        settings: conf/tracker/wandb.yaml: mode, project, entity, group.
        folder: the run folder; its name is the W&B run's.
        rows: metrics.jsonl so far.
    """
    mode = settings["mode"]
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
    for attempt in [mode, "offline"] if mode == "online" else [mode]:
        if attempt == "offline":
            _set_segments_aside(folder)
        try:
            run = _init(attempt, settings, folder, fingerprint, config)
            first = run.starting_step if attempt == "online" else 0
            mirror = WandbMirror(run)
        except Exception as error:
            _say(
                f"W&B {attempt} is not available ({_line(error)}); going on "
                f"{'offline' if attempt == 'online' else 'without'}"
            )
            _drop_service()
            continue
        for row in rows:
            if row["step"] >= first:
                mirror.log_metrics({k: v for k, v in row.items() if k != "step" and v is not None}, step=row["step"])
        return mirror
    return None


def _init(mode: str, settings: Mapping[str, Any], folder: Path, fingerprint: str, config: Mapping[str, Any]) -> Any:
    options = wandb.Settings(
        console="off",
        silent=True,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        x_disable_stats=True,
        x_transaction_log_flush_interval=1.0,
    )
    arguments: dict[str, Any] = {
        "mode": mode,
        "project": settings["project"],
        "entity": settings["entity"],
        "name": folder.name,
        "group": settings.get("group") or config.get("study"),
        "job_type": "train",
        "config": dict(config),
        "dir": str(folder.resolve()),
        "resume": "allow",
        "settings": options,
    }
    try:
        return wandb.init(id=fingerprint, **arguments)
    except Exception as error:
        if DELETED not in str(error):
            raise
        return wandb.init(id=f"{fingerprint}-{os.urandom(2).hex()}", **arguments)


def _has_key() -> bool:
    """Tell whether an API key is set, in the environment or by `wandb login`, without ever asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(wandb.Settings().base_url).hostname or ""  # the default has changed between releases
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _set_segments_aside(folder: Path) -> None:
    """Move offline segments of earlier attempts away: the fresh one replays them whole."""
    for segment in (folder / "wandb").glob("offline-run-*"):
        if segment.is_dir() and not segment.is_symlink():
            aside = folder / "wandb" / "superseded"
            aside.mkdir(exist_ok=True)
            shutil.move(segment, aside / segment.name)


def _drop_service() -> None:
    """Part with W&B's process, which still holds the id of a run that could not be opened; the next one is fresh."""
    try:
        wandb.teardown()
    except (Exception, SystemExit) as error:  # it exits Python where its own process ended badly
        _say(f"W&B's process ended badly ({type(error).__name__})")
    os.environ.pop("WANDB_SERVICE", None)  # a process inherited from a parent would be found again


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
