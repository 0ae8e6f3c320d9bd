"""How long a run will take, judged by the records of similar runs on this machine.

Similar: the same experiment with another seed; else the same network at the same resolution and precision, scaled by
the number of training images seen. Without such a record the time is unknown.
"""

import socket
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coatlab.runs.donor import NETWORK
from coatlab.runs.identity import PER_SEED, experiment

Expect = Callable[[Mapping[str, Any]], float | None]


def expectation(records: Iterable[Mapping[str, Any]], host: str | None = None) -> Expect:
    """Learn from complete records how long runs take; return a function from a config to seconds, or None if unknown.

    Args:
        records: of any runs, in any state.
        host: the machine whose runs count; None: this one.
    """
    repeated, proportional = defaultdict(list), defaultdict(list)
    for record in records:
        seconds, config = record.get("timings", {}).get("seconds"), record["config"]
        trained_on = record["attempts"][-1].get("host") if record["attempts"] else None
        if record["status"] != "complete" or trained_on != (host or socket.gethostname()) or seconds is None:
            continue
        repeated[_but_the_seed(config)].append(seconds)
        if seen := _images(config):
            proportional[_network(config)].append(seconds / seen)

    def answer(config: Mapping[str, Any]) -> float | None:
        if same := repeated.get(_but_the_seed(config)):
            return statistics.median(same)
        seen, rates = _images(config), proportional.get(_network(config))
        return statistics.median(rates) * seen if rates and seen else None

    return answer


def _but_the_seed(config: Mapping[str, Any]) -> str:
    return repr([(key, value) for key, value in experiment(config).items() if key not in PER_SEED])


def _network(config: Mapping[str, Any]) -> str:
    parts = [
        (key, value)
        for key, value in experiment(config).items()
        if key.partition(".")[0] in NETWORK or key in ("data.image_size", "trainer.precision")
    ]
    return repr(parts)


def _images(config: Mapping[str, Any]) -> int:
    """Return how many training images a run sees; 0 if only the data set knows."""
    return int((config["data"].get("train_size") or 0) * config["trainer"]["max_epochs"])
