"""The sweeps that benchmarks start: `python src/train.py` with words that were checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coatlab.benchmark.words import benchmark_words
from coatlab.config.compose import compose, resolve
from coatlab.config.files import repository
from coatlab.config.rules import check
from coatlab.errors import InputError


@dataclass(frozen=True)
class Sweep:
    """The file to run, the words of one of the runs, and its config, resolved."""

    train: str
    words: list[str]
    config: Mapping[str, Any]


def make_sweep(usual: Sequence[str], overrides: Sequence[str], always: Sequence[str], own: Sequence[str] = ()) -> Sweep:
    """Put the words of a benchmark's runs together and check them.

    Args:
        usual: words that overrides may replace.
        overrides: of the user.
        always: words that they may not.
        own: keys that the benchmark gives every run a value of.

    Raises:
        InputError: an override is not valid, or coatlab is an installed wheel, without src/train.py.
    """
    checkout = repository()
    if checkout is None:
        raise InputError("this benchmark needs a checkout of coatlab: an installed wheel has no src/train.py")
    words = benchmark_words(usual, overrides, always, own)
    config = resolve(compose(words))
    check(config)
    return Sweep(str(checkout / "src" / "train.py"), words, config)
