"""The paper's numbers: each quote finds one cell of the CSVs and stands beside the right rows of what a sweep runs."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pandas as pd
import pytest

from analysis.claims.claim import load_claims
from analysis.paper.quotes import PAPER, Quote, notes_on_absent
from analysis.studies.stage_depth import VARIANTS
from coatlab.config.compose import compose, resolve
from coatlab.runs.identity import experiment
from tests.analysis.command import STUDIES
from tests.support.made_runs import cells_of


def quotes(study: str) -> tuple[Quote, ...]:
    return import_module(f"analysis.studies.{study}").DESIGN.paper


def test_every_accuracy_of_the_tables_is_quoted_and_no_study_quotes_one_twice() -> None:
    found = {
        study: [
            (quote.file, round(quote.value(number) * quote.per, 6), tuple(number.where.items()), number.column)
            for quote in quotes(study)
            for number in quote.numbers
        ]
        for study in STUDIES
    }
    for own in found.values():
        assert len(set(own)) == len(own)
    quoted = sorted((file, value) for file, value, *_ in set().union(*found.values()))
    columns = {
        "table2": ["CCTT", "CTTT"],
        "table6": ["with_relative", "without_relative"],
        "table7": ["pretrain_precision_at_1", "top1"],
        "table8": ["top1"],
        "table9": ["top1", "gmacs"],
    }
    printed = sorted(
        (file, round(float(value), 6))
        for file, names in columns.items()
        for value in pd.read_csv(PAPER / f"{file}.csv")[names].stack().dropna()
    )
    assert [one for one in quoted if one[0] in columns] == printed


def test_a_quote_names_its_table_and_no_other_has_its_title() -> None:
    for study in STUDIES:
        titles = [quote.title for quote in quotes(study)]
        assert len(set(titles)) == len(titles)
        for quote in quotes(study):
            assert quote.says.startswith(f"Table {quote.file.removeprefix('table')}, ")


def test_the_variants_are_those_of_the_claim() -> None:
    (claim,) = [claim for claim in load_claims("stage_depth") if claim.key == "S"]
    named = {"-".join(map(str, blocks)): name for name, both in VARIANTS.items() for blocks in both}
    assert named == claim.called


def rows_of(study: str, *words: str) -> Iterator[dict[str, Any]]:
    """Compose the cells that a sweep runs, and the pre-trainings before them, as facts of rows."""
    for cell, before in cells_of(study, *words):
        first = resolve(compose(before)) if before else None
        yield experiment(resolve(compose(cell))) | {"init.data": first["data"]["name"] if first else None}
        if first:
            yield experiment(first)


V = {"V0", "V1", "V2"}
TWO = {"CCTT", "CTTT"}
BOTH = {"relative", "absolute"}
DETAILS = {"default (head 32 and BatchNorm)", "head size 64", "LayerNorm in MBConv"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "words", "beside"),
    [
        ("transfer", (), {"paper, JFT": TWO, "paper, 224 px": TWO, "paper, 384 px": TWO}),
        ("relative", (), {"paper, 224 px": BOTH, "paper, ImageNet-21K": BOTH, "paper, 21K to 1K, 384 px": BOTH}),
        ("stage_depth", (), {"paper, 1K": V}),
        ("stage_depth", ("size=coatnet_2", "data.image_size=224"), {"paper, 1K": V}),
        ("stage_depth", ("size=coatnet_3", "data.image_size=224"), {}),
        ("stage_depth", ("size=coatnet_3", "data.image_size=224", "data=fractals"), {"paper, 21K": {"V0", "V1"}}),
        (
            "details",
            (),
            {
                "paper, Table 8": DETAILS,
                "paper, Table 9": {"CoAtNet-0 expand_conv", "CoAtNet-0 depthwise_conv"},
            },
        ),
        (
            "details",
            ("size=coatnet_2", "data.image_size=224"),
            {
                "paper, Table 8": DETAILS,
                "paper, Table 9": {"CoAtNet-2 expand_conv", "CoAtNet-2 depthwise_conv"},
            },
        ),
    ],
)
def test_the_cells_of_a_sweep_stand_beside_the_papers_rows(
    study: str, words: tuple[str, ...], beside: dict[str, set[str]]
) -> None:
    rows = list(rows_of(study, *words))
    for quote in quotes(study):
        found = [{one.name for one in quote.numbers if quote.beside(one, row)} for row in rows]
        assert all(len(names) <= 1 for names in found)  # a row has one number of a quote, or none
        told = "paper, Table 9" if quote.title == "paper's MACs (M)" else quote.title
        assert set().union(*found) == beside.get(told, set())
        named = " ".join(notes_on_absent([quote], rows))
        for one in quote.numbers:
            assert (f"{one.name} {quote.value(one):{quote.form}}" in named) == (one.name not in beside.get(told, set()))
