"""Mirror metrics.jsonl to Weights & Biases through Lightning's logger. No failure of W&B stops a training.

The id of the W&B run is the fingerprint, so that a resumed run continues its W&B run. Every row has its step. When a
run is resumed, rows are sent again ("replayed"): online, from the step that the server has reached; offline, all of
them, into a new folder of W&B's (a "segment"), while older segments are set aside. `wandb sync` thus makes one run of
them, in which no row is missing or doubled.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from coatlab.tracking.session import is_offline, open_session, say

# the entries of a record that tables need in addition to the config
FACTS = (
    "status", "error", "studies", "cost", "attention", "final", "timings", "code", "hardware", "attempts", "recipe"
)  # fmt: skip


class WandbMirror(WandbLogger):
    """A logger for a W&B run that may be lost at any moment; `lost` tells whether it was."""

    def __init__(self, run: Any) -> None:
        super().__init__(experiment=run, project=run.project, dir=run.dir)
        self._run = run
        self.lost = False

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config was sent when the run was opened."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send one row, unless the mirror is lost; its loss is reported once."""
        if self.lost:
            return
        try:
            self._run.log(dict(metrics), step=step)
        except Exception as error:  # W&B's process has died; all rows are in metrics.jsonl
            self.lost = True
            say(
                f"W&B has stopped ({type(error).__name__}); metrics are still recorded in the run folder, "
                "and sent to W&B when the run is resumed"
            )

    def finish(self, final: Mapping[str, Any], exit_code: int, record: Mapping[str, Any] | None = None) -> None:
        """Close the W&B run; its summary gets the final measures and those entries of the record that tables need."""
        try:
            if not self.lost:
                facts = {key: record[key] for key in FACTS if key in record} if record else {}
                self._run.summary.update({**final, "record": facts} if facts else dict(final))
            self._run.finish(exit_code=exit_code)
        except Exception as error:
            say(f"W&B could not be closed ({type(error).__name__}); its files stay in the run folder")

    def finalize(self, status: str) -> None:
        """Do nothing: `finish` closes the W&B run, after the final measures."""

    def entry(self) -> dict[str, Any]:
        """Return the tracker's entry for the record."""
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
    """Open the W&B run of a run and replay its rows; return None if W&B cannot be used at all.

    Args:
        settings: mode, project, entity and group, as in conf/tracker/wandb.yaml.
        folder: the run folder, whose name the W&B run gets.
        fingerprint: the id of the W&B run.
        config: the run's resolved config.
        rows: the rows of metrics.jsonl so far.
    """
    group = config.get("study")
    run = open_session(settings, folder=folder, id=fingerprint, job_type="train", group=group, config=config)
    if run is None:
        return None
    mirror = WandbMirror(run)
    first = 0 if is_offline(run) else run.starting_step
    for row in rows:
        if row["step"] >= first:
            mirror.log_metrics({k: v for k, v in row.items() if k != "step" and v is not None}, step=row["step"])
    return mirror
