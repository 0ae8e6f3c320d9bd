"""Jobs in turn: every round has all of them, ratios are medians of rounds, and unrest is said."""

import pandas as pd
import pytest
import torch

from coatlab.benchmark import paired

CPU = torch.device("cpu")


def test_jobs_take_turns_and_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, called = [0.0], []
    monkeypatch.setattr(paired.time, "perf_counter", lambda: clock[0])

    def job(name: str, seconds: float) -> paired.Job:
        def run() -> None:
            called.append(name)
            clock[0] += seconds

        return run

    measured = paired.measure({"a": job("a", 0.5), "b": job("b", 0.25)}, rounds=3, device=CPU)
    assert called[2 * paired.WARM_UP :] == ["a", "b", "b", "a", "a", "b"]
    assert measured.to_dict("list") == {"a": [0.5] * 3, "b": [0.25] * 3}
    assert paired.ratio(measured, "a", "b") == 2


def test_a_ratio_is_the_median_of_rounds_and_not_of_times() -> None:
    seconds = pd.DataFrame({"a": [2.0, 40.0, 8.0], "b": [1.0, 10.0, 2.0]})
    assert paired.ratio(seconds, "a", "b") == 4  # 2, 4, 4; the medians are 8 and 2


def test_unrest_is_said() -> None:
    assert paired.warning(pd.DataFrame({"a": [1.0, 1.01, 1.02, 1.0]})) == ""
    assert "not quiet" in paired.warning(pd.DataFrame({"a": [1.0] * 4, "b": [1.0, 2.0, 3.0, 1.0]}))
