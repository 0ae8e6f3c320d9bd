"""Values and words are read by Hydra as they were meant."""

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from coatlab.config.words import as_typed, flatten, word, written


@pytest.mark.parametrize("value", [None, True, False, 3, 0.5, "text", [1, [2, 3]], {"a": None, "b": {"c": [True]}}])
def test_a_written_value_is_read_back(value: Any) -> None:
    assert OverridesParser.create().parse_override(f"key={written(value)}").value() == value


@pytest.mark.parametrize(
    "text", ["plain", "5", "null", "true", "a b", "a,b", "it's", "/tmp/[x]", "train-{0..9}.tar", ""]
)
def test_a_word_gives_its_key_exactly_this_text(text: str) -> None:
    assert OverridesParser.create().parse_override(word("key", text)).value() == text


def test_quotes_stand_only_where_they_are_needed() -> None:
    assert word("paths.runs", "/tmp/runs") == "paths.runs=/tmp/runs"
    assert word("paths.runs", "2024") == "paths.runs='2024'"


def test_words_in_a_config_stay_as_they_were_typed() -> None:
    words = ["data.split_seed=${seed}", "seed=3"]
    config = OmegaConf.create({"seed": 3, "task": words})
    assert list(config.task) != words  # what as_typed is for
    assert as_typed(config.task) == words


def test_nested_keys_become_dotted_ones() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [1]}}, "e": None}) == {"a.b": 1, "a.c.d": [1], "e": None}
