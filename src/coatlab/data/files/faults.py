"""What is wrong with single images of a data set: names and reasons, how they are listed, and if they end a run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from coatlab.errors import InputError

NAMED = 5  # images that a message lists at most


@dataclass(frozen=True)
class Fault:
    """An image that cannot be used: the path by which a person finds it, and what is wrong with it."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} {self.reason}"


def refuse_faults(faults: Sequence[Fault], on_corrupt: str) -> None:
    """End with the images that cannot be used, unless they are left out.

    Args:
        faults: what a look at the files has found.
        on_corrupt: `data.on_corrupt`: stop or skip.

    Raises:
        InputError: it is stop, and there are faults.
    """
    if faults and on_corrupt == "stop":
        raise InputError(
            f"{listed([str(fault) for fault in faults])}; replace or remove it, or leave such images out with "
            "data.on_corrupt=skip"
        )


def listed(found: Sequence[str]) -> str:
    """Join the first few, and say how many more there are."""
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


def printable(path: str | bytes | os.PathLike[str]) -> str:
    r"""Return a path as text that every file and terminal takes: bytes that are not UTF-8 are written as `\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def why(error: OSError) -> str:
    """Return what the system says of an error, without the path and the number."""
    return error.strerror or str(error) or type(error).__name__
