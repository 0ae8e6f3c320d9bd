"""CITATION.cff has what version 1.2.0 of the format requires, and agrees with pyproject.toml; the licence is MIT."""

import tomllib
from typing import Any

import pytest
from omegaconf import OmegaConf

from tests.support.commandline import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
PERSON, ENTITY = {"family-names", "given-names"}, {"name"}


@pytest.fixture
def citation() -> dict[str, Any]:
    found = OmegaConf.to_container(OmegaConf.load(REPOSITORY / "CITATION.cff"))
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def test_the_citation_has_every_required_key(citation: dict[str, Any]) -> None:
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["type"] == "software"
    for work in (citation, *citation["references"]):
        assert work["authors"]
        assert all(set(author) in (PERSON, ENTITY) for author in work["authors"])
        assert {"type", "title", "authors"} <= work.keys()


def test_it_agrees_with_the_package(citation: dict[str, Any]) -> None:
    assert (citation["title"], citation["version"]) == (PROJECT["name"], PROJECT["version"])
    assert citation["license"] == PROJECT["license"] == "MIT"
    assert " ".join(citation["abstract"].split()) == PROJECT["description"]
    (owner,) = citation["authors"]
    assert PROJECT["license-files"] == ["LICENSE"]
    assert (REPOSITORY / "LICENSE").read_text().startswith(f"MIT License\n\nCopyright (c) 2026 {owner['name']}\n")


def test_it_cites_the_paper(citation: dict[str, Any]) -> None:
    (paper,) = citation["references"]
    assert paper["title"] == "CoAtNet: Marrying Convolution and Attention for All Data Sizes"
    assert [author["family-names"] for author in paper["authors"]] == ["Dai", "Liu", "Le", "Tan"]
    assert "2106.04803" in paper["url"]
    assert paper["url"] in (REPOSITORY / "README.md").read_text()
