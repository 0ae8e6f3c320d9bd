"""Text for people: text on one line, and durations in words."""

from unicodedata import category


def line(text: str) -> str:
    """Put text on one line, without control characters."""
    return " ".join("".join(letter if category(letter)[0] != "C" else " " for letter in text).split())


def duration(seconds: float) -> str:
    """Write seconds as a person says them, as in `2 h 5 min`; with at most two units."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
