"""The peak is what was done divided by the time of the fastest round."""

import pandas as pd
import pytest
import torch

from coatlab.benchmark import peak


def test_the_best_round_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = pd.DataFrame({"product": [4.0, 2.0], "copy": [1.0, 0.5]})
    monkeypatch.setattr(peak, "measure", lambda jobs, *_: rounds)
    found = peak.find_peak(torch.device("cpu"), side=10, copied=400)
    assert (found.macs, found.bytes) == (500.0, 1600.0)


def test_something_is_measured() -> None:
    found = peak.find_peak(torch.device("cpu"), side=32, copied=4096)
    assert found.macs > 0
    assert found.bytes > 0
