"""The errors that are meant for the user; `coatlab.cli` shows them as one sentence."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A setting or a file that cannot be used: the message names the key, the value and what is valid."""


class RunError(RuntimeError):
    """A run folder that cannot be used now: held by another process, not writable, of a newer schema."""


class Held(RunError):
    """A run folder that another live process is at: a sweep leaves the run to it."""


class Outdated(RunError):
    """A run folder of an older coatlab, which named runs by other rules: it is neither continued nor compared."""


class Stopped(BaseException):
    """A signal asked the run to stop, and its state is saved. A BaseException, so that it unwinds Lightning."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(f"stopped by signal {signal_number}")

    @property
    def exit_code(self) -> int:
        """Return the shell's convention for a process that a signal ended."""
        return 128 + self.signal_number


def not_one_of(key: str, value: object, valid: Iterable[object]) -> InputError:
    """Build the sentence for a value outside a closed list, with the nearest valid one as a hint."""
    return InputError(f"{key}={value} does not exist{_hint(value, valid)}")


def not_one_of_keys(key: str, valid: Iterable[str]) -> InputError:
    """Build the sentence for a key that does not exist, with the nearest one as a hint."""
    return InputError(f"the key {key} does not exist{_hint(key, valid)}")


def _hint(value: object, valid: Iterable[object]) -> str:
    choices = [str(choice) for choice in valid]
    near = difflib.get_close_matches(str(value), choices, n=1)
    return (f" (did you mean {near[0]}?)" if near else "") + f"; valid: {', '.join(choices)}"
