"""Orderings as the paper writes them, split into relations: `CCCC ≈ CCCT >= CCTT` is CCCC ≈ CCCT and CCCT >= CCTT.

A chain also says how names further apart are related: by the strongest sign between them, in the order ≈, >=, >, >>. So
it implies CCCC >= CCTT, which its two relations do not: each allows a margin, and two margins add up. `relations_of`
lists such pairs as well. What does follow from relations that are listed, as a > c from a > b and b > c, is not listed:
testing it again would only cost error.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coatlab.errors import InputError

ABOUT, AT_LEAST, ABOVE, FAR_ABOVE = "≈", ">=", ">", ">>"
SIGNS = (ABOUT, AT_LEAST, ABOVE, FAR_ABOVE)
SPELLINGS = {"~=": ABOUT, "≥": AT_LEAST, "≫": FAR_ABOVE}
_SIGN = re.compile(r"\s(" + "|".join(re.escape(sign) for sign in (*SIGNS, *SPELLINGS)) + r")\s")


@dataclass(frozen=True)
class Relation:
    """Two names and the sign between them; left is said to be the better one.

    `implied`: the ordering does not write it, since the names are further apart.
    """

    left: str
    sign: str
    right: str
    implied: bool = False

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


def relations_of(ordering: str) -> list[Relation]:
    """Split an ordering as `parse` does, and add the implied relations that do not follow from those listed.

    One follows where two relations that add up to it allow no margin: their lower limits, 0 or far, add up to its own.
    """
    written = parse(ordering)
    names = names_of(written)
    implied = []
    for apart in range(2, len(names)):
        for first in range(len(names) - apart):
            signs = [one.sign for one in written[first : first + apart]]
            follows = any(_strict(signs[:middle]) and _strict(signs[middle:]) for middle in range(1, apart))
            if not follows:
                implied.append(Relation(names[first], _strongest(signs), names[first + apart], implied=True))
    return written + implied


def _strongest(signs: Sequence[str]) -> str:
    return max(signs, key=SIGNS.index)


def _strict(signs: Sequence[str]) -> bool:
    return _strongest(signs) in (ABOVE, FAR_ABOVE)


def names_of(relations: Iterable[Relation]) -> list[str]:
    """List the names in relations, in the order in which they first occur."""
    return list(dict.fromkeys(name for relation in relations for name in (relation.left, relation.right)))
