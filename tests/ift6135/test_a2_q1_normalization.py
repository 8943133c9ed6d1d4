"""Means and variances worked out by hand, other shapes and conventions, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from generators.answer import Answer
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

PREFIX = "ift6135/a2_q1_normalization"
F = Fraction
LARGE = [[[(7 * (i + j) + k * k) % 6 + 95 for k in range(2)] for j in range(4)] for i in range(12)]
FAR = [
    Far({"tensor": [[[1]]]}, ["1 sample, 1 channel and", "1 feature.", "the 1 value of a channel"]),
    Far({"tensor": [[[5, 5, 5]]]}, ["3 features."]),
    Far({"tensor": [[[1, 2]], [[3, 4]]], "conventions": {"variance": "sample"}}, ["k - 1", "1 channel and"]),
    Far({"tensor": LARGE}, ["12 samples"]),
    Far({"tensor": [[[k * k % 7 for k in range(8)] for _ in range(5)]]}, ["8 features."]),
    Far({"tensor": [[["-1/3", "0.25"]], [[-100, 100]]]}, [r"-\frac{1}{3}", "0.25"]),
    Far({"tensor": [[[0], [0]], [[0], [0]]]}, ["1 feature."]),
    Far({"conventions": {"variance": "sample"}}, ["k - 1"], stays=("1/batch_mean/sample_all/channel_1",)),
]


def numbers(answer: Answer, name: str) -> list[list[Any]]:
    return [list(row.values()) for row in answer[f"1/{name}"].rows.values()]


def test_batch_statistics() -> None:
    """One a channel, over twelve values."""
    answer = worked_out(PREFIX)[2]
    assert numbers(answer, "batch_mean") == [[F(31, 12), F(35, 12)]]  # (8+7+6+10)/12, (11+5+9+10)/12
    assert numbers(answer, "batch_variance") == [[F(227, 144), F(179, 144)]]  # 99/12 − (31/12)², 117/12 − (35/12)²


def test_layer_statistics() -> None:
    """One a sample, over six values."""
    answer = worked_out(PREFIX)[2]
    assert numbers(answer, "layer_mean") == [[F(19, 6)], [2], [F(5, 2)], [F(10, 3)]]  # 19/6, 12/6, 15/6, 20/6
    # 71/6 − (19/6)², 30/6 − 2², 43/6 − (5/2)², 72/6 − (10/3)²
    assert numbers(answer, "layer_variance") == [[F(65, 36)], [1], [F(11, 12)], [F(8, 9)]]


def test_instance_statistics() -> None:
    """One a sample and channel, over three values."""
    answer = worked_out(PREFIX)[2]
    means = [[F(8, 3), F(11, 3)], [F(7, 3), F(5, 3)], [2, 3], [F(10, 3), F(10, 3)]]
    assert numbers(answer, "instance_mean") == means
    assert numbers(answer, "instance_variance") == [
        [F(26, 9), F(2, 9)],  # 30/3 − (8/3)², 41/3 − (11/3)²
        [F(14, 9), F(2, 9)],  # 21/3 − (7/3)², 9/3 − (5/3)²
        [F(2, 3), F(2, 3)],  # 14/3 − 2², 29/3 − 3²
        [F(2, 9), F(14, 9)],  # 34/3 − (10/3)², 38/3 − (10/3)²
    ]


def test_sums_of_every_subset() -> None:
    """Number, sum and sum of squares of each channel, each sample, and each channel of each sample."""
    table = worked_out(PREFIX)[2]["1/statistics"]
    assert table["count"].cells == {row: {"b": 12, "l": 6, "i": 3}[row[0]] for row in table.rows}
    # each instance's values: 2 5 1, 4 3 4; 1 2 4, 1 2 2; 3 1 2, 3 2 4; 3 4 3, 5 2 3
    instances = [(8, 30), (11, 41), (7, 21), (5, 9), (6, 14), (9, 29), (10, 34), (10, 38)]
    layers = [(19, 71), (12, 30), (15, 43), (20, 72)]  # two instances each
    batch = [(31, 99), (35, 117)]  # every other instance
    assert [(row["sum"].value, row["sum_of_squares"].value) for row in table] == [*batch, *layers, *instances]


def test_sample_variance_divides_by_one_less() -> None:
    """Population variances times 12/11, 6/5 and 3/2."""
    answer = solved_entry(PREFIX, entry_of(PREFIX, conventions={"variance": "sample"}))
    assert numbers(answer, "batch_variance")[0][0] == F(227, 132)
    assert numbers(answer, "layer_variance")[0][0] == F(13, 6)
    assert numbers(answer, "instance_variance")[0][0] == F(13, 3)
    assert str(answer["1/statistics/layer.sample_1/variance"].formula) == "(Sigma_x_x - k*mu**2)/(k - 1)"


REFUSED = [
    ({"tensor": []}, "tensor: must have at least one sample (got [])"),
    ({"tensor": [[]]}, "tensor: sample 1 must have at least one channel (got [])"),
    ({"tensor": [[[1], []]]}, "tensor: sample 1, channel 2 must have at least one feature (got [])"),
    ({"tensor": [[[1, 2]], [[1, 2], [3, 4]]]}, "tensor: sample 2 must have as many channels as sample 1, 1 (got 2)"),
    ({"tensor": [[[1, 2], [3]]]}, "tensor: sample 1, channel 2 must have as many features as the first, 2 (got 1)"),
    ({"tensor": [[[1]] * 6]}, "tensor: must have at most 5 channels to fit a page (got 6)"),
    ({"tensor": [[[1]]] * 13}, "tensor: must have at most 12 samples to fit a page (got 13)"),
    ({"tensor": [[[1] * 9]]}, "tensor: must have at most 8 features to fit a page (got 9)"),
    ({"tensor": [[[1] * 8] * 5] * 3}, "tensor: must have at most 96 entries to fit a page (got 120)"),
    ({"tensor": [[[-101]]]}, "tensor.0.0.0: must be greater than or equal to -100 (got -101)"),
    ({"tensor": [[["0.5", "1/97"]]]}, "tensor: entries must be multiples of 1/600, such as 0.01, 1/3 or 1/8 (got 1/97)"),
    (
        {"tensor": [[[1], [2]]], "conventions": {"variance": "sample"}},
        "conventions.variance: a sample variance needs at least two features, "
        "since instance normalization has one value a feature (got 1 feature)",
    ),
    (
        {"tensor": [[[[1, 2], [3, 4]]]]},
        "tensor: must be samples, then channels, then features; write the rows of each channel one behind the other as its "
        "features, as every technique averages over all of them (got [[[[1, 2], [3, 4]]]])",
    ),
    ({"conventions": {"variance": "biased"}}, "conventions.variance: must be 'population' or 'sample' (got 'biased')"),
]
