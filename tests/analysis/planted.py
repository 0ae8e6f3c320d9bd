"""Runs with planted effects and noise: what a study leaves behind, without training it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tests.support.made_runs import config_of

LAYOUTS = {"CCCC": 0.815, "CCCT": 0.813, "CCTT": 0.805, "CTTT": 0.79, "ViT_REL": 0.72}
BUDGETS = {4: 0.4, 12: 0.1, 36: 0.005}  # epochs: final training loss
SLOPE = 0.01  # accuracy per unit of the loss's logarithm, of finished trainings


def frames(
    effects: Mapping[str, float] = LAYOUTS, seeds: int = 3, noise: float = 0.004, draw: int = 0, epochs: int = 10
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs and histories whose accuracy is the effect of the layout, one of the seed, and noise of the run.

    The training loss falls in a straight line from 2 to 0.1 and the accuracy is straight in the loss.
    """
    generator = np.random.default_rng(draw)
    of_seed = generator.normal(0, noise, seeds)
    runs, rows = [], []
    for place, (name, effect) in enumerate(effects.items()):
        for seed in range(seeds):
            accuracy = effect + of_seed[seed] + generator.normal(0, noise)
            fingerprint = f"{name}-{seed}"
            losses = np.linspace(2, 0.1, epochs)
            for epoch, loss in enumerate(losses, start=1):
                point = {"train_eval/loss": loss, "eval/accuracy": accuracy * (2.1 - loss) / 2}
                rows.append({"fingerprint": fingerprint, "step": 16 * epoch, "epoch": epoch, **point})
            runs.append(
                {
                    "fingerprint": fingerprint,
                    "run": fingerprint,
                    "status": "complete",
                    "config": config_of(f"layout={name}", seed=seed),
                    "layout.name": name,
                    "attention": "none" if name == "CCCC" else "relative",
                    "data.name": "fashion_mnist",
                    "data.train_size": 1000,
                    "data.batch_size": 64,
                    "data.num_classes": 10,
                    "trainer.max_epochs": epochs,
                    "seed": seed,
                    "covering": "",
                    "rates": "shared",
                    **dict.fromkeys(("code", "device", "cpu", "gpu", "precision"), "one"),
                    "train_eval/loss": 0.1,
                    "train_eval/accuracy": 0.98,
                    "eval/accuracy": accuracy,
                    "test/accuracy": accuracy - 0.01,
                    "gap": 0.98 - accuracy,
                    "parameters": 400_000 + 1000 * place,
                    "macs": 6_000_000 + 300_000 * place,
                    "images_per_second": 1500.0 + 250 * place,
                }
            )
    return pd.DataFrame(runs).set_index("fingerprint"), pd.DataFrame(rows)


def budgeted(
    runs: pd.DataFrame, budgets: Mapping[int, float] = BUDGETS, noise: float = 0.0, draw: int = 0
) -> pd.DataFrame:
    """Return runs under several budgets in place of each run, with the final training loss of each budget.

    Accuracies are straight in the logarithm of the loss, and those of `runs` at a loss of 0.1.

    Args:
        runs: as `frames` returns them.
        budgets: final training losses by epochs.
        noise: standard deviation of the loss's logarithm, and a hundredth of it of accuracies.
        draw: which noise.
    """
    generator = np.random.default_rng(draw)
    made = []
    for epochs, loss in budgets.items():
        logs = np.log(loss) + generator.normal(0, noise, len(runs))
        gain = -SLOPE * (logs - np.log(0.1)) + generator.normal(0, noise / 100, len(runs))
        configs = [one | {"trainer": one["trainer"] | {"max_epochs": epochs}} for one in runs["config"]]
        one = runs.assign(config=configs, **{"trainer.max_epochs": epochs, "train_eval/loss": np.exp(logs)})
        one = one.assign(**{key: runs[key] + gain for key in ("eval/accuracy", "test/accuracy")})
        made.append(one.assign(gap=0.98 - one["eval/accuracy"]).rename(index=lambda mark, n=epochs: f"{mark}-{n}"))
    return pd.concat(made)
