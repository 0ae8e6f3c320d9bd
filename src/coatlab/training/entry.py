"""From a spec to a finished run: skip it, resume it or train it, and before it the run that it starts from."""

import sys
import traceback

from coatlab.cli import WANTS_TRACEBACK, sentence_of
from coatlab.errors import Held, RunError
from coatlab.output.text import shown
from coatlab.process.imports import large_imports
from coatlab.process.place import place
from coatlab.runs.run import open_run
from coatlab.runs.spec import Spec
from coatlab.runs.state import state_of
from coatlab.runs.summary import show_result
from coatlab.training.distributed.follower import follow


def run(spec: Spec) -> float | None:
    """Run a spec to its end, and before it its donor, unless that is complete.

    Returns:
        The final accuracy on held-out images, as Hydra's sweepers expect it; None in a process that only follows.

    Raises:
        Held: another process is already running it.
        InputError, RunError, Stopped: as `fit` has them.
    """
    if spec.config["trainer"]["fast_dev_run"]:
        _dry(spec)
        return None
    if spec.donor is not None and state_of(spec.donor.folder).name != "complete":
        _run_one(spec.donor, wait=True)  # runs that need the same donor wait for one another
    return _run_one(spec)


def _dry(spec: Spec) -> None:
    """Try a run with one batch; one that starts from another run is tried by that one, unless it is complete."""
    with large_imports():
        from coatlab.training.fit import dry_run  # torch is imported only where there is something to train

    missing = spec.donor is not None and state_of(spec.donor.folder).name != "complete"
    if missing:
        print("the run that this one starts from is not complete; it is tried instead")
    dry_run(spec.donor if missing and spec.donor else spec)


def run_in_sweep(spec: Spec) -> float | None:
    """Run a spec as one of many: an error is printed at once and raised for Hydra to collect; the others go on."""
    try:
        return run(spec)
    except Held as held:
        print(held, file=sys.stderr)  # another sweep was faster: the run is left to it
        return None
    except Exception as error:
        print(f"error: {sentence_of(error) or f'{type(error).__name__}: {error}'}", file=sys.stderr)
        if WANTS_TRACEBACK:
            traceback.print_exception(error)
        raise


def _run_one(spec: Spec, wait: bool = False) -> float | None:
    """Skip, resume or train one run. `wait`: for a process that is already running it, instead of being refused."""
    here = place()
    if here.rank:
        follow(spec.folder, str(here.launch))
        return None
    with open_run(spec, wait=wait) as opened:
        if opened.record["status"] == "diverged":
            where, why = shown(opened.folder), opened.record["error"]
            raise RunError(f"{where} diverged: {why}; delete the folder to train it again")
        if opened.finished:
            show_result(opened.record, opened.folder, title="already complete")
            return opened.score
        with large_imports():
            from coatlab.training.fit import fit  # torch is imported only where there is something to train

        fit(opened)
        show_result(opened.record, opened.folder, title="complete")
        return opened.score
