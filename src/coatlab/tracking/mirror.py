"""Mirror metrics.jsonl to Weights & Biases through Lightning's logger. No failure of W&B stops a training.

The id of the W&B run is the fingerprint, so that a resumed run continues its W&B run. Every row has its step. When a
run is resumed, rows are sent again ("replayed"): online, from the step that the server has reached; offline, all of
them, into a new folder of W&B's (a "segment"), while older segments are set aside. What W&B lacks in the end, because
it was killed, away or of another mode meanwhile, `python -m coatlab.upload` sends (repair.py).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from coatlab.runs.record import FINAL
from coatlab.tracking.bounded import within
from coatlab.tracking.content import summary_of, values_of
from coatlab.tracking.session import drop_service, is_offline, open_session, say, worded

# W&B's own limit for the end of a run is FINISH_SECONDS (session.py)
END_SECONDS, STOP_SECONDS = 25, 3


class WandbMirror(WandbLogger):
    """A logger for a W&B run that may be lost at any moment; `lost` tells whether it was."""

    def __init__(self, run: Any) -> None:
        super().__init__(experiment=run, project=run.project, dir=run.dir)
        self._run = run
        self._held: tuple[int | None, dict[str, float]] | None = None
        self.lost = False

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the config was sent when the run was opened."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send the row before this one, unless the mirror is lost; its loss is reported once.

        A row is held until the next step: the last step of an epoch is logged twice, and if the run were stopped in
        between, W&B would take nothing more for that step.
        """
        if self._held is not None and self._held[0] == step:
            self._held[1].update(metrics)
            return
        self._send_held()
        self._held = step, dict(metrics)

    def _send_held(self) -> None:
        if self.lost or self._held is None:
            return
        (step, values), self._held = self._held, None
        try:
            self._run.log(values, step=step, commit=True)
        except Exception as error:  # W&B's process has died; all rows are in metrics.jsonl
            self.lost = True
            say(
                f"W&B has stopped ({type(error).__name__}); metrics are still recorded in the run folder, "
                "and sent to W&B when the run is resumed, or by `python -m coatlab.upload`"
            )

    def finish(
        self,
        final: Mapping[str, Any],
        exit_code: int,
        record: Mapping[str, Any] | None = None,
        hurry: bool = False,
    ) -> bool:
        """Close the W&B run; its summary gets the final measures and those entries of the record that tables need.

        Args:
            final: the measures.
            exit_code: of the run, as W&B shows it.
            record: of the run.
            hurry: whether a signal has come: then W&B gets seconds only.

        Returns:
            Whether W&B has everything now, or its files have; else `python -m coatlab.upload` sends what is missing.
        """

        def end() -> None:
            if exit_code == 0 or (record or {}).get("status") in FINAL:
                self._send_held()  # else the run goes on, and with it this step
            if not self.lost:
                self._run.summary.update(summary_of(final, record or {}))
            self._run.finish(exit_code=exit_code)

        try:
            within(STOP_SECONDS if hurry else END_SECONDS, end)
        except Exception as error:
            say(
                f"W&B could not be closed ({worded(error)}); everything is in the run folder, and "
                "`python -m coatlab.upload` sends what W&B does not have"
            )
            drop_service(kill=True)
            return False
        return not self.lost

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
            "entity": self._run.entity or None,
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
    look: Callable[[], object] = lambda: None,
) -> WandbMirror | None:
    """Open the W&B run of a run and replay its rows; return None if W&B cannot be used at all.

    Args:
        settings: mode, project, entity and group, as in conf/tracker/wandb.yaml.
        folder: the run folder, whose name the W&B run gets.
        fingerprint: the id of the W&B run.
        config: the run's resolved config.
        rows: the rows of metrics.jsonl so far.
        look: called repeatedly while W&B is waited for; may raise an exception, which ends the wait.
    """
    group = config.get("study")
    run = open_session(settings, folder=folder, id=fingerprint, job_type="train", group=group, config=config, look=look)
    if run is None or run.disabled:
        return None
    mirror = WandbMirror(run)
    first = 0 if is_offline(run) else run.starting_step
    for row in rows:
        if row["step"] >= first:
            mirror.log_metrics(values_of(row), step=row["step"])
    return mirror
