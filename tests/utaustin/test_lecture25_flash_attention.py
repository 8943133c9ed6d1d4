"""The running softmax, tiles and traffic worked out by hand, and every rule of the parameters."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import sympy

from generators.courses.utaustin.lecture25_flash_attention.running_softmax import running
from generators.errors import ParameterError
from generators.topics.attention import plain_output
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "lecture25_flash_attention"
ID = f"utaustin/{SLUG}"
F = Fraction
exp = sympy.exp


entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)


def test_blocks_of_the_example() -> None:
    """Scores 1 3 | 2 5 | 4 0: the second block raises the maximum by 2, the third does not."""
    rows = [tuple(row.values()) for row in worked_out(ID)[2]["1/blocks"].rows.values()]
    assert [row[2] for row in rows] == [3, 5, 5]
    assert [row[3] for row in rows] == [None, exp(-2), 1]
    assert rows[0][4] == 1 + exp(-2)
    assert rows[1][4] == 1 + exp(-2) + exp(-3) + exp(-4)  # e⁻²(1 + e⁻²) + e⁻³ + 1
    assert rows[2][4] == 1 + exp(-1) + exp(-2) + exp(-3) + exp(-4) + exp(-5)
    assert rows[0][5:] == (1 + 4 * exp(-2), 2)  # values (4, 0) at e⁻² and (1, 2) at 1


def test_weights_that_are_fractions() -> None:
    """Scores ln 1, ln 2, ln 4, ln 1 in blocks of two: m = ln 2, ln 4; ℓ = 3/2 and then 1/2 · 3/2 + 1 + 1/4."""
    scores = [sympy.log(weight) for weight in (1, 2, 4, 1)]
    values = [[sympy.Integer(number)] for number in (8, 4, 2, 0)]
    states = running(scores, values, 2, exp)
    assert [state.total for state in states] == [F(3, 2), 2]
    assert [state.weighted for state in states] == [(8,), (6,)]  # 8/2 + 4, and 8/2 + 2
    assert states[-1].output == (3,)  # (8 + 8 + 8 + 0) / 8
    assert plain_output(scores, values, exp) == (3,)


def test_scores_too_large_for_exponentials_of_floats() -> None:
    """Without the maximum e¹⁰⁰⁰ would overflow."""
    states = running([1000.0, 1001.0], [[1.0], [3.0]], 1, math.exp)
    assert states[-1].output[0] == pytest.approx((math.exp(-1) + 3) / (math.exp(-1) + 1), rel=1e-15)


@pytest.mark.parametrize("example", [
    {"scores": [0, 1], "values": [[1], [2]], "block_len": 1},
    {"scores": [-1, -1, -1, 4, 2.3, 0.1, 1], "values": [[1, 0, 2]] * 7, "block_len": 3},
])  # fmt: skip
@pytest.mark.parametrize("order", ["keys_outer", "queries_outer"])
def test_other_examples_and_orders(example: dict[str, Any], order: str) -> None:
    """Everything is found again, whatever the number of blocks; what small tensors copy is counted in both orders."""
    sizes = {"head_width": 3, "seq_len": 100, "seq_lens": [2, 90], "sram_kib": [1, 2]}
    accelerator = {**entry()["accelerator"], "sram_kib": 1}
    changes = {"traffic": sizes, "accelerator": accelerator, "conventions": {"loop_order": order}}
    answer = solved(entry(example=example, **changes))
    assert answer["1/blocks_in_all"].value == math.ceil(len(example["scores"]) / example["block_len"])


def test_traffic() -> None:
    """N = 4096, d = 64, 192 KiB in FP16: M = 98304, blocks of 384 and 64, 11 passes."""
    part = worked_out(ID)[2]["3"]
    assert [part[name].value for name in ("outer", "inner", "passes")] == [384, 64, 11]
    assert part["standard_reads"].value == 2 * (3 * 4096 * 64 + 2 * 4096**2)
    assert part["standard_writes"].value == 2 * (4096 * 64 + 2 * 4096**2)
    assert part["flash_reads"].value == 2 * (2 * 4096 * 64 + 11 * (2 * 4096 * 64 + 2 * 4096))
    assert part["flash_writes"].value == 2 * 12 * (4096 * 64 + 2 * 4096)
    assert part["held"].value == 2 * 384 * 64 + 2 * 64 * 64 + 384 * 64 + 2 * 64


def test_traffic_with_queries_outer() -> None:
    conventions = {"loop_order": "queries_outer", "bytes_per_element": 4, "flops_per_multiply_add": 1}
    part = solved(entry(conventions=conventions))["3"]
    assert part["outer"].value == 192  # 49152 elements over 4 · 64
    assert part["flash_reads"].value == 4 * (4096 * 64 + 22 * 2 * 4096 * 64)  # 22 passes of 192 rows
    assert part["flash_writes"].value == 4 * (4096 * 64 + 4096)


def test_arithmetic_and_time() -> None:
    part = worked_out(ID)[2]["4"]
    assert part["forward"].value == 4 * 4096**2 * 64
    assert part["flash"].value == 14 * 4096**2 * 64
    standard, ours = part["times"].rows.values()
    assert standard["intensity"] == F(4 * 4096**2 * 64, 2 * (4 * 4096**2 + 4 * 4096 * 64))
    assert standard["arithmetic"] == F(4 * 4096**2 * 64 * 10**6, 312 * 10**12)
    assert (standard["bound_by"], ours["bound_by"]) == ("memory", "arithmetic")


@pytest.mark.parametrize(
    ("field", "changes", "message"),
    [
        ("example", {"values": [[1]]}, "values: must be as many as scores (got 1)"),
        ("example", {"values": [[1]] * 5 + [[1, 2]]}, "values: must be of one length (got [1, 2])"),
        ("example", {"block_len": 6}, "block_len: must be less than the 6 scores (got 6)"),
        ("traffic", {"seq_lens": [512, 256]}, "seq_lens: must rise from each to the next (got 512, 256)"),
        ("traffic", {"sram_kib": [64, 64]}, "sram_kib: must rise from each to the next (got 64, 64)"),
        ("traffic", {"seq_len": 0}, "must be greater than 0 (got 0)"),
        ("tiles", {"block_rows": 0}, "must be greater than 0 (got 0)"),
        ("conventions", {"loop_order": "rows"}, "must be 'keys_outer' or 'queries_outer' (got 'rows')"),
    ],
)
def test_bad_parameters(field: str, changes: dict[str, Any], message: str) -> None:
    bad = entry()
    bad[field].update(changes)
    with pytest.raises(ParameterError) as refusal:
        solved(bad)
    text = str(refusal.value)
    assert text.startswith(f"generators/courses/utaustin/params.yml: {SLUG}: {field}")
    assert text.endswith(message)
