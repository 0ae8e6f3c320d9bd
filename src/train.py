"""Train one stacking of convolution and attention, or skip it if it is complete, or go on where it stopped.

python src/train.py layout=CCTT attention=relative
python src/train.py --help
"""

import os
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from coatlab.cli import one_sentence_errors
from coatlab.config.compose import closed
from coatlab.config.typed.arguments import prepared, words_of
from coatlab.config.typed.help import asks_for_help, help_text
from coatlab.config.typed.overrides import check_overrides
from coatlab.config.typed.saved import words_beside
from coatlab.config.words import as_typed
from coatlab.errors import InputError
from coatlab.output.lasting import lasting_output
from coatlab.runs.effect import check_effect, check_launcher
from coatlab.runs.spec import make_spec
from coatlab.training.entry import run, run_in_sweep


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def train(composed: DictConfig) -> float | None:
    """Run the composed config and return its accuracy on held-out images, as Hydra's sweepers expect."""
    words = as_typed(HydraConfig.get().overrides.task)
    if HydraConfig.get().mode == RunMode.RUN:
        with one_sentence_errors():
            check_overrides(words)
            if composed.sweep.dry_run:
                raise InputError("sweep.dry_run=true is for a sweep; add sweep=<study> or --multirun, or leave it out")
            config = closed(composed, HydraConfig.get())
            check_launcher(config, HydraConfig.get(), sweeps=False)
            check_effect(config, HydraConfig.get(), words)
            return run(make_spec(config, words_beside(HydraConfig.get(), words)))
    # a cell of a sweep, by a launcher of another package; our own launchers are handed its spec
    return run_in_sweep(make_spec(closed(composed, HydraConfig.get()), words))


def main() -> None:
    """Run the command line; errors meant for the user are one sentence and exit code 1."""
    with lasting_output(), one_sentence_errors():
        sys.argv[1:] = arguments = prepared(sys.argv[1:], os.environ)
        if asks_for_help(arguments):
            print(help_text(words_of(arguments)))
        else:
            train()


if __name__ == "__main__":
    main()
