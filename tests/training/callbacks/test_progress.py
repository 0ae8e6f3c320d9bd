"""The bar keeps its numbers in a narrow terminal, and without a terminal lines come at most every 30 seconds."""

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from coatlab.training.callbacks.progress import LINE_SECONDS, LiveProgress, epoch_line, progress_bar

TITLE = "CCTT-relative-nano-fashion_mnist-s0-0123abcd"


def test_the_bar_keeps_its_numbers_at_80_columns() -> None:
    file = io.StringIO()
    bar = progress_bar(Console(file=file, width=80, force_terminal=True, color_system=None))
    task = bar.add_task(TITLE, total=31300, completed=12345, state="evaluating")
    bar.update(task, completed=12345)
    line = bar.console.render_lines(bar.get_renderable(), pad=False)[0]
    shown = "".join(segment.text for segment in line)
    assert "12345/31300" in shown
    assert "0:00:00" in shown
    assert "-:--:--" in shown
    assert "evaluating" in shown
    assert shown.startswith("CCTT-relative")
    assert len(shown.rstrip()) <= 80


def test_without_a_terminal_a_line_is_at_a_logged_step_and_not_too_often() -> None:
    file, seconds = io.StringIO(), [0.0]
    measure: Any = SimpleNamespace(log_every=10)
    progress = LiveProgress(TITLE, measure, Console(file=file, width=80), clock=lambda: seconds[0])
    trainer: Any = SimpleNamespace(estimated_stepping_batches=200, global_step=20, is_last_batch=False)
    progress.on_train_start(trainer, None)  # type: ignore[arg-type]
    for step in range(21, 121):
        trainer.global_step, seconds[0] = step, seconds[0] + 2.0
        progress.on_train_batch_end(trainer)
    lines = file.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"step {step}/200" for step in (40, 60, 80, 100, 120)]
    assert lines[0] == "step 40/200  ran 40 s  about 5 min 20 s left"
    assert LINE_SECONDS == 30


def test_the_line_of_an_epoch_says_what_was_measured() -> None:
    row = {"epoch": 2.0, "train/loss": 0.5, "train/accuracy": 0.8, "images_per_second": 99.6}
    assert epoch_line(row, 3) == "epoch 2/3  loss of steps 0.500  100 images/s"
    found = {"train_eval/loss": 0.25, "train_eval/accuracy": 0.9, "eval/accuracy": 0.7, "gap": 0.2}
    assert epoch_line(row | found, 3) == (
        "epoch 2/3  train loss 0.250  train 90.0%  eval 70.0%  gap +20.0%  100 images/s"
    )
