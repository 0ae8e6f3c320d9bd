"""Text for people: on one line, durations in words, and paths as they are printed."""

import os
from pathlib import Path
from unicodedata import category


def line(text: object) -> str:
    """Put a text, or the message of an error, on one line without control characters."""
    return " ".join("".join(letter if category(letter)[0] != "C" else " " for letter in str(text)).split())


def duration(seconds: float) -> str:
    """Write seconds as a person says them, as in `2 h 5 min`; with at most two units."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def shown(path: Path | str) -> str:
    """Write a path relative to the working directory if it is below it, else absolute."""
    here, path = Path.cwd(), Path(path)
    # only `..` makes it resolve links: whoever links runs/ to another disk knows it as runs/
    whole = path.resolve() if ".." in path.parts else path.absolute()
    return printable(str(whole.relative_to(here) if whole.is_relative_to(here) else whole))


def printable(name: str) -> str:
    """Replace what no output can encode: the bytes of a file name that are not UTF-8."""
    return os.fsencode(name).decode(errors="replace")
