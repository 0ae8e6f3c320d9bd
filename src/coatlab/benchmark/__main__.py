"""The commands `python -m coatlab.benchmark attention`, `data`, `packing`, `cells`, `step` and `loop`."""

import argparse
import sys

from coatlab.cli import one_sentence_errors
from coatlab.config.files import choices
from coatlab.config.kinds import above, whole
from coatlab.config.places import add_folder_option
from coatlab.process.imports import large_imports

NUMBERS = dict.fromkeys(("turns", "heads", "head_size", "runs", "threads"), whole(1)) | {"seconds": above(0)}
SIDES = "14,20,28,40,56,80,112"


def main(words: list[str] | None = None) -> int:
    """Run a benchmark, print its table and write what was measured."""
    parser = argparse.ArgumentParser(prog="python -m coatlab.benchmark", description="Measure speed and memory.")
    anywhere = argparse.ArgumentParser(add_help=False)
    anywhere.add_argument("--device", help="cpu or cuda; default: cuda where there is one")
    in_turn = argparse.ArgumentParser(add_help=False)
    in_turn.add_argument("--turns", type=int, default=5, help="how often everything is measured, in turn")
    to_folder = argparse.ArgumentParser(add_help=False)
    add_folder_option(to_folder, "reports", "where results go")
    parser.set_defaults(device=None)
    commands = parser.add_subparsers(dest="command", required=True)
    about = "measure time and peak memory of each attention variant over grids of tokens"
    grow = commands.add_parser("attention", help=about, description=about, parents=[anywhere, in_turn, to_folder])
    names = f"comma-separated: {', '.join(choices('attention'))}; with a setting: linear/feature_map=favor"
    grow.add_argument("--attention", help=names + "; default: all")
    grow.add_argument("--sides", default=SIDES, help="rows (and columns) of the grids, comma-separated")
    grow.add_argument("--heads", type=int, default=2)
    grow.add_argument("--head-size", type=int, default=32)
    grow.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    about = "measure images per second of the data alone, of training steps alone, and of both together"
    feed = commands.add_parser("data", help=about, description=about, parents=[anywhere, in_turn, to_folder])
    feed.add_argument("data", help=f"comma-separated: {', '.join(choices('data'))}")
    feed.add_argument("override", nargs="*", help="overrides, as in layout=CCCC data.workers=2")
    feed.add_argument("--seconds", type=float, default=3.0, help="duration of each measurement")
    about = "compare equal small runs through cluster=local with their training steps in bare loops, on the CPU"
    pack = commands.add_parser("packing", help=about, description=about, parents=[in_turn, to_folder])
    pack.add_argument("override", nargs="*", help="overrides, added to the ones of small runs")
    pack.add_argument("--runs", type=int, default=8, help="how many runs, with seeds 0, 1, ...")
    about = "measure training steps and inference in turn with a network of timm, or with the same one layer by layer"
    one = commands.add_parser("step", help=about, description=about, parents=[anywhere, in_turn, to_folder])
    one.add_argument("override", nargs="*", help="overrides, as in size=nano layout=CCCC data=fashion_mnist")
    one.add_argument("--beside", default="coatnet_0_224", help="a model of timm, or layers")
    one.add_argument("--threads", type=int, help="default: one per core")
    about = "compare a run with its training steps in a bare loop, on one thread of the CPU, and time its start"
    loop = commands.add_parser("loop", help=about, description=about, parents=[in_turn, to_folder])
    loop.add_argument("override", nargs="*", help="overrides, as in layout=CCCC data.batch_size=64")
    about = "measure images per second of several small runs at the same time, through cluster=local"
    cells = commands.add_parser("cells", help=about, description=about, parents=[to_folder])
    cells.add_argument("override", nargs="*", help="overrides, as in size=tiny trainer=gpu")
    cells.add_argument("--at-once", default="1,2,4", help="numbers of runs at the same time, comma-separated")
    cells.add_argument("--seconds", type=float, default=10.0, help="in which the epochs of all runs are counted")
    chosen = parser.parse_args(words)
    for name, rule in NUMBERS.items():
        if (value := getattr(chosen, name, None)) is not None:
            rule("--" + name.replace("_", "-"), int(value) if float(value).is_integer() else value)
    with large_imports():
        from coatlab.benchmark.commands import run  # torch is imported only where there is something to measure

    run(chosen)
    return 0


if __name__ == "__main__":
    with one_sentence_errors():
        sys.exit(main())
