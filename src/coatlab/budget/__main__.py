"""The command: `python -m coatlab.budget table`, `solve` and `family`."""

import argparse
import sys
from pathlib import Path

from coatlab.budget import REFERENCE_ATTENTION
from coatlab.cli import one_sentence_errors
from coatlab.config.files import choices
from coatlab.config.kinds import whole
from coatlab.errors import not_one_of
from coatlab.output.files import write_atomic


def main(words: list[str] | None = None) -> int:
    """Run a subcommand; return 1 if `solve` found plans that differ from the yaml, or found none."""
    parser = argparse.ArgumentParser(
        prog="python -m coatlab.budget", description="Count what layouts cost, and solve plans of equal cost."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("table", help="print plan and cost of every layout of a size")
    show.add_argument("--size", default="nano", help=f"{', '.join(choices('size'))}, or all: every size with a budget")
    show.add_argument(
        "--attention", default=REFERENCE_ATTENTION, help=f"comma-separated: {', '.join(choices('attention'))}"
    )
    show.add_argument("--image-size", type=int, help="pixels; default: as in the size's budget")
    show.add_argument("--matched", action="store_true", help="show the plans solved for each attention")
    show.add_argument("--stages", action="store_true", help="add a row for the stem, each stage and the head")
    show.add_argument("--format", choices=("terminal", "markdown", "csv"), default="terminal")
    again = commands.add_parser("solve", help="solve the plans again and show which differ from conf/size")
    again.add_argument("--size", default="all", help="a size with a budget, or all")
    again.add_argument("--attention", default=REFERENCE_ATTENTION, choices=choices("attention"))
    again.add_argument("--layout", choices=choices("layout"), help="the only layout to solve; default: all")
    again.add_argument("--write", action="store_true", help="write the plans into conf/size/<size>.yaml")
    family = commands.add_parser("family", help="count CoAtNet-0 to CoAtNet-7 at the resolutions of the paper's tables")
    family.add_argument("--format", choices=("terminal", "markdown", "csv"), default="terminal")
    family.add_argument("--write", type=Path, metavar="FILE", help="write a CSV: analysis/tables/family.csv")
    chosen = parser.parse_args(words)
    # torch and pandas are imported only where there is something to count
    import pandas as pd

    from coatlab.budget.commands import compare, cost_rows, print_table
    from coatlab.budget.family import count_family
    from coatlab.budget.sizes import budgeted

    if chosen.command == "family":
        counts = count_family()
        print_table(counts, chosen.format)
        if chosen.write:
            write_atomic(chosen.write, lambda file: file.write(counts.to_csv(index=False).encode()))
        return 0
    sizes = budgeted() if chosen.size == "all" else [chosen.size]
    for size in sizes:
        if size not in choices("size"):
            raise not_one_of("--size", size, [*choices("size"), "all"])
    if chosen.command == "table":
        if chosen.image_size is not None:
            whole(1)("--image-size", chosen.image_size)
        attentions, shown = chosen.attention.split(","), (chosen.image_size, chosen.matched, chosen.stages)
        rows = [row for size in sizes for row in cost_rows(size, attentions, *shown)]
        print_table(pd.DataFrame(rows), chosen.format)
        return 0
    return max([compare(size, chosen.attention, chosen.write, chosen.layout) for size in sizes], default=0)


if __name__ == "__main__":
    with one_sentence_errors():
        sys.exit(main())
