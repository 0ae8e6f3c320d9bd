"""Orderings as the paper writes them, split into relations: `CCCC ≈ CCCT >= CCTT` is CCCC ≈ CCCT and CCCT >= CCTT.

Only neighbours are related: what a chain says about names that are further apart follows from these relations.
"""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from coatlab.errors import InputError

ABOUT, AT_LEAST, ABOVE, FAR_ABOVE = "≈", ">=", ">", ">>"
SIGNS = (ABOUT, AT_LEAST, ABOVE, FAR_ABOVE)
SPELLINGS = {"~=": ABOUT, "≥": AT_LEAST, "≫": FAR_ABOVE}
_SIGN = re.compile(r"\s(" + "|".join(re.escape(sign) for sign in (*SIGNS, *SPELLINGS)) + r")\s")


@dataclass(frozen=True)
class Relation:
    """Two names and the sign between them; left is said to be the better one."""

    left: str
    sign: str
    right: str

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right}"


def parse(ordering: str) -> list[Relation]:
    """Split an ordering into relations, from left to right; `~=`, `≥` and `≫` are other spellings of ≈, >= and >>.

    Raises:
        InputError: fewer than two names, an unknown sign, or a name that occurs twice.
    """
    names = _SIGN.split(f"{ordering.strip()}")
    names, signs = [name.strip() for name in names[::2]], names[1::2]
    for name in names:
        if not re.fullmatch(r"[\w.+-]+", name):
            raise InputError(
                f"the ordering {ordering!r} cannot be read at {name!r}; valid: names and, between spaces, "
                f"{', '.join(SIGNS)}"
            )
    if len(names) < 2 or len(set(names)) < len(names):
        raise InputError(f"the ordering {ordering!r} needs at least two names, each once")
    pairs = itertools.pairwise(names)
    return [Relation(left, SPELLINGS.get(sign, sign), right) for (left, right), sign in zip(pairs, signs, strict=True)]


def names_of(relations: Iterable[Relation]) -> list[str]:
    """List the names in relations, in the order in which they first occur."""
    return list(dict.fromkeys(name for relation in relations for name in (relation.left, relation.right)))
