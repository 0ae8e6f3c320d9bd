"""Train one stacking of convolution and attention, or skip it if it is done, or go on where it stopped.

python src/train.py layout=CCTT attention=relative
python src/train.py --help
"""

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from coatlab.cli import WANTS_TRACEBACK, one_sentence_errors, sentence_of
from coatlab.config.compose import closed
from coatlab.config.overrides import check_overrides
from coatlab.errors import Held, RunError
from coatlab.process.place import place
from coatlab.runs import donor
from coatlab.runs.run import open_run
from coatlab.runs.summary import show
from coatlab.training.follower import follow


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def train(composed: DictConfig) -> float | None:
    """Run the composed config and return its evaluation accuracy, as Hydra's sweepers expect."""
    if HydraConfig.get().mode == RunMode.RUN:
        with one_sentence_errors():
            return run(composed)
    # in a sweep an error is Hydra's to collect, so that one failing cell does not stop the others
    try:
        return run(composed)
    except Held as held:
        print(held, file=sys.stderr)  # another sweep was faster: the run is left to it
        return None
    except Exception as error:
        print(f"error: {sentence_of(error) or f'{type(error).__name__}: {error}'}", file=sys.stderr)
        if WANTS_TRACEBACK:
            traceback.print_exception(error)
        raise


def run(composed: DictConfig) -> float | None:
    """Skip, resume or train one run, and before it the run that it starts from, if that is described and not there."""
    words = HydraConfig.get().overrides.task
    if HydraConfig.get().mode == RunMode.RUN:  # a sweep has checked what was typed; its launcher adds words of its own
        check_overrides(words)
    config, first = donor.prepared(closed(composed, HydraConfig.get()))
    if first is not None and not donor.exists(first):
        run_one(first, donor.pretraining(config), wait=True)  # cells that need the same donor wait for one another
    if config["init"].get("pretrain_only"):
        return None
    return run_one(config, words)


def run_one(config: dict[str, Any], words: Sequence[str], wait: bool = False) -> float | None:
    """Skip, resume or train one run of a resolved config; `wait` for a process that is at it, or be refused."""
    here = place()
    if here.rank:
        follow(config, str(here.launch))
        return None
    with open_run(config, overrides=words, wait=wait) as opened:
        if opened.record["status"] == "diverged":
            raise RunError(f"{opened.folder} diverged: {opened.record['error']}; delete the folder to train it again")
        if opened.finished:
            show(opened.record, opened.folder, title="already complete")
            return opened.score
        from coatlab.training.fit import fit  # torch is imported only where there is something to train

        fit(opened)
        show(opened.record, opened.folder, title="complete")
        return opened.score


def main() -> None:
    """Run the command line; errors meant for the user are one sentence and exit code 1."""
    with one_sentence_errors():
        train()


if __name__ == "__main__":
    main()
