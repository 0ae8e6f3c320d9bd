"""Every design of analysis/studies compares what its sweep has, and its figures exist."""

from importlib import import_module

import pytest
from omegaconf import DictConfig, OmegaConf

from analysis.compare.design import Design
from coatlab.config.compose import compose
from tests.support.commandline import REPOSITORY

STUDIES = sorted(path.stem for path in (REPOSITORY / "analysis" / "studies").glob("[a-z]*.py"))


def has(config: DictConfig, key: str) -> bool:
    node, _, last = key.rpartition(".")
    return last in (OmegaConf.select(config, node) if node else config)


@pytest.mark.parametrize("study", STUDIES)
def test_a_design_compares_what_its_sweep_has(study: str) -> None:
    design, config = import_module(f"analysis.studies.{study}").DESIGN, compose([f"sweep={study}"])
    assert isinstance(design, Design)
    assert config.study == study
    assert not [key for key in (*design.factors, *design.panels) if not has(config, key)]
    assert design.lead in ("layout", "attention")


@pytest.mark.parametrize("study", STUDIES)
def test_the_figures_of_a_design_exist(study: str) -> None:
    figures = import_module(f"analysis.studies.{study}").DESIGN.figures
    assert figures
    for figure in figures:
        assert callable(import_module(f"analysis.figures.{figure}").draw)
