"""Open a W&B run: online if possible, otherwise offline, otherwise not at all. It never raises an error.

The caller gives the id, so that opening the same run again continues it. Offline, each new folder of W&B's (a
"segment") gets the whole run; older segments are set aside, so that `wandb sync` makes one run of them.
"""

import netrc
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from coatlab.output.text import line
from coatlab.tracking.bounded import within

INIT_SECONDS, FINISH_SECONDS, TEARDOWN_SECONDS = 15, 20, 5
OPEN_SECONDS = INIT_SECONDS + 5  # where W&B does not keep to its own limit
# variables of W&B's that would give a run another id or kind: ours follow from what the run is
NOT_USED = ("WANDB_RUN_ID", "WANDB_RESUME", "WANDB_JOB_TYPE")
DELETED = "previously created and deleted"  # part of W&B's message when it refuses the id of a deleted run


def open_session(
    settings: Mapping[str, Any],
    *,
    folder: Path,
    id: str,
    job_type: str,
    group: str | None,
    config: Mapping[str, Any],
    look: Callable[[], object] = lambda: None,
) -> Any | None:
    """Open a W&B run; if W&B cannot be used at all, print a line that says so and return None.

    Args:
        settings: mode, project, entity and others, as in conf/tracker/wandb.yaml; `dir`, `run_name`, `tags` and `notes`
            may be missing.
        folder: where W&B's files go, and whose name the run gets, unless the settings say otherwise.
        id: of the W&B run; it gets a suffix only if W&B refuses to use it again.
        job_type: W&B's name for the kind of run: train or report.
        group: of the W&B run, if the settings have none.
        config: shown by W&B as the run's config.
        look: called repeatedly while W&B is waited for; may raise an exception, which ends the wait.
    """
    import wandb  # noqa: F401  (here, because it takes seconds, which are not W&B's to answer in)

    mode = settings["mode"]
    if mode == "auto":
        mode = asked_mode() or ("online" if has_key() else "offline")
    if unused := [name for name in NOT_USED if os.environ.get(name)]:
        say(f"{' and '.join(unused)} not used: a run's id in W&B is its fingerprint, and it is resumed by that")
    place = files_of(settings, folder)
    arguments: dict[str, Any] = {
        "project": settings["project"],
        "entity": settings["entity"],
        **shown_as(settings, folder),
        "group": settings.get("group") or group,
        "job_type": job_type,
        "config": dict(config),
        "dir": str(place),
    }
    for attempt in [mode, "offline"] if mode == "online" else [mode]:
        try:
            place.mkdir(parents=True, exist_ok=True)
            if attempt == "offline":
                set_segments_aside(place, id)
            run = within(OPEN_SECONDS, lambda: open_once(id, **arguments, mode=attempt), look)  # noqa: B023
            if attempt == "online":
                set_segments_aside(place, id)  # all rows of them are sent
            return run
        except Exception as error:
            say(
                f"W&B {attempt} is not available ({worded(error)}); continuing "
                f"{'offline' if attempt == 'online' else 'without it'}"
            )
            drop_service(kill=True)
    return None


def files_of(settings: Mapping[str, Any], folder: Path) -> Path:
    """Return the folder below which W&B writes: of the settings, else the run's or the report's own."""
    return Path(os.path.expanduser(settings.get("dir") or folder)).resolve()


def shown_as(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return name, tags and notes of a W&B run, as wandb.init takes them."""
    name, tags, notes = (settings.get(key) for key in ("run_name", "tags", "notes"))
    return {"name": name or folder.name, "tags": tags or None, "notes": notes}


def asked_mode() -> str | None:
    """Return the mode that WANDB_MODE, or W&B's own files of settings (`wandb offline`), ask for; None: they do not.

    What reads the files without starting W&B's service process is private; tried with wandb 0.31.0.
    """
    if mode := os.environ.get("WANDB_MODE"):
        return mode
    from wandb.sdk import wandb_setup

    stored = str(wandb_setup.singleton().settings.mode)
    return stored if stored != "online" else None  # which is W&B's default as well


def has_key() -> bool:
    """Tell whether there is an API key, in the environment or from `wandb login`; the user is never asked for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        known = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    import wandb  # here, because it takes a second

    host = urlparse(wandb.Settings().base_url).hostname or ""  # the default has changed between releases
    return known.authenticators(host) is not None


def is_offline(run: Any) -> bool:
    """Tell whether a W&B run is only written to files."""
    return bool(run.offline)


def worded(error: Exception) -> str:
    """Return an error's type and message in one line."""
    return f"{type(error).__name__}: {line(error)[:160]}"


def say(sentence: str) -> None:
    """Print a sentence about trouble with W&B to stderr; nothing stops because of it."""
    print(sentence, file=sys.stderr)


def wandb_settings(finish_seconds: float = FINISH_SECONDS) -> Any:
    """Return our settings of a W&B run: quiet, short timeouts, no system metrics, rows on the disk every second.

    The names that begin with x_ are experimental in W&B and may change; tried with wandb 0.31.0.

    Args:
        finish_seconds: how long W&B may take to send what is left when the run ends.
    """
    import wandb

    return wandb.Settings(
        console="off",
        silent=True,
        init_timeout=INIT_SECONDS,
        finish_timeout=finish_seconds,
        x_disable_stats=True,
        x_transaction_log_flush_interval=1.0,
    )


def open_once(id: str, finish_seconds: float = FINISH_SECONDS, **arguments: Any) -> Any:
    """Open a W&B run, or go on with it; if its id was deleted, another one gets that id with a suffix.

    Raises:
        Exception: of W&B's.
    """
    import wandb

    settings = wandb_settings(finish_seconds)
    try:
        return wandb.init(id=id, settings=settings, resume="allow", **arguments)
    except Exception as error:
        if DELETED not in str(error):
            raise
        return wandb.init(id=f"{id.partition('-')[0]}-{os.urandom(2).hex()}", settings=settings, **arguments)


def set_segments_aside(place: Path, id: str) -> None:
    """Move the offline segments of a W&B run's earlier attempts away: all of their rows are replayed.

    Args:
        place: the folder below which W&B writes; other runs may have it, too.
        id: of the W&B run, to which a suffix may have been added.
    """
    for segment in (place / "wandb").glob(f"offline-run-*-{id}*"):
        if segment.is_dir() and not segment.is_symlink():
            aside = place / "wandb" / "superseded"
            aside.mkdir(exist_ok=True)
            shutil.move(segment, aside / segment.name)


def drop_service(kill: bool = False) -> None:
    """End W&B's service process, which still has the id of a run that could not be opened; W&B starts a new one.

    Args:
        kill: instead of waiting until it has sent everything, which it tries for ever. The process behind W&B's private
            attributes was tried with wandb 0.31.0.
    """
    import wandb

    if kill:
        with suppress(AttributeError, OSError):
            wandb.setup()._connection._proc._process.kill()  # type: ignore[union-attr]
    try:
        within(TEARDOWN_SECONDS, wandb.teardown)
    except (Exception, SystemExit) as error:  # it exits Python if its process ended badly
        say(f"W&B's service process ended badly ({type(error).__name__})")
    os.environ.pop("WANDB_SERVICE", None)  # otherwise a service inherited from a parent process is used again
