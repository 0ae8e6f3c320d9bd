"""claims.yaml, read and checked: what is claimed about which runs, with which margins."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from analysis.claims.ordering import ABOUT, AT_LEAST, FAR_ABOVE, Relation, relations_of
from coatlab.errors import InputError, not_one_of

CLAIMS = Path(__file__).with_name("claims.yaml")
MARGINS = {ABOUT: "about", AT_LEAST: "about", FAR_ABOVE: "far"}  # the margin without which a sign cannot be judged


@dataclass(frozen=True)
class Claim:
    """One entry of claims.yaml, whose first lines say what each key means."""

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


def load_claims(study: str | None = None, path: Path = CLAIMS) -> list[Claim]:
    """Read the claims about a study, or all of them.

    Raises:
        InputError: an entry has an unknown key, or lacks a key or a margin that its signs need.
    """
    entries = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(entries, dict)
    claims = [_claim(str(key), entry) for key, entry in entries.items()]
    return [claim for claim in claims if study in (None, claim.study)]


def _claim(key: str, entry: dict[str, Any]) -> Claim:
    optional = {"better": "higher", "rows": {}, "called": {}, "about": 0.0, "far": 0.0, "primary": False}
    known = [field.name for field in fields(Claim) if field.name not in ("key", "relations")]
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
    rows = {column: valid if isinstance(valid, list) else [valid] for column, valid in values["rows"].items()}
    values |= {"section": str(values["section"]), "ordering": chains, "rows": rows}
    return Claim(key=key, relations=relations, **values)
