"""Codes worked out by hand, products checked by their definition, parameters far from the default, and every rule."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

from generators.courses.utaustin.lecture25_int8.products import METHODS, Operands, by_hand, int8_product, quantize
from generators.courses.utaustin.lecture25_int8.solve import _pairs
from generators.topics.printed_tables import as_printed
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_int8"
ID = f"utaustin/{SLUG}"
F = Fraction
entry, solved = partial(entry_of, ID), partial(solved_entry, ID)
WORST_FIRST = ("absmax", "absmax_row_wise", "absmax_vector_wise", "zero_point", "zero_point_vector_wise",
               "absmax_row_wise_decomposed", "absmax_vector_wise_decomposed", "zero_point_vector_wise_decomposed")  # fmt: skip
TINY = {"n_tokens": 8, "n_features": 16, "n_outputs": 8, "n_seeds": 5, "outliers": [{"feature": 0, "size": 1}]}


def perplexities(*values: float, schemes: tuple[str, ...] = WORST_FIRST) -> dict[str, Any]:
    rows = [{"method": "m", "scheme": scheme, "values": [value]} for scheme, value in zip(schemes, values, strict=True)]
    return {"perplexities": {"models": ["a"], "decimals": 1, "rows": rows}}


FAR = [
    Far({"product": {**TINY, "threshold": 100}},
        ["no feature exceeds the threshold, so that decomposition takes nothing out"], ["out of the product lowers"]),
    Far({"product": {**TINY, "threshold": 3, "seed": 0}}, ["of 16 out of the product lowers the error"]),
    Far({"product": {"threshold": "1/100"}}, ["at most 64 features of 64 out of the product", "those features"]),
    Far({"product": {"threshold": 25, "outliers": [{"feature": 9, "size": -1000}], "largest_sizes": [1, 1000]}},
        ["Taking at most 1 feature of 64", "value of that feature", "to feature 9"]),
    Far({"product": {"n_tokens": 64, "n_features": 128, "n_outputs": 92, "n_seeds": 5, "seed": 2**32 - 1}}, ["64 tokens"]),
    Far({"product": {"outliers": [{"feature": one, "size": 2 - one % 2} for one in range(8)], "largest_sizes": [7, 8]}}),
    Far({"vector": [-1, -2]}, ["zero point"]),
    Far({"vector": [1000, 999, 1, 0.001, 0, -0.5, 3, 3, -1000, 7]}),
    Far({"vector": [0, 0.001], "conventions": {"bytes_per_step": 2, "bytes_per_zero_point": 4}}),
    Far(perplexities(*range(8, 0, -1)), ["a | yes |", "Yes for a."], ["| no |", "No for"]),
    Far(perplexities(*range(1, 9)), ["a | no |", "No for a: up to 28 of 28 pairs"], ["| yes |", "Yes for"]),
    Far(perplexities(*[7] * 8), ["a | yes |"]),
]  # fmt: skip


def test_absmax_by_hand() -> None:
    """The largest magnitude is 1.27, so a step is 0.01; 0.125 lies halfway between 12 and 13, and 12 is even."""
    found = by_hand([F("-1.27"), F("0.125"), F("0.004")], zero_point=False)
    assert found == (F(1, 100), 0, [-127, 12, 0], [F("-1.27"), F("0.12"), 0])


def test_zero_point_by_hand() -> None:
    """From 1 to 3.54 are 254 steps of 0.01; zero lies 100 steps below code -127. Codes past the ends are limited."""
    found = by_hand([F(1), F("3.54"), F("2.003")], zero_point=True)
    assert found == (F(1, 100), -227, [-127, 127, -27], [1, F("3.54"), 2])
    assert by_hand([F("-1.5"), F("252.5")], zero_point=True)[:3] == (F(1), -125, [-127, 127])  # both ends round to even
    assert by_hand([F("0.5"), F("254.5"), F("3")], zero_point=True)[2] == [-127, 127, -124]
    assert by_hand([F("1.5"), F("255.5")], zero_point=True)[2] == [-127, 127]  # 256 - 129


def test_the_worked_vector_and_bytes() -> None:
    """Values lie from -1.5 to 8.4; 24 tokens, 64 features of which 3 are outliers, 32 outputs."""
    answer = worked_out(ID)[2]
    assert (answer["1/absmax_step"].value, answer["1/shifted_step"].value) == (F(84, 1270), F(99, 2540))
    assert answer["1/zero"].value == -89  # -127 + 38, as 1.5/Δ = 38.48
    held = answer["2/methods"]["bytes"].cells
    assert (held["fp16"], held["zero_point"]) == (2 * 56 * 64, 56 * 64 + 2 * 6)
    assert held["absmax_row_wise"] == 56 * 64 + 25 * 4
    assert held["zero_point_vector_wise_decomposed"] == 56 * 61 + 2 * 56 * 3 + 56 * 6


def test_the_printed_order() -> None:
    """13B prints the last two methods alike, 6.7B two pairs; pairs of (3, 1), (2, 2), (1, 2) are opposite twice and tied once."""
    rows = worked_out(ID)[2]["3/agreement"].rows
    assert [tuple(rows[key].values())[1:] for key in ("model_4", "model_5")] == [("yes", 26, 0, 2, 10), ("yes", 27, 0, 1, 10)]
    assert _pairs([3.0, 2.0, 1.0], [F(1), F(2), F(2)]) == (0, 2, 1)


def test_a_small_product() -> None:
    """Rows reach 127 and 254, columns 127, so steps are 1 and 2 hundredths and nothing but 3/2 is rounded, to 2."""
    operands = Operands(np.array([[127, 5], [254, 3]]), np.array([[127, 1], [2, 127]]))
    vector_wise = next(method for method in METHODS if method.scheme == "absmax_vector_wise")
    assert quantize(operands.x, 1, zero_point=False)[0].tolist() == [[127, 5], [127, 2]]
    expected = np.array([[127, 5], [254, 4]]) @ operands.w
    assert int8_product(operands, vector_wise).round(9).tolist() == expected.tolist()


def test_constant_vectors_are_kept() -> None:
    """Vectors of one number, 0 included, come back exactly."""
    matrix = np.array([[5, 5, 5], [0, 0, 0], [-300, -300, -300]])
    for zero_point in (False, True):
        codes, step = quantize(matrix, 1, zero_point=zero_point)
        assert (codes * step).round(9).tolist() == matrix.tolist()


def test_as_printed() -> None:
    assert [as_printed(F(x), d) for x, d in (("36", 1), ("-0.05", 2), ("7", 0))] == ["36.0", "-0.05", "7"]
    with pytest.raises(ValueError, match="at most 1 decimals"):
        as_printed(F(1, 3), 1)


REFUSED = [
    ({"vector": [1, 1]}, "vector: must hold different numbers (got 1 everywhere)"),
    ({"product": {"n_tokens": 64, "n_features": 256, "n_outputs": 128}},
     "product: n_features: must leave X and W at most 20000 entries (got 49152)"),
    ({"product": {"outliers": [{"feature": 64, "size": 3}]}},
     "product: outliers: must be of different features below 64 (got [64])"),
    ({"product": {"outliers": [{"feature": 4, "size": 0}]}}, "product: outliers: must have a size other than 0 (got 0)"),
    ({"product": {"largest_sizes": [2, 1]}}, "product.largest_sizes: must rise from each to the next (got 2, 1)"),
    ({"product": {"threshold": 0}}, "product.threshold: must be greater than 0 (got 0)"),
    ({"perplexities": {"models": ["a"]}}, "perplexities: rows: '32-bit Float' must have 1 values (got 5)"),
    (perplexities(1.25, *range(1, 8)), "perplexities: rows: 'm' must have at most 1 decimals (got 1.25)"),
    (perplexities(1, 2, schemes=("absmax", "absmax")),
     "perplexities: rows: must have the scheme 'absmax' once (got absmax, absmax)"),
]  # fmt: skip
