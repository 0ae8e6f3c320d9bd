"""The errors that are meant for the user; `coatlab.cli` shows them as one sentence."""

import difflib
from collections.abc import Iterable, Sequence

ALIKE = 0.7  # of difflib: a hint that is wrong is worse than none


class InputError(ValueError):
    """A setting or a file that cannot be used: the message names the key, the value and what is valid."""


class RunError(RuntimeError):
    """A run folder that cannot be used now: held by another process, not writable, of a newer schema."""


class Held(RunError):
    """A run folder that another live process holds: a sweep leaves the run to that process."""


class Outdated(RunError):
    """A run folder written by an older coatlab, which named runs differently: it is neither resumed nor compared."""


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
    choices = [str(choice) for choice in valid]
    near = difflib.get_close_matches(str(value), choices, n=1, cutoff=ALIKE)
    return InputError(f"{key}={value} does not exist{_hint(near)}; valid: {', '.join(choices)}")


def not_one_of_keys(key: str, valid: Iterable[str], where: str = "", elsewhere: Sequence[str] = ()) -> InputError:
    """Build the sentence for a key that does not exist, with the nearest one as a hint.

    Args:
        key: what was asked for.
        valid: the keys that stand where it would.
        where: added to the sentence, as in " with attention=relative".
        elsewhere: keys that have its name, or mean the same, in another place: the hint where no key here is near.
    """
    keys = list(valid)
    node, _, name = key.rpartition(" ")[2].rpartition(".")  # of `--allow data.batchsize`, too
    close = difflib.get_close_matches(name, [entry.rpartition(".")[2] for entry in keys], n=1, cutoff=ALIKE)
    alike = [entry for entry in keys if entry.rpartition(".")[2] in close]
    near = [entry for entry in alike if entry.rpartition(".")[0] == node] or elsewhere or alike[:3]
    return InputError(f"the key {key} does not exist{where}{_hint(near)}; valid: {', '.join(keys)}")


def _hint(near: Sequence[str]) -> str:
    return f" (did you mean {' or '.join(near)}?)" if near else ""
