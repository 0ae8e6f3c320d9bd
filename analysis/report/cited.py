"""Numbers in a text that people write, each with the place that it comes from, so that none can go stale.

In the Markdown source a number stands between two comments, which no reader of the page sees; the first names a study
of the published results, then what of it, and `cite` writes the number anew:

    CCTT reaches <!--= layouts; fashion_mnist, 1,000 images; CCTT -->78.7%<!--/-->,
    <!--= layouts; G; CCTT > CTTT -->+1.4 points<!--/--> more than CTTT

The parts, with a semicolon between them, are a panel of the study's summary and a row of it, a claim and one of its
relations, or a data set and a row of the study's protocol.
"""

import difflib
import re
from collections.abc import Mapping, Sequence

from analysis.claims.standing import difference_words
from analysis.report.contents import Report
from coatlab.errors import InputError

CITATION = re.compile(r"<!--=(.*?)-->(.*?)<!--/-->", re.DOTALL)
BETWEEN = "; "


def cite(text: str, reports: Sequence[Report]) -> str:
    """Write every cited number of a text as the reports have it.

    Raises:
        InputError: no report has what one of them names.
    """
    values = citable(reports)

    def number(found: re.Match[str]) -> str:
        name = BETWEEN.join(part.strip() for part in found[1].split(BETWEEN.strip()))
        if name not in values:
            study = _study(name)
            of_study = [known for known in values if known.startswith(f"{study}{BETWEEN}")]
            near = difflib.get_close_matches(name, of_study, cutoff=0) if of_study else sorted({*map(_study, values)})
            raise InputError(f"the published results have no number called {name!r}; valid: {', or '.join(near)}")
        return f"<!--={found[1]}-->{values[name]}<!--/-->"

    return CITATION.sub(number, text)


def _study(name: str) -> str:
    return name.partition(BETWEEN)[0]


def citable(reports: Sequence[Report]) -> Mapping[str, str]:
    """Return the numbers that a text may cite, as they are written, by their names."""
    values = {}
    for report in reports:
        for panel in report.dots:
            for dot in panel.dots:
                values[BETWEEN.join([report.study, panel.title, dot.name])] = f"{dot.value.mean:.1%}"
        if report.protocol:
            titles = [column.title for column in report.protocol.columns]
            for row, *cells in report.protocol.rows:
                for title, cell in zip(titles[1:], cells, strict=True):
                    values[BETWEEN.join([report.study, title, str(row)])] = str(cell)
        for judgement in report.judgements:
            for finding in judgement.findings:
                if words := difference_words(finding, judgement.claim):
                    values[BETWEEN.join([report.study, judgement.claim.key, str(finding.relation)])] = words
    return values
