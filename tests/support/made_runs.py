"""Make run folders like those of a training, but without training: records and metrics with known numbers.

`python -m tests.support.made_runs FOLDER RUNS EPOCHS` makes many of them, to see how fast they are loaded.
"""

import copy
import json
import random
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from coatlab.config.compose import compose, resolve
from coatlab.config.files import choices
from coatlab.config.words import written
from coatlab.runs.donor import NETWORK
from coatlab.runs.identity import fingerprint, folder_name
from coatlab.runs.record import SCHEMA
from coatlab.sweep.expand import expand

MEASURES = ("train/loss", "train/accuracy", "eval/loss", "eval/accuracy", "train_eval/loss", "train_eval/accuracy")


@cache
def _composed(words: tuple[str, ...]) -> DictConfig:
    return compose(list(words))


@cache
def _resolved(words: tuple[str, ...], seed: int = 0) -> dict[str, Any]:
    composed = _composed(words).copy()
    composed.seed = seed  # before what follows it is resolved
    return resolve(composed)


def config_of(*words: str, seed: int = 0, study: str | None = "layouts") -> dict[str, Any]:
    return copy.deepcopy(_resolved(words, seed)) | {"study": study}


def make_run(
    runs: Path,
    *words: str,
    seed: int = 0,
    study: str | None = "layouts",
    status: str = "complete",
    accuracy: float = 0.8,
    loss: float | None = None,
    epochs: int = 3,
    donor: str | None = None,
    **entries: Any,
) -> Path:
    """Write one run folder and return its path; `loss` is its final training loss; `entries` replace the record's."""
    config = config_of(*words, seed=seed, study=study)
    if donor:
        config["init"]["donor"] = donor
    rows = metrics(epochs, random.Random(seed))
    last = rows[-1] if rows else {}
    last |= {} if loss is None else {"train_eval/loss": loss}
    final = {key: value for key, value in last.items() if key != "step"}
    final |= {"eval/accuracy": accuracy, "test/loss": 0.6, "test/accuracy": accuracy - 0.01, "step": 10 * epochs}
    letters = config["layout"]["stages"]
    local = config["attention"]["name"] in ("window", "neighborhood") and "T" in letters
    record = {
        "schema": SCHEMA,
        "status": status,
        "fingerprint": fingerprint(config),
        "studies": [study] if study else [],
        "config": config,
        "cost": {"parameters": 410_000, "macs": 6_600_000, "activations": 1_700_000},
        "attention": {"S4": {"grid": [2, 2], "field": [2, 2], "reach": "covering" if local else "global"}},
        "final": final if status == "complete" else {},
        "timings": {"seconds": 12.5, "attempts": 1} if status == "complete" else {},
        "tracker": {"name": "none"},
        "attempts": [{"status": status}],
        "error": None if status == "complete" else "ZeroDivisionError: a | b",
        "code": {"version": "0.1.0", "commit": "a" * 40, "dirty": False},
        "hardware": {"cpu": "a processor", "cores": 2, "host": "here", "device": "cpu", "gpu": None},
    } | entries
    folder = runs / folder_name(config)
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def make_study(runs: Path, study: str, *words: str, seeds: int = 1) -> list[Path]:
    """Write the run folders that the sweep of a study leaves, with the pre-trainings; return them, each once."""
    folders: dict[str, Path] = {}

    def once(cell: Sequence[str], seed: int, donor: str | None = None) -> str:
        """Write a run unless it is there; return its fingerprint."""
        config = config_of(*cell, seed=seed, study=study)
        config["init"] |= {"donor": donor} if donor else {}
        mark = fingerprint(config)
        if mark not in folders:
            folders[mark] = make_run(runs, *cell, seed=seed, study=study, donor=donor)
        return mark

    for cell, before in cells_of(study, *words):
        for seed in range(seeds):
            once(cell, seed, once(before, seed) if before else None)
    return list(folders.values())


def cells_of(study: str, *words: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the words of each cell of a study's sweep, and those of the pre-training before it, if it has one."""
    sweeper = compose([f"sweep={study}"], hydra_too=True).hydra.sweeper
    for cell in expand(sweeper, list(words), OverridesParser.create()):
        own = [f"sweep={study}", *cell]
        init = OmegaConf.to_container(_composed(tuple(own)).init)  # not resolved: a value may follow the seed
        assert isinstance(init, dict)
        before = init.get("pretrain") if init["name"] == "finetune" else None
        network = [word for word in cell if word.partition("=")[0].partition(".")[0] in NETWORK]
        yield own, [*network, *(f"{key}={written(value)}" for key, value in before.items())] if before else []


def metrics(epochs: int, numbers: random.Random) -> list[dict[str, Any]]:
    """Return rows with ten steps per epoch; a training loss is logged at the last step of every other epoch."""
    rows: list[dict[str, Any]] = []
    for epoch in range(1, epochs + 1):
        step = 10 * epoch
        if epoch % 2:
            rows.append({"step": step, "train/step_loss": numbers.random(), "lr": 0.003})
        row = {"step": step, "epoch": epoch, **{key: numbers.random() for key in MEASURES}}
        rows.append(row | {"gap": 0.1, "lr": 0.001, "images_per_second": 900.5, "peak_memory_mb": 1293.9})
    return rows


def main(words: Sequence[str]) -> None:
    runs, number, epochs = Path(words[0]), int(words[1]), int(words[2])
    layouts = choices("layout")
    for i in range(number):
        make_run(runs, f"layout={layouts[i % len(layouts)]}", seed=i // len(layouts), epochs=epochs)


if __name__ == "__main__":
    main(sys.argv[1:])
