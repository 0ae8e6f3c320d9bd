"""How long a run will take, judged by the records of similar runs on this machine.

Similar: the same experiment with another seed, evaluated as often; else the same network at the same resolution and
precision, scaled by the numbers of images that it trains on and evaluates. Without such a record the time is unknown.
"""

import math
import socket
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coatlab.runs.donor import NETWORK
from coatlab.runs.identity import PER_SEED, SPLIT, experiment

Expect = Callable[[Mapping[str, Any]], float | None]
EVALUATED = 0.25  # the time of evaluating an image, as a part of that of training on it; nano on a CPU


def expectation(records: Iterable[Mapping[str, Any]], host: str | None = None) -> Expect:
    """Learn from complete records how long runs take; return a function from a config to seconds, or None if unknown.

    Args:
        records: of any runs, in any state.
        host: the machine whose runs count; None: this one.
    """
    repeated, proportional = defaultdict(list), defaultdict(list)
    for record in records:
        if record["status"] != "complete" or record["attempts"][-1]["host"] != (host or socket.gethostname()):
            continue
        seconds, config = record["timings"]["seconds"], record["config"]
        repeated[_but_the_seed(config)].append(seconds)
        if work := _work(config):
            proportional[_network(config)].append(seconds / work)

    def answer(config: Mapping[str, Any]) -> float | None:
        if same := repeated.get(_but_the_seed(config)):
            return statistics.median(same)
        work, rates = _work(config), proportional.get(_network(config))
        return statistics.median(rates) * work if rates and work else None

    return answer


def _but_the_seed(config: Mapping[str, Any]) -> str:
    # it takes as long with other images
    same = [(key, value) for key, value in experiment(config).items() if key not in (*PER_SEED, SPLIT)]
    return repr((same, _evaluations(config)))


def _network(config: Mapping[str, Any]) -> str:
    parts = [
        (key, value)
        for key, value in experiment(config).items()
        if key.partition(".")[0] in NETWORK or key in ("data.image_size", "trainer.precision")
    ]
    return repr(parts)


def _work(config: Mapping[str, Any]) -> float:
    """Return how many images a run trains on, and a part of those that it evaluates; 0 if only the data set knows.

    Test images are left out: of most data sets no config says how many there are.
    """
    data = config["data"]
    size = data["train_size"] or 0
    evaluated = _evaluations(config) * (data["eval_size"] + min(data["train_eval_size"], size))
    return size * config["trainer"]["max_epochs"] + EVALUATED * evaluated if size else 0


def _evaluations(config: Mapping[str, Any]) -> int:
    """Return how often a run is evaluated; records before there was a choice have it after every epoch."""
    trainer = config["trainer"]
    data, epochs = config["data"], trainer["max_epochs"]
    seen = (data["train_size"] or math.inf) * epochs
    return -(-epochs // trainer.get("eval_every", 1)) + sum(at <= seen for at in trainer.get("eval_at") or ())
