"""The learning rate that is chosen for each layout, by planted held-out accuracies."""

import pandas as pd

from analysis.compare.rates import Chosen, chosen_rates


def runs(rates: dict[float, list[float]], name: str = "CCTT") -> pd.DataFrame:
    rows = [
        {"name": name, "seed": seed, "recipe.lr": rate, "eval/accuracy": accuracy, "test/accuracy": 1 - accuracy}
        for rate, accuracies in rates.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    return pd.DataFrame(rows)


def test_the_rate_is_the_one_with_the_best_mean_on_held_out_images() -> None:
    one = runs({0.001: [0.7, 0.8], 0.003: [0.79, 0.75], 0.01: [0.6, 0.9]})
    assert chosen_rates(one) == {"CCTT": Chosen(0.003, at_edge=False)}
    other = runs({0.001: [0.9, 0.9], 0.003: [0.8, 0.8]}, "CTTT")
    assert chosen_rates(pd.concat([one, other])) == chosen_rates(one) | {"CTTT": Chosen(0.001, at_edge=True)}


def test_a_rate_with_fewer_seeds_is_not_chosen_and_of_equal_ones_the_smaller_is() -> None:
    assert chosen_rates(runs({0.001: [0.7, 0.7], 0.003: [0.7, 0.7], 0.01: [0.9]})) == {"CCTT": Chosen(0.001, True)}
