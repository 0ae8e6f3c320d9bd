"""The words of a benchmark's runs: its usual ones, those of the user in their places, and those that it fixes."""

from collections.abc import Sequence

from coatlab.config.typed.overrides import check_overrides, key_of, with_defaults
from coatlab.config.typed.reading import read
from coatlab.errors import InputError


def benchmark_words(
    usual: Sequence[str], typed: Sequence[str], always: Sequence[str] = (), own: Sequence[str] = ()
) -> list[str]:
    """Put the words of a benchmark's runs together.

    Args:
        usual: words that typed ones replace. Those of a group (`data.image_size=224`) stand for the choice that they
            come with (`data=imagenet`): another choice that is typed leaves them out.
        typed: by the user.
        always: words of the benchmark's own.
        own: keys that it gives every run a value of, `seed` for instance.

    Raises:
        InputError: a typed word cannot be read, stands twice, or is for a key of the benchmark's own.
    """
    overrides = check_overrides(typed)
    fixed = {key_of(word): f"it always has {word.input_line}" for word in read(always)}
    fixed |= dict.fromkeys(own, "it gives every run its own")
    for override in overrides:
        if why := fixed.get(key_of(override)):
            raise InputError(f"{override.input_line} has no effect in this benchmark: {why}; leave it out")
    keys = [key_of(word) for word in read(usual)]
    anew = {key_of(override) for override in overrides}.intersection(keys)
    kept = [word for word, key in zip(usual, keys, strict=True) if key.partition(".")[0] not in anew]
    return [*with_defaults(kept, typed), *always]
