"""Specs for tests: of real words, or with nothing in them but what a launcher looks at."""

from pathlib import Path

from coatlab.config.compose import compose
from coatlab.runs.spec import Spec, make_spec


def spec_of(*words: str) -> Spec:
    return make_spec(compose(list(words)), words)


def bare(folder: Path | str, words: tuple[str, ...] = (), epochs: int = 1, donor: Spec | None = None) -> Spec:
    """A spec whose fingerprint is its folder's name."""
    config = {"trainer": {"max_epochs": epochs, "threads": 1}}
    return Spec(words, config, Path(folder).name, Path(folder), donor)
