"""Masks, errors and bytes worked out by hand on tiny layers, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.courses.utaustin.lecture25_pruning.params import Pattern
from generators.courses.utaustin.lecture25_pruning.pruned_layer import (
    Problem,
    by_magnitude,
    by_neuron,
    error,
    fitted,
    kept_count,
    n_of_m,
    refitted_error,
    squares_kept,
)
from generators.errors import ParameterError
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "lecture25_pruning"
ID = f"utaustin/{SLUG}"
F = Fraction
CODES = ((300, -50, 20, 100), (10, 60, -400, 0))
"""Squared norms of the columns: 90100, 6100, 160400, 10000."""


entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)


def inside(field: str, **changes: Any) -> dict[str, Any]:
    return {field: {**entry()[field], **changes}}


def as_digits(mask: tuple[tuple[bool, ...], ...]) -> list[str]:
    return ["".join(str(int(bit)) for bit in row) for row in mask]


def test_masks_by_hand() -> None:
    assert as_digits(by_magnitude(CODES, F(1, 2))) == ["1001", "0110"]  # 400, 300, 100, 60
    assert as_digits(by_neuron(CODES, F(1, 2))) == ["1010", "1010"]
    assert as_digits(n_of_m(CODES, Pattern(kept=1, group=2))) == ["1001", "0110"]
    assert as_digits(n_of_m(CODES, Pattern(kept=1, group=4))) == ["1000", "0010"]
    assert squares_kept(CODES, by_neuron(CODES, F(1, 2))) == F(250_500, 266_600)
    assert as_digits(by_magnitude(((5, -5, 5, 5),), F(1, 2))) == ["1100"]  # of equals the earlier
    assert as_digits(n_of_m(((0, 0, 7, -7),), Pattern(kept=1, group=2))) == ["1010"]


def test_shares_round_as_in_torch() -> None:
    assert [kept_count(10, F(1, 4)), kept_count(10, F(35, 100)), kept_count(7, F(1, 2))] == [8, 6, 3]  # 2.5, 3.5 drop 2, 4


def test_errors_by_hand() -> None:
    """Two inputs with X'X = [[2, 1], [1, 2]], targets with X'y = (4, 5) and y'y = 15: the fit is (1, 2), its residual 1."""
    problem = Problem(((2, 1), (1, 2)), ((4, 5),), (15,))
    assert fitted(problem) == ((100, 200),)
    everything, second = ((True, True),), ((False, True),)
    assert error(problem, fitted(problem), everything) == refitted_error(problem, everything) == F(1, 15)  # 15 - 4 - 10
    assert error(problem, fitted(problem), second) == F(3, 15)  # 15 - 2·2·5 + 4·2
    assert refitted_error(problem, second) == F(5, 30)  # 15 - 5²/2 = 5/2
    assert refitted_error(problem, ((False, False),)) == 1


def test_break_even_by_hand() -> None:
    """Of 6 bytes a value in CSR, dense spends 2; the row pointers cost 4 · 4097 bytes."""
    part = worked_out(ID)[2]["3"]
    assert part["csr_break_even"].value == 1 - F(2 * 4096 * 11008 - 4 * 4097, 6 * 4096 * 11008)
    assert part["fits"].value == (2 * 4096 * 11008 - 4 * 4097) // 6
    assert part["bitmap_break_even"].value == F(1, 16)
    assert part["bitmap_from"].value == F(25, 4)
    assert part["pattern_share"].value == 100 * F(9, 16)  # half of 16 bits, and 2 bits for each of these halves


def test_work_by_hand() -> None:
    part = worked_out(ID)[2]["4"]
    assert part["dense"].value == 2 * 512 * 4096 * 11008
    assert part["narrower"].value == part["useful"].value == 512 * 4096 * 11008
    assert tuple(part["tiles"].rows["width_3"].values()) == (5505, 44, 5632, 100 * F(5505, 5632))
    assert tuple(part["shapes"]["values"].cells.values())[1:] == (2_701_560_320, 1_345_423_360)


def test_other_conventions_and_sizes() -> None:
    conventions = {"bytes_per_value": 4, "bytes_per_index": 8, "flops_per_multiply_add": 1}
    answer = solved(entry(conventions=conventions, pattern={"kept": 3, "group": 8}, other_patterns=[]))
    assert answer["3/pattern_share"].value == 100 * F(3, 8) * F(35, 32)
    solved(entry(**inside("layer", n_outputs=1, n_inputs=8, n_samples=16, seed=1, noise=0)))


def test_a_matrix_too_small_for_csr() -> None:
    part = solved(entry(**inside("stored", n_rows=3, n_columns=4)))["3"]
    assert part["csr_break_even"].value == 1 - F(24 - 16, 72)
    assert part["csr_pays"]
    smallest = solved(entry(**inside("stored", n_rows=1, n_columns=4)))["3"]  # 8 bytes, as many as its row pointers take
    assert smallest["fits"].value == 0
    assert smallest["csr_never_pays"]
    assert solved(entry(**inside("stored", n_rows=8, n_columns=1024)))["3/fits"].value == (2 * 8192 - 36) // 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (inside("layer", n_samples=31), "layer: n_samples: must be at least twice the 16 inputs (got 31)"),
        (inside("layer", n_inputs=25), "layer.n_inputs: must be less than or equal to 24 (got 25)"),
        (inside("layer", n_inputs=14), "layer.n_inputs: must be a multiple of the group of 2:4 (got 14)"),
        ({"pattern": {"kept": 4, "group": 4}}, "pattern: kept: must be less than the group of 4 (got 4)"),
        ({"other_patterns": [{"kept": 2, "group": 4}]}, "other_patterns: must not repeat a pattern (got 2:4, 2:4)"),
        ({"sparsities": [0.5, 0.25]}, "sparsities: must rise from each to the next (got 1/2, 1/4)"),
        ({"sparsities": [0.5, 0.99]}, "sparsities: must leave a neuron (got 99/100)"),
        ({"sparsities": [0.5, 1]}, "sparsities.1: must be less than 1 (got 1)"),
        (inside("stored", sparsities=[0.5, 0.5]), "stored.sparsities: must rise from each to the next (got 1/2, 1/2)"),
        (inside("stored", n_columns=11007), "stored.n_columns: must be a multiple of the group of 2:4 (got 11007)"),
    ],
)
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/utaustin/params.yml: {SLUG}: {message}"
