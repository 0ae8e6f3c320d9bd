"""`load_run`: a trained network in Python, from its run folder or from published weights."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from coatlab.config.files import repository
from coatlab.config.places import PUBLISHED
from coatlab.config.places import folder as folder_of
from coatlab.create import network_of
from coatlab.errors import InputError
from coatlab.model.network import Network
from coatlab.output.text import line, shown
from coatlab.runs.record import read_records
from coatlab.runs.weights import SUFFIX, complete_record, published_record, read_published, read_weights

NAMED = 5  # how many of several candidates a sentence names


@dataclass(frozen=True)
class TrainedRun:
    """A complete run.

    Attributes:
        network: with the trained weights, in evaluation mode, on the CPU. It expects images (B, channels, rows,
            columns) as the run saw them: pixel values in 0..1, padded by `config["data"]["pad"]`, resized to
            `image_size` and normalized by `mean` and `std`.
        config: every setting of the run.
        record: what the run left: measures under `final`, costs under `cost`, and more (coatlab/runs/record.py).
        path: the run folder, or the published file.
    """

    network: Network
    config: dict[str, Any]
    record: dict[str, Any]
    path: Path


def load_run(run: str | os.PathLike[str], runs: str | os.PathLike[str] | None = None) -> TrainedRun:
    """Load a complete run.

    Args:
        run: a run folder, a published .safetensors file, or the beginning of the name or the fingerprint of one run.
        runs: where a run is looked for by name: first here, then in analysis/results. None: $COATLAB_RUNS, else runs/
            of the repository.

    Raises:
        InputError: a ValueError in one sentence: there is no such run, there are several, it is not complete, or its
            weights cannot be read.

    Example:
        >>> run = load_run("runs/CCTT-relative-nano-fashion_mnist-s0-03cbb5e5")  # doctest: +SKIP
        >>> run.network(images).argmax(1), run.record["final"]["test/accuracy"]  # doctest: +SKIP
    """
    path = _find(os.fspath(run), Path(runs) if runs is not None else folder_of("runs"))
    if path.suffix == SUFFIX:
        record, weights = read_published(path)
    else:
        record = complete_record(path)
        weights = read_weights(path, record["fingerprint"])
    return TrainedRun(_network(path, record["config"], weights), record["config"], record, path)


def _network(path: Path, config: dict[str, Any], weights: dict[str, Tensor]) -> Network:
    """Build the network of a config and give it its weights, in their precision.

    Raises:
        InputError: they do not belong together.
    """
    try:
        data = config["data"]
        # the classifier is the last layer of the head
        last = max((name for name in weights if name.startswith("head.")), key=lambda name: int(name.split(".")[1]))
        network = network_of(
            config,
            image_size=data["image_size"],
            num_classes=len(weights[last]),
            channels=data["channels"],
            stochastic_depth=config["recipe"]["stochastic_depth"],
        ).to(weights[last].dtype)
        network.load_state_dict(weights)
    except (KeyError, IndexError, ValueError, RuntimeError, TypeError) as error:
        raise InputError(
            f"the weights of {shown(path)} do not fit the network of its config ({line(error)}); read it with the "
            "version of coatlab that made it"
        ) from error
    return network.eval()


def _find(run: str, runs: Path) -> Path:
    path = Path(run).expanduser()
    if (path / "record.json").is_file() or (path.suffix == SUFFIX and path.is_file()):
        return path
    if path.exists() and (path.suffix == SUFFIX or len(path.parts) > 1):
        raise InputError(f"run={run} is not the folder of a run, nor a {SUFFIX} file")
    found = list(_named(run, runs)) if run else []
    if len(found) != 1:
        listed = ", ".join(one.name for one in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
        what = f"{len(found)} runs: {listed}" if found else "no run"
        raise InputError(
            f"run={run} names {what}; give a run folder, a {SUFFIX} file, or the beginning of the name or fingerprint "
            f"of one run in {shown(runs)} or {PUBLISHED}"
        )
    return found[0]


def _named(run: str, runs: Path) -> Iterator[Path]:
    """Yield the runs whose name or fingerprint begins with a text; published ones only if no run folder is meant."""
    folders = [
        folder
        for folder, record in read_records(runs)
        if folder.name.startswith(run) or record["fingerprint"].startswith(run)
    ]
    yield from folders
    here = repository()
    for path in sorted((here / PUBLISHED).glob(f"*/weights/*{SUFFIX}")) if here and not folders else []:
        if path.name.startswith(run) or published_record(path)["fingerprint"].startswith(run):
            yield path
