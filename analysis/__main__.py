"""The command: `python -m analysis layouts` prints what a study's rows reach, what was found, and a path.

The path, in the last line, is that of the study's report. With `--verbose` all tables, verdicts and notes are printed.
"""

import argparse

from analysis.words import EVERY_RUN, NO_SWEEP, RESULTS, TRACKERS
from coatlab.cli import one_sentence_errors
from coatlab.config.files import choices
from coatlab.config.places import add_folder_option
from coatlab.output.text import shown


def main(words: list[str] | None = None) -> None:
    """Read the arguments, load the study's runs, print what was found, and write its report.

    Raises:
        InputError: there is no such study, no run of it, or its runs must not be compared.
    """
    chosen = _arguments(words)
    from analysis.commands import run  # pandas and matplotlib are imported only where there is something to report

    run(chosen, words)


def _arguments(words: list[str] | None) -> argparse.Namespace:
    studies = [*choices("sweep"), *NO_SWEEP]
    parser = argparse.ArgumentParser(prog="python -m analysis", description="Make the tables of a study from its runs.")
    parser.add_argument("study", nargs="?", help=f"one of: {', '.join(studies)} ({EVERY_RUN}: all runs)")
    add_folder_option(parser, "runs", "folder of run folders")
    parser.add_argument("--source", choices=["folders", "wandb"], default="folders", help="where runs are read from")
    parser.add_argument("--project", help="entity/name of the W&B project, for --source wandb")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="KEY",
        help="compare runs although they differ in this key, or rows in their code or device; a footnote says so",
    )
    parser.add_argument("--verbose", action="store_true", help="print all tables, the evidence of verdicts, and notes")
    parser.add_argument(
        "--publish", action="store_true", help=f"add the study's complete runs to {shown(RESULTS)}, as data to commit"
    )
    parser.add_argument(
        "--results", action="store_true", help="report on published results instead of runs: of a study, or of all"
    )
    add_folder_option(parser, "reports", "folder the report is written to")
    parser.add_argument(
        "--tracker",
        choices=TRACKERS,
        default="auto",
        help="send the report to W&B: auto, if its runs are tracked and a key is set; wandb, always; none, never",
    )
    return parser.parse_args(words)


if __name__ == "__main__":
    with one_sentence_errors():
        main()
