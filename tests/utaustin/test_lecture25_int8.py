"""Codes worked out by hand, products checked by their definition, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.courses.utaustin.lecture25_int8.products import (
    METHODS,
    Operands,
    absmax_by_hand,
    agreement,
    int8_product,
    quantize,
    zero_point_by_hand,
)
from generators.errors import ParameterError
from generators.topics.printed_tables import as_printed
from tests.conftest import worked_out
from tests.entries import composed_entry, entry_of, solved_entry

SLUG = "lecture25_int8"
ID = f"utaustin/{SLUG}"
F = Fraction


entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def product(**changes: Any) -> dict[str, Any]:
    return {"product": {**entry()["product"], **changes}}


def test_absmax_by_hand() -> None:
    """The largest magnitude is 1.27, so a step is 0.01; 0.125 lies halfway between 12 and 13, and 12 is even."""
    step, codes, back = absmax_by_hand([F("-1.27"), F("0.125"), F("0.004")])
    assert step == F(1, 100)
    assert codes == [-127, 12, 0]
    assert back == [F("-1.27"), F("0.12"), 0]


def test_zero_point_by_hand() -> None:
    """From 1 to 3.54 are 254 steps of 0.01; zero lies 100 steps below code -127."""
    step, zero, codes, back = zero_point_by_hand([F(1), F("3.54"), F("2.003")])
    assert (step, zero) == (F(1, 100), -227)
    assert codes == [-127, 127, -27]
    assert back == [1, F("3.54"), 2]


def test_codes_that_would_pass_the_last_one_are_limited() -> None:
    """From -1.5 to 252.5 a step is 1; both ends round to even, -2 and 252, so z is -125 and both ends fit."""
    assert zero_point_by_hand([F("-1.5"), F("252.5")])[:3] == (F(1), -125, [-127, 127])
    assert zero_point_by_hand([F("-0.5"), F("253.5")])[:3] == (F(1), -127, [-127, 127])  # 254 - 127 is 127
    assert zero_point_by_hand([F("0.5"), F("254.5"), F("3")])[2] == [-127, 127, -124]
    assert zero_point_by_hand([F("1.5"), F("255.5")])[2] == [-127, 127]  # 256 - 129


def test_the_worked_vector() -> None:
    """The largest magnitude is 8.4, and values lie from -1.5 to 8.4."""
    answer = worked_out(ID)[2]
    assert answer["1/absmax_step"].value == F(84, 1270)
    assert answer["1/shifted_step"].value == F(99, 2540)
    assert answer["1/zero"].value == -89  # -127 + 38, as 1.5/Δ = 38.48


def test_steps_and_bytes() -> None:
    """24 tokens, 64 features of which 3 are outliers, 32 outputs."""
    answer = worked_out(ID)[2]
    rows = {row["method"]: tuple(row.values())[3:] for row in answer["2/methods"].rows.values()}
    assert rows["FP16"] == (0, 0, 2 * 24 * 64, 2 * 64 * 32)
    assert rows["zero-point"] == (1, 1, 24 * 64 + 4 + 2, 64 * 32 + 4 + 2)
    assert rows["absmax row-wise"] == (24, 1, 24 * 64 + 96, 64 * 32 + 4)
    assert rows["absmax LLM.int8()"] == (24, 32, 24 * 61 + 2 * 24 * 3 + 96, 61 * 32 + 2 * 3 * 32 + 128)
    assert rows["zero-point LLM.int8()"] == (24, 32, 24 * 61 + 2 * 24 * 3 + 144, 61 * 32 + 2 * 3 * 32 + 192)
    assert answer["2/bytes_of_decomposition"].value == 3 * 32  # a byte more for each of 3·32 weights


def test_the_printed_order() -> None:
    """For the two largest models no pair is the other way round; 13B prints the last two alike, 6.7B two pairs."""
    answer = worked_out(ID)[2]
    rows = {row["model"]: tuple(row.values())[1:] for row in answer["3/agreement"].rows.values()}
    assert rows["13B"] == (27, 0, 1, 1, "yes")
    assert rows["6.7B"] == (26, 0, 2, 1, "yes")
    assert rows["125M"][-1] == "no"
    assert (answer["3/n_pairs"].value, answer["3/equal_models"].value) == (28, "6.7B, 13B")  # 8·7/2


def test_agreement_by_hand() -> None:
    """Pairs of (3, 1), (2, 2), (1, 2): opposite, opposite, tied."""
    found = agreement([3.0, 2.0, 1.0], [F(1), F(2), F(2)])
    assert found == (0, 2, 1)


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


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.integers(-60, 60).filter(bool), st.sampled_from([0.5, 3, 6.1, 100]))
def test_any_matrix(seed: int, size: int, threshold: float) -> None:
    """Everything is found again, also where no feature or nearly every feature is an outlier."""
    outliers = [{"feature": 3, "size": size}, {"feature": 9, "size": 1}]
    solved(entry(**product(seed=seed, outliers=outliers, threshold=threshold, n_tokens=8, n_features=16, n_outputs=8)))


def test_with_every_feature_apart_the_product_is_that_of_fp16() -> None:
    """Nothing is left to be coded."""
    answer = solved(entry(**product(threshold=0.01)))
    assert answer["2/methods/absmax_vector_wise_decomposed/error"].value == answer["2/methods/fp16/error"].value


def test_as_printed() -> None:
    assert [as_printed(F(x), d) for x, d in (("36", 1), ("-0.05", 2), ("7", 0))] == ["36.0", "-0.05", "7"]
    with pytest.raises(ValueError, match="at most 1 decimals"):
        as_printed(F(1, 3), 1)


def test_orders_of_the_printed_table() -> None:
    """Perplexities in the order of the errors agree for every model, and reversed ones for none."""
    answer = worked_out(ID)[2]
    worst_first = list(answer["3/beside"].rows)
    rising = [float(value) for value in range(1, 9)]
    for values, said in ((rising[::-1], "for any model"), (rising, "For every model some pairs")):
        changed = entry(**perplexities(*((scheme, [value]) for scheme, value in zip(worst_first, values, strict=True))))
        answer = solved(changed)
        assert "equal_models" not in answer["3"].items
        assert said in composed_entry(ID, changed)["site"]


def perplexities(*rows: tuple[str, list[float]]) -> dict[str, Any]:
    table = {"models": ["a"], "decimals": 1, "rows": [{"method": "m", "scheme": s, "values": v} for s, v in rows]}
    return {"perplexities": table}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vector": [1, 1]}, "vector: must hold different numbers (got 1 everywhere)"),
        (product(n_tokens=64, n_features=256, n_outputs=128),
         "product: n_features: must leave X and W at most 20000 entries (got 49152)"),
        (product(outliers=[{"feature": 64, "size": 3}]), "product: outliers: must be of different features below 64 (got [64])"),
        (product(outliers=[{"feature": 4, "size": 3}] * 2),
         "product: outliers: must be of different features below 64 (got [4, 4])"),
        (product(outliers=[{"feature": 4, "size": 0}]), "product: outliers: must have a size other than 0 (got 0)"),
        (product(largest_sizes=[2, 1]), "product.largest_sizes: must rise from each to the next (got 2, 1)"),
        (product(threshold=0), "product.threshold: must be greater than 0 (got 0)"),
        (perplexities(("absmax", [1.0, 2.0]), ("float32", [1.0])),
         "perplexities: rows: 'm' must have 1 values (got 2)"),
        (perplexities(("absmax", [1.25]), ("float32", [1.0])),
         "perplexities: rows: 'm' must have at most 1 decimals (got 1.25)"),
        (perplexities(("absmax", [1.2]), ("absmax", [1.0])), "perplexities: rows: must not have a scheme twice (got 'absmax')"),
        (perplexities(("absmax", [1.2]), ("float32", [1.0])),
         "perplexities.rows: must have the scheme 'zero_point' (got absmax, float32)"),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/utaustin/params.yml: {SLUG}: {message}"
