"""Masks, errors and bytes worked out by hand on tiny layers, parameters far from the default, and every rule."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

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
)
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_pruning"
ID = f"utaustin/{SLUG}"
F = Fraction
CODES = ((300, -50, 20, 100), (10, 60, -400, 0))
"""Squared norms of the columns: 90100, 6100, 160400, 10000."""
entry, solved = partial(entry_of, ID), partial(solved_entry, ID)
SMALL = {"seed": 1, "n_samples": 4, "n_inputs": 2, "n_outputs": 1, "noise": 0}
HALF = {"kept": 1, "group": 2}

FAR = [
    Far(
        {"layer": SMALL, "pattern": HALF, "sparsities": [0, "1/2"]}, ["2 neurons in and 1 out", "1 of every 2 neighbours", "1:2"]
    ),
    Far({"layer": {"n_inputs": 24, "n_outputs": 12, "n_samples": 512, "noise": 10_000, "seed": 4294967295}}, ["288 weights"]),
    Far({"pattern": {"kept": 15, "group": 16}}, ["1 of every 16 neighbours", "keeps its 15 largest", r"M_{\text{15:16}}"]),
    Far(
        {"pattern": HALF, "stored": {"n_rows": 1, "n_columns": 2, "n_tokens": 1}},
        ["Compressed sparse rows never take fewer bytes", "For 1 token"],
        ["take no more bytes than the dense"],
    ),
    Far({"stored": {"n_rows": 2**20, "n_columns": 2**20, "n_tokens": 2**20}}),
    Far({"conventions": {"flops_per_multiply_add": 1}}, stays=["3/dense", "3/csr_from", "2/sparsities/sparsity_2/magnitude"]),
    Far({"conventions": {"bytes_per_value": 1, "bytes_per_index": 8}}, ["from a sparsity of"]),
    Far({"conventions": {"bytes_per_value": 4, "bytes_per_index": 4}}, stays=["4/dense", "4/useful", "4/narrower"]),
    Far({"sparsities": [0, "1/1000", "15/16"], "layer": {"noise": 0}}),
]


def as_digits(mask: tuple[tuple[bool, ...], ...]) -> list[str]:
    return ["".join(str(int(bit)) for bit in row) for row in mask]


def test_masks_by_hand() -> None:
    assert as_digits(by_magnitude(CODES, F(1, 2))) == ["1001", "0110"]  # 400, 300, 100, 60
    assert as_digits(by_neuron(CODES, F(1, 2))) == ["1010", "1010"]
    assert as_digits(n_of_m(CODES, Pattern(kept=1, group=2))) == ["1001", "0110"]
    assert as_digits(n_of_m(CODES, Pattern(kept=1, group=4))) == ["1000", "0010"]
    assert as_digits(by_magnitude(((5, -5, 5, 5),), F(1, 2))) == ["1100"]  # of equals the earlier
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


def test_bytes_and_work_by_hand() -> None:
    """Of 6 bytes a value in CSR, dense spends 2; the row pointers cost 4 · 4097 bytes."""
    answer = worked_out(ID)[2]
    assert answer["3/csr_break_even"].value == 1 - F(2 * 4096 * 11008 - 4 * 4097, 6 * 4096 * 11008)
    assert answer["3/pattern_share"].value == 100 * F(9, 16)  # half of 16 bits, and 2 bits for each of these halves
    assert answer["4/dense"].value == 2 * 512 * 4096 * 11008
    assert answer["4/narrower"].value == answer["4/useful"].value == 512 * 4096 * 11008


REFUSED = [
    ({"layer": {"n_samples": 31}}, "layer: n_samples: must be at least twice the 16 inputs (got 31)"),
    ({"layer": {"n_inputs": 14}}, "layer.n_inputs: must be a multiple of the pattern's group, 4 (got 14)"),
    ({"pattern": {"kept": 4}}, "pattern: kept: must be less than the group of 4 (got 4)"),
    ({"sparsities": [0.5, 0.25]}, "sparsities: must rise from each to the next (got 1/2, 1/4)"),
    ({"sparsities": [0.5, 0.99]}, "sparsities: must leave a neuron (got 99/100)"),
    ({"sparsities": [0.5, 1]}, "sparsities.1: must be less than 1 (got 1)"),
    ({"stored": {"n_columns": 11007}}, "stored.n_columns: must be a multiple of the pattern's group, 4 (got 11007)"),
]
