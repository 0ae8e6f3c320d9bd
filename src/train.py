"""Train one stacking of convolution and attention, or skip it if it is done, or go on where it stopped.

    python src/train.py layout=CCTT attention=relative
    python src/train.py --help
"""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from coatlab.checks import check
from coatlab.configs import resolve
from coatlab.errors import RunError, one_sentence_errors
from coatlab.run import open_run
from coatlab.summary import show


@hydra.main(version_base="1.3", config_path="../conf", config_name="train")
def train(composed: DictConfig) -> float | None:
    """Run the composed config and return its evaluation accuracy, as Hydra's sweepers expect."""
    config = resolve(composed)
    check(config)
    with open_run(config, overrides=HydraConfig.get().overrides.task) as run:
        if run.record["status"] == "diverged":
            raise RunError(f"{run.folder} diverged before: {run.record['error']}; delete the folder to train it again")
        if run.finished:
            show(run.record, run.folder, title="already complete")
            return run.score
        from coatlab.fit import fit  # torch is imported only where there is something to train

        fit(run)
        show(run.record, run.folder, title="complete")
        return run.score


def main() -> None:
    """Run the command line; errors meant for the user are one sentence and exit code 1."""
    with one_sentence_errors():
        train()


if __name__ == "__main__":
    main()
