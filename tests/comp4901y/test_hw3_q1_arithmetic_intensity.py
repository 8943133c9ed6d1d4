"""Arithmetic intensity: values derived by hand, other sizes, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from math import log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.answer import Answer
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.roofline_chart import LINE_SHARE, grouped, joined
from generators.errors import ParameterError
from generators.pipeline.catalog import entries, find, load_params, load_question
from tests.conftest import worked_out
from tests.entries import composed_entry, entry_of

SLUG = "hw3_q1_arithmetic_intensity"
PREFIX = f"comp4901y/{SLUG}"
ONE = {"name": "one", "peak_tflops": 1, "bandwidth_gb_per_s": 1, "source": "datasheet"}


def answered(**changes: Any) -> Answer:
    """The answer to the entry of params.yml with some fields changed."""
    question_id = find(PREFIX)
    question = load_question(question_id)
    answer: Answer = question.solve(load_params(question_id, question, {**entries()[question_id], **changes}))
    return answer


def intensities(answer: Answer, label: str) -> dict[str, Fraction]:
    """The filled cells of a form by the sheet's row number."""
    cells = answer[f"{label}/form"]["intensity"].cells
    return {row: Fraction(cell) for row, cell in cells.items() if isinstance(cell, int | Fraction)}


def test_prefill_form() -> None:
    """The sheet's eight rows at L = D = 4096 and H = 128."""
    projection = Fraction(4096, 3)  # 2·4096³ / (2·(4096² + 4096² + 4096²))
    attention = Fraction(2048, 17)  # 2·4096²·128 / (2·(2·4096·128 + 4096²)) = 4096·128 / (2·128 + 4096)
    network = Fraction(16384, 9)  # 2·4·4096³ / (2·(4096² + 4·4096² + 4·4096²))
    assert intensities(worked_out(PREFIX)[2], "1.1") == {
        "1": projection, "2": projection, "3": projection, "7": attention, "8": attention,
        "10": projection, "11": network, "13": network,
    }  # fmt: skip


def test_decode_form() -> None:
    """The sheet's eight rows for one token that meets 4096 cached ones."""
    projection = Fraction(2048, 2049)  # 2·4096² / (2·(4096 + 4096² + 4096)) = 4096 / 4098
    attention = Fraction(524416, 528641)  # 2·128·4097 / (2·(128 + 128·4097 + 4097))
    network = Fraction(16384, 16389)  # 2·4·4096² / (2·(4096 + 4·4096² + 4·4096)) = 4·4096 / (4·4096 + 5)
    assert intensities(worked_out(PREFIX)[2], "1.2") == {
        "1": projection, "2": projection, "4": projection, "9": attention, "10": attention,
        "12": projection, "13": network, "15": network,
    }  # fmt: skip


def test_small_layer() -> None:
    """One token, width 6, two heads of width 3."""
    answer = answered(seq_len=1, d_model=6, n_heads=2)
    prefill, decode = intensities(answer, "1.1"), intensities(answer, "1.2")
    assert prefill["1"] == Fraction(3, 4)  # 2·1·36 / (2·(6 + 36 + 6))
    assert prefill["7"] == Fraction(3, 7)  # 2·1·3·1 / (2·(3 + 3 + 1))
    assert prefill["11"] == Fraction(24, 29)  # 2·6·24 / (2·(6 + 144 + 24))
    assert decode["9"] == Fraction(6, 11)  # 2·3·2 / (2·(3 + 6 + 2))
    assert decode["1"] == prefill["1"]  # with one token both phases project one row


def test_conventions_scale_the_numbers() -> None:
    """One FLOP a multiply-add halves the intensity, eight bytes a value quarter it."""
    base = intensities(worked_out(PREFIX)[2], "1.1")
    single = intensities(answered(conventions={"flops_per_multiply_add": 1}), "1.1")
    double = intensities(answered(conventions={"bytes_per_element": 8}), "1.1")
    assert single == {row: value / 2 for row, value in base.items()}
    assert double == {row: value / 4 for row, value in base.items()}


def test_ridge_points() -> None:
    """Peak FLOP/s over bytes per second, exact although the parameters are decimals."""
    ridges = worked_out(PREFIX)[2]["roofline/accelerators"]["ridge"].cells
    assert ridges["accelerator_1"] == Fraction(312_000, 2039)  # 312e12 / 2039e9
    assert ridges["accelerator_2"] == Fraction(19_788, 67)  # 989.4e12 / 3350e9
    assert ridges["accelerator_3"] == Fraction(1649, 8)  # 989.4e12 / 4800e9


def test_accelerators_that_agree_share_a_row() -> None:
    """All three leave the prefill's attention and the whole decode to memory."""
    (bounds,) = worked_out(PREFIX)[2]["roofline/bounds"].rows.values()
    assert tuple(bounds.values()) == (
        "A100 80GB SXM, H100 SXM and H200 SXM",
        "rows 1, 2, 3, 10, 11 and 13",  # 1365.3 and 1820.4 exceed 295.3, the highest ridge
        "rows 7 and 8",  # 120.5 is below 153.0, the lowest
        "no row",
        "rows 1, 2, 4, 9, 10, 12, 13 and 15",
    )


def test_a_product_on_the_ridge_is_compute_bound() -> None:
    """At equality arithmetic and memory take as long, and the share of peak is one."""
    accelerator = {**ONE, "peak_tflops": "3/4", "bandwidth_gb_per_s": 1000}
    answer = answered(seq_len=1, d_model=6, n_heads=2, accelerators=[accelerator])  # projections: 3/4 FLOP/B
    assert answer["roofline/bounds/group_1/prefill_compute"].value == "rows 1, 2, 3, 10, 11 and 13"


@pytest.mark.parametrize(
    "changes",
    [
        {"seq_len": 1},
        {"seq_len": 10**9},
        {"d_model": 10**9, "n_heads": 1},
        {"seq_len": 1, "d_model": 1, "n_heads": 1},
    ],
    ids=str,
)
def test_the_roofline_is_drawn_at_any_sizes(changes: dict[str, Any]) -> None:
    """Its labels leave room for the plot: matplotlib would warn, and a warning is an error."""
    drawn = composed_entry(PREFIX, entry_of(PREFIX, **changes))
    assert "roofline" in drawn
    assert "measured_cuda" not in drawn  # it was timed at the page's own sizes


@given(st.lists(st.floats(0.1, 1e4), min_size=10, max_size=10))
def test_labels_of_products_do_not_touch(intensities: list[float]) -> None:
    """Between a guide and the next group's first one there is room for that group's lines; no product is left out."""
    products = [(f"{phase}: {n}", x) for (phase, n), x in zip(product(("prefill", "decode"), range(5)), intensities, strict=True)]
    span = 12.0
    groups = grouped(products, span)
    assert sorted(one for group in groups for one in group) == sorted(products)
    for left, right in pairwise(groups):
        lines = joined([name for name, _ in right]).splitlines()
        assert len(lines) * LINE_SHARE <= log(right[0][1] / left[-1][1]) / span
        assert max(map(len, lines)) < 30


def test_a_label_has_a_line_for_each_phase() -> None:
    """More than two products of one phase are counted."""
    assert joined(["prefill: a", "decode: b", "prefill: c"]) == "prefill: a, c\ndecode: b"
    assert joined(["decode: a", "decode: b", "decode: c"]) == "decode: 3 products"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq_len": 0}, "seq_len: must be greater than 0 (got 0)"),
        ({"seq_len": 4096.0}, "seq_len: must be a valid integer (got 4096.0)"),
        ({"n_heads": 3}, "d_model: must be divisible by n_heads (got 4096 and 3)"),
        ({"accelerators": []}, "accelerators: must have at least 1 item (got [])"),
        ({"accelerators": [ONE] * 5}, "accelerators: must have at most 4 items (got ["),
        ({"accelerators": [ONE, ONE]}, "accelerators: each name must stand once (got 'one' twice)"),
        (
            {"accelerators": [{**ONE, "name": "a" * 61}]},
            "accelerators.0.name: must have at most 60 characters (got 'aaa",
        ),
        ({"accelerators": [{**ONE, "peak_tflops": 0}]}, "accelerators.0.peak_tflops: must be greater than 0 (got 0)"),
        ({"accelerators": [{"name": "one"}]}, "accelerators.0.peak_tflops: is required, but missing (and 2 more)"),
        ({"conventions": {"flops_per_multiply_add": 3}}, "conventions.flops_per_multiply_add: must be 1 or 2 (got 3)"),
        ({"conventions": {"bytes_per_element": 1}}, "conventions.bytes_per_element: must be 2, 4 or 8 (got 1)"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    """File, entry, field, rule and value stand on one line."""
    with pytest.raises(ParameterError) as refusal:
        answered(**changes)
    assert str(refusal.value).startswith(f"generators/courses/comp4901y/params.yml: {SLUG}: {message}")
    assert "\n" not in str(refusal.value)
