"""Text for people: on one line, and durations in words."""

from unicodedata import category


def line(text: str) -> str:
    """Put text on one line, without control characters."""
    return " ".join("".join(letter if category(letter)[0] != "C" else " " for letter in text).split())


def one_line(error: object) -> str:
    """Return the message of an error, or anything else that reads as text, on one line."""
    return line(str(error))


def duration(seconds: float) -> str:
    """Write seconds as a person says them, in two units at most."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
