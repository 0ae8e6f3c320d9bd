"""Train one stacking of convolution and attention, or skip it if it is done, or go on where it stopped.

python src/train.py layout=CCTT attention=relative
python src/train.py --help
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from coatlab import donor
from coatlab.checks import check
from coatlab.cli import one_sentence_errors
from coatlab.configs import resolve
from coatlab.content import with_content
from coatlab.errors import RunError
from coatlab.follow import follow
from coatlab.ranks import place
from coatlab.run import open_run
from coatlab.summary import show


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def train(composed: DictConfig) -> float | None:
    """Run the composed config and return its evaluation accuracy, as Hydra's sweepers expect."""
    # in a sweep an error is Hydra's to collect, so that one failing cell does not stop the others
    alone = HydraConfig.get().mode == RunMode.RUN
    with one_sentence_errors() if alone else nullcontext():
        return run(composed)


def run(composed: DictConfig) -> float | None:
    """Skip, resume or train one run, and before it the run that it starts from, if that is described and not there."""
    config, words = with_content(resolve(composed)), HydraConfig.get().overrides.task
    check(config)
    if config["init"]["name"] == "finetune":
        if config["init"]["pretrain"] and not config["init"]["run"] and not donor.exists(config):
            first = donor.described(config)
            check(first)
            run_one(first, donor.pretraining(config))
        config = donor.named(config, donor.find(config))
    return run_one(config, words)


def run_one(config: dict[str, Any], words: Sequence[str]) -> float | None:
    """Skip, resume or train one run of a resolved config."""
    here = place()
    if here.rank:
        follow(config, str(here.launch))
        return None
    with open_run(config, overrides=words) as opened:
        if opened.record["status"] == "diverged":
            raise RunError(f"{opened.folder} diverged: {opened.record['error']}; delete the folder to train it again")
        if opened.finished:
            show(opened.record, opened.folder, title="already complete")
            return opened.score
        from coatlab.fit import fit  # torch is imported only where there is something to train

        fit(opened)
        show(opened.record, opened.folder, title="complete")
        return opened.score


def main() -> None:
    """Run the command line; errors meant for the user are one sentence and exit code 1."""
    with one_sentence_errors():
        train()


if __name__ == "__main__":
    main()
