"""Ranks, counts and two steps worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.answer import Answer
from generators.cells import Cell
from generators.errors import ParameterError
from generators.table import Table
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "seminar2_low_rank"
ID = f"sydney/{SLUG}"
F = Fraction

EYE = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
entry = partial(entry_of, ID)
solved = partial(drawn_entry, ID)


def example(**changes: Any) -> dict[str, Any]:
    return {**entry()["example"], **changes}


def cells(table: Table) -> tuple[tuple[Cell, ...], ...]:
    """The rows of a table."""
    return tuple(tuple(row.values()) for row in table.rows.values())


def answer() -> Answer:
    """The answer to the entry of params.yml."""
    made: Answer = worked_out(ID)[2]
    return made


def test_ranks_of_the_slide() -> None:
    assert cells(answer()["1/ranks"]) == ((1, 3, -3), (2, 2, 0))
    assert cells(answer()["matrix_2/null"]) == ((1,), (-2,), (1,))  # 1·1 − 2·2 + 1·3 = 0 and 4 − 10 + 6 = 0
    assert cells(answer()["matrix_2/relation"]) == ((-2,), (0,), (1,))  # the third row is twice the first
    assert "null" not in answer()["matrix_1"].items
    assert answer()["matrix_1/independent"]
    assert answer()["matrix_2/dependent"]


def test_the_reduction_row_by_row() -> None:
    assert cells(answer()["matrix_1/reduction"])[3:] == (
        ("R2", "R2 − 4·R1", 0, -3, -6),
        ("R3", "R3 − 7·R1", 0, -6, -11),
        ("R3", "R3 − 2·R2", 0, 0, 1),
    )


def test_the_vector_is_reached_by_rank_3_alone() -> None:
    first, second = cells(answer()["2/spans"])
    assert first == (1, "yes", F(-2, 3), F(-4, 3), 1, None)  # −2/3 (1, 2, 3) − 4/3 (4, 5, 6) + (7, 8, 10) = (1, 0, 0)
    assert second == (2, "no", None, None, None, 1)
    assert answer()["matrix_2/outside"]
    assert answer()["matrix_2/contradicting_row"].value == "E3"  # E3 − 3·E1 = (0, −3, 0 | −3), minus E2 − 2·E1 = (0, −3, 0 | −2)
    assert abs(answer()["matrix_2/contradiction"].value) == 1


def test_a_vector_in_the_plane_is_reached_by_both() -> None:
    made = solved(entry(vector=[5, 7, 9]))
    assert cells(made["2/spans"])[1] == (2, "yes", 1, 1, 0, 0)
    assert made["matrix_2/in_plane"]


def test_a_zero_where_a_pivot_belongs() -> None:
    """Another row is added first, and the determinant keeps its sign."""
    made = solved(entry(matrices=[[[0, 1, 0], [1, 0, 0], [0, 0, 5]], [[0, 0, 0], [0, 0, 2], [0, 3, 1]]]))
    assert cells(made["1/ranks"]) == ((1, 3, -5), (2, 2, 0))
    assert cells(made["matrix_2/null"]) == ((1,), (0,), (0,))


def test_counts() -> None:
    part = answer()["3"]
    assert part["network"].value == 4_722_432  # 2·4·768² + 4·768 + 768
    assert part["lora"].value == 61_440  # two times 8·(768 + 3072)
    assert part["equal"].value == F(6149, 10)  # (8·768 + 5) / 10
    assert answer()["3/ranks/rank_1/of_the_network"].value == F(100 * 7680, 4_722_432)


def test_two_steps() -> None:
    """A = ½·draw, Ax = (1, 1), s = 4/2, h = (3, 1), g = (−2, 2); c = 1/16 · 4 · 2."""
    part = answer()["4"]
    assert cells(part["b_gradient_0"]) == ((-4, -4), (4, 4))  # 2·g·(Ax)ᵀ
    assert cells(part["a_gradient_0"]) == ((0, 0, 0), (0, 0, 0))
    assert part["removed"].value == F(1, 2)
    assert cells(part["g_1"]) == ((-1,), (1,))
    assert cells(part["a_gradient_1"]) == ((-1, -2, -1), (-1, -2, -1))  # 2·(−½)·xᵀ
    assert part["expected_inner"].value == 3  # 2 · ¼ · 6
    assert part["matched"].value == F(1, 8)
    assert answer()["4/steps/after_1/loss"].value == 1
    assert float(part["least_at"]) == pytest.approx(0.5**0.5)  # c = 2σ²
    assert float(part["back_at"]) == pytest.approx(1)
    assert part["goes_on"]


def test_merging() -> None:
    part = answer()["5"]
    assert cells(part["b"]) == ((F(3, 8), F(3, 8)), (F(-3, 8), F(-3, 8)))
    assert cells(part["a"])[0] == (F(9, 16), F(1, 8), F(9, 16))
    assert part["rank"].value == 1
    assert all(row["apart"].value == row["merged"].value for row in part["outputs"])
    assert answer()["5/outputs/other_x_1/alone"].value == -4  # (1, 0, 2)·(0, 1, −2)


def test_alpha_alone_scales_more() -> None:
    made = solved(entry(conventions={"scaling": "alpha"}))
    assert made["example/s"].value == 4
    assert made["4/expected_ratio"].value == 8  # 16 · 2 · ¼
    assert made["example/not_over_rank"]


def test_a_target_that_is_met_needs_no_step() -> None:
    """W x = (3, 1) is the target itself: every gradient is zero, and no step lowers the loss."""
    part = solved(entry(example=example(target=[3, 1])))["4"]
    assert cells(part["steps"]) == ((0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0))
    assert part["removed"].value == F(1, 2)
    assert part["stuck"]
    assert not part["loss_moves"]


def test_an_input_that_a_loses_trains_nothing() -> None:
    """(1, 0, 1)·(1, 2, −1) = 0 and (1, 1, −1)·(1, 0, 1) = 0: Ax = 0, and B stays at zero."""
    made = solved(entry(example=example(draw=[[1, 0, 1]], x=[1, 2, -1])))
    assert made["4/removed"].value == 0
    assert made["4/stuck"]
    assert made["5/rank"].value == 0


def test_one_step_may_meet_the_target() -> None:
    """At η = 1/8 c = 1: g is zero after one step, and A has no gradient."""
    part = solved(entry(example=example(learning_rate="1/8")))["4"]
    assert part["removed"].value == 1
    assert cells(part["g_1"]) == ((0,), (0,))
    assert part["met"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matrices": [[[1, 2, 3], [2, 4, 6], [0, 0, 0]]]}, "matrices.0: must have a rank of at least 2 (got 1)"),
        ({"vector": [0, 0, 0]}, "vector: must not be all zeros (got all zeros)"),
        ({"rank": 769}, "rank, other_ranks: must be at most embedding_dim (got 769 and 768)"),
        ({"example": example(x=[1, 2])}, "example: x: must have 3 numbers a row like the first of weight (got 2)"),
        ({"example": example(x=[0, 0, 0])}, "example: x: must not be all zeros (got all zeros)"),
        ({"example": example(target=[1])}, "example: target: must have 2 numbers, one a row of weight (got 1)"),
        ({"example": example(draw=EYE)}, "example: draw: must have at most 2 rows, the smaller size of weight (got 3)"),
        (
            {"example": example(alpha=1001)},
            "example.alpha: must be of at most 1000 with a denominator of at most 1000 (got 1001)",
        ),
    ],
)
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/sydney/params.yml: {SLUG}: {message}"
