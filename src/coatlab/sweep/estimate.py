"""How long a run will take, from the records of runs like it on this machine.

Like it: the same experiment but for the seed; else the same network at the same resolution and precision, in
proportion to the training images seen. What no record tells stays unknown.
"""

import socket
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coatlab.runs.donor import NETWORK
from coatlab.runs.identity import experiment

Expect = Callable[[Mapping[str, Any]], float | None]


def expectation(records: Iterable[Mapping[str, Any]], host: str | None = None) -> Expect:
    """Learn from complete records how long runs take, and return what answers in seconds for a config, or None.

    Args:
        records: of any runs in any state.
        host: whose runs count; None: this machine's.
    """
    repeated, proportional = defaultdict(list), defaultdict(list)
    for record in records:
        if record["status"] != "complete" or record["attempts"][-1]["host"] != (host or socket.gethostname()):
            continue
        seconds, config = record["timings"]["seconds"], record["config"]
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
    return repr([(key, value) for key, value in experiment(config).items() if key not in ("seed", "init.donor")])


def _network(config: Mapping[str, Any]) -> str:
    parts = [
        (key, value)
        for key, value in experiment(config).items()
        if key.partition(".")[0] in NETWORK or key in ("data.image_size", "trainer.precision")
    ]
    return repr(parts)


def _images(config: Mapping[str, Any]) -> int:
    """Return how many training images a run sees; 0 where the data alone knows."""
    return int((config["data"]["train_size"] or 0) * config["trainer"]["max_epochs"])
