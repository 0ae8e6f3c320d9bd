"""Opening a W&B run that may fail: online where that can be, else offline, else not at all, and never with an error.

The id is given, so that whoever opens the same run again continues it. Offline parts are written whole each time; older
ones are set aside, so that `wandb sync` yields one run.
"""

import netrc
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

INIT_SECONDS, FINISH_SECONDS = 15, 20
DELETED = "previously created and deleted"  # W&B's words when it refuses an id


def open_run(
    settings: Mapping[str, Any], *, folder: Path, id: str, job_type: str, group: str | None, config: Mapping[str, Any]
) -> Any | None:
    """Open a W&B run, named as its folder is; None if W&B cannot be used at all, which is said in a line.

    Args:
        settings: conf/tracker/wandb.yaml: mode, project, entity, group.
        folder: where W&B's files go.
        id: of the run; with a suffix only if W&B refuses to use it again.
        job_type: what W&B calls it.
        group: where the settings have none.
        config: what W&B shows as the run's config.
    """
    mode = settings["mode"]
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if has_key() else "offline")
    for attempt in [mode, "offline"] if mode == "online" else [mode]:
        if attempt == "offline":
            _set_segments_aside(folder)
        arguments: dict[str, Any] = {
            "mode": attempt,
            "project": settings["project"],
            "entity": settings["entity"],
            "name": folder.name,
            "group": settings.get("group") or group,
            "job_type": job_type,
            "config": dict(config),
            "dir": str(folder.resolve()),
            "resume": "allow",
        }
        try:
            return _init(id, arguments)
        except Exception as error:
            say(
                f"W&B {attempt} is not available ({line(error)}); going on "
                f"{'offline' if attempt == 'online' else 'without'}"
            )
            _drop_service()
    return None


def has_key() -> bool:
    """Tell whether an API key is set, in the environment or by `wandb login`, without ever asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        known = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    import wandb  # takes a second

    host = urlparse(wandb.Settings().base_url).hostname or ""  # the default has changed between releases
    return known.authenticators(host) is not None


def is_offline(run: Any) -> bool:
    """Tell whether a run is written to files alone."""
    return bool(getattr(run.settings, "_offline", False) or run.offline)


def line(error: Exception) -> str:
    """Word an error in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def say(sentence: str) -> None:
    """Tell of trouble with W&B, which stops nothing."""
    print(sentence, file=sys.stderr)


def _init(id: str, arguments: Mapping[str, Any]) -> Any:
    import wandb

    settings = wandb.Settings(
        console="off",
        silent=True,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        x_disable_stats=True,
        x_transaction_log_flush_interval=1.0,
    )
    try:
        return wandb.init(id=id, settings=settings, **arguments)
    except Exception as error:
        if DELETED not in str(error):
            raise
        return wandb.init(id=f"{id}-{os.urandom(2).hex()}", settings=settings, **arguments)


def _set_segments_aside(folder: Path) -> None:
    """Move offline segments of earlier attempts away: the fresh one replays them whole."""
    for segment in (folder / "wandb").glob("offline-run-*"):
        if segment.is_dir() and not segment.is_symlink():
            aside = folder / "wandb" / "superseded"
            aside.mkdir(exist_ok=True)
            shutil.move(segment, aside / segment.name)


def _drop_service() -> None:
    """Part with W&B's process, which still holds the id of a run that could not be opened; the next one is fresh."""
    import wandb

    try:
        wandb.teardown()
    except (Exception, SystemExit) as error:  # it exits Python where its own process ended badly
        say(f"W&B's process ended badly ({type(error).__name__})")
    os.environ.pop("WANDB_SERVICE", None)  # a process inherited from a parent would be found again
