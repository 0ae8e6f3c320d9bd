"""claims.yaml, read and checked: what is claimed about which runs, with which margins."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from analysis.claims.ordering import ABOUT, AT_LEAST, FAR_ABOVE, Relation, relations_of
from analysis.compare.finished import AT_EQUAL_LOSS
from coatlab.errors import InputError, not_one_of

CLAIMS = Path(__file__).with_name("claims.yaml")
MARGINS = {ABOUT: "about", AT_LEAST: "about", FAR_ABOVE: "far"}  # the margin without which a sign cannot be judged


Range = tuple[float, float]


@dataclass(frozen=True)
class Speaks:
    """When a scale of data and training can speak about a claim; `analysis.claims.scale` judges by it.

    Attributes:
        metric: an accuracy of the runs, whose means over seeds are looked at.
        best_between: where that of the best name must lie.
        all_above: what that of every name must exceed.
        settled: how far a difference may move over the last doubling of images; None: as far as it likes.
    """

    metric: str
    best_between: Range
    all_above: float = 0.0
    settled: float | None = None


@dataclass(frozen=True)
class Claim:
    """One entry of claims.yaml, whose first lines say what each key means; `panel` is that which it is judged by."""

    key: str
    says: str
    section: str
    ordering: list[str]
    relations: list[Relation]
    study: str
    metric: str
    names: str
    rows: Mapping[str, list[Any]]
    called: Mapping[str, str]
    better: str = "higher"
    about: float = 0.0
    far: float = 0.0
    primary: bool = False
    beside: str | None = None
    losses: Range | None = None
    speaks: Speaks | None = None
    panel: str = ""

    def rows_of(self, runs: pd.DataFrame) -> pd.Series:
        """Tell which runs the claim is about, whatever their names; a column that they lack is an InputError."""
        chosen = pd.Series(True, index=runs.index)
        for column, valid in self.rows.items():
            if column not in runs:
                raise InputError(
                    f"claim {self.key}: the runs have no column {column}; they have {', '.join(runs.columns)}"
                )
            chosen &= runs[column].isin(valid)
        return chosen


def load_claims(study: str | None = None, path: Path = CLAIMS) -> list[Claim]:
    """Read the claims about a study, or all of them.

    Raises:
        InputError: an entry has an unknown key, or lacks a key or a margin that its signs need.
    """
    return [claim for claim in _read(path, path.stat().st_mtime_ns) if study in (None, claim.study)]


@cache
def _read(path: Path, changed: int) -> list[Claim]:
    entries = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(entries, dict)
    claims = [_claim(str(key), entry) for key, entry in entries.items()]
    _check_beside(claims)
    return claims


def _check_beside(claims: Sequence[Claim]) -> None:
    known = {claim.key: claim for claim in claims}
    for claim in claims:
        if claim.beside is not None and claim.beside not in known:
            raise not_one_of(f"claim {claim.key}: beside", claim.beside, list(known))
        if claim.beside is not None and known[claim.beside].ordering != claim.ordering:
            raise InputError(f"claim {claim.key} is beside {claim.beside}, so it needs the same ordering")


def _claim(key: str, entry: dict[str, Any]) -> Claim:
    optional = {field.name: field.default for field in fields(Claim) if field.default is not MISSING}
    optional |= {"rows": {}, "called": {}}
    known = [field.name for field in fields(Claim) if field.name not in ("key", "relations", "panel")]
    for word in entry:
        if word not in known:
            raise not_one_of(f"claim {key}: key", word, known)
    for word in known:
        if word not in entry and word not in optional:
            raise InputError(f"claim {key} has no {word}; it needs {', '.join(w for w in known if w not in optional)}")
    values: dict[str, Any] = optional | entry
    if values["better"] not in ("higher", "lower"):
        raise not_one_of(f"claim {key}: better", values["better"], ("higher", "lower"))
    chains = values["ordering"] if isinstance(values["ordering"], list) else [values["ordering"]]
    relations = [relation for chain in chains for relation in relations_of(chain)]
    for sign, margin in MARGINS.items():
        if any(relation.sign == sign for relation in relations) and not values[margin] > 0:
            raise InputError(f"claim {key} has {sign} in its ordering, so it needs {margin}, a margin above 0")
    values["losses"] = _range(f"claim {key}: losses", values["losses"])
    if (values["metric"] == AT_EQUAL_LOSS) != (values["losses"] is not None):
        raise InputError(f"claim {key}: losses, a range of training losses, belong to metric={AT_EQUAL_LOSS} alone")
    values["speaks"] = _speaks(f"claim {key}: speaks", values["speaks"])
    rows = {column: valid if isinstance(valid, list) else [valid] for column, valid in values["rows"].items()}
    values |= {"section": str(values["section"]), "ordering": chains, "rows": rows}
    return Claim(key=key, relations=relations, **values)


def losses_of(runs: pd.DataFrame, study: str | None = None) -> Range | None:
    """Return the range of training losses in which claims compare some runs, or None if no claim is about all of them.

    Args:
        runs: of one regime.
        study: whose claims count; all by default.
    """
    return next((claim.losses for claim in claims_about(runs, study) if claim.losses), None)


def claims_about(runs: pd.DataFrame, study: str | None = None) -> list[Claim]:
    """Return the claims, of a study or of all, that are about all of some runs."""
    known = [claim for claim in load_claims(study) if set(claim.rows) <= set(runs.columns)]
    return [claim for claim in known if claim.rows_of(runs).all()]


def _range(what: str, given: Any) -> Range | None:
    if given is None:
        return None
    if not (isinstance(given, list) and len(given) == 2 and 0 < float(given[0]) < float(given[1])):
        raise InputError(f"{what}={given} is not valid; give two numbers above 0, the smaller one first")
    return float(given[0]), float(given[1])


def _speaks(what: str, given: Any) -> Speaks | None:
    if given is None:
        return None
    known = [field.name for field in fields(Speaks)]
    for word in given:
        if word not in known:
            raise not_one_of(f"{what}: key", word, known)
    if not {"metric", "best_between"} <= set(given):
        raise InputError(f"{what} needs metric and best_between")
    between = _range(f"{what}.best_between", given["best_between"])
    assert between
    return Speaks(**{**given, "best_between": between})
