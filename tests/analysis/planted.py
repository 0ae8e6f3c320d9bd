"""Runs with planted effects and noise: what a study leaves behind, without training it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tests.support.made_runs import config_of

LAYOUTS = {"CCCC": 0.815, "CCCT": 0.813, "CCTT": 0.805, "CTTT": 0.79, "ViT_REL": 0.72}


def frames(
    effects: Mapping[str, float] = LAYOUTS, seeds: int = 3, noise: float = 0.004, draw: int = 0, epochs: int = 10
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs and histories whose accuracy is the effect of the layout, one of the seed, and noise of the run.

    The training loss falls in a straight line from 2 to 0.1 and the accuracy is straight in the loss, so that the
    accuracy at matched training loss is the final one.
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
                    "seed": seed,
                    "covering": "",
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
