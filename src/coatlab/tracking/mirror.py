"""Weights & Biases as a mirror of metrics.jsonl, through Lightning's logger. No trouble of W&B stops a training.

The run id is the fingerprint, so a resumed run continues its W&B run. Rows carry their step explicitly and are
replayed when a run goes on: online from the step where the server is, offline as a whole into a fresh segment
(the older segments are set aside), so that `wandb sync` yields one run, nothing twice and nothing missing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from coatlab.tracking.session import is_offline, open_run, say

# of a record, what tables need besides the config
FACTS = ("status", "error", "studies", "cost", "attention", "final", "timings", "code", "hardware", "attempts")


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
            say(f"W&B is gone ({type(error).__name__}); the record goes on, and the next start replays it")

    def finish(self, final: Mapping[str, Any], exit_code: int, record: Mapping[str, Any] | None = None) -> None:
        """Close the W&B run, with the final measures and, as `record`, what tables need in its summary."""
        try:
            if not self.lost:
                facts = {key: record[key] for key in FACTS if key in record} if record else {}
                self._run.summary.update({**final, "record": facts} if facts else dict(final))
            self._run.finish(exit_code=exit_code)
        except Exception as error:
            say(f"W&B could not be closed ({type(error).__name__}); its files stay in the run folder")

    def finalize(self, status: str) -> None:
        """Do nothing: `finish` ends the run, after the final measures."""

    def entry(self) -> dict[str, Any]:
        """Return what the record says of the tracker."""
        offline = is_offline(self._run)
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
    run = open_run(settings, folder=folder, id=fingerprint, job_type="train", group=config.get("study"), config=config)
    if run is None:
        return None
    mirror = WandbMirror(run)
    first = 0 if is_offline(run) else run.starting_step
    for row in rows:
        if row["step"] >= first:
            mirror.log_metrics({k: v for k, v in row.items() if k != "step" and v is not None}, step=row["step"])
    return mirror
