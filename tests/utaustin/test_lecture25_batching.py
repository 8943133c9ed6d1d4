"""Bytes, times and limits worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.cells import Cell
from generators.errors import ParameterError
from generators.table import Table
from generators.topics.roofline import roofline_seconds
from tests.conftest import worked_out
from tests.entries import entry_of, solved_entry

SLUG = "lecture25_batching"
ID = f"utaustin/{SLUG}"
F = Fraction

SMALL = {
    "model": {"n_layers": 1, "d_model": 2, "n_heads": 1, "vocabulary_size": 3},
    "context_len": 5,
    "other_context_lens": [],
    "batch_sizes": [1, 2],
}

entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def cells(table: Table) -> list[tuple[Cell, ...]]:
    return [tuple(row.values()) for row in table.rows.values()]


def accelerator(**changes: Any) -> dict[str, Any]:
    return {**entry()["accelerator"], **changes}


def test_bytes_of_weights_and_cache() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["weights"].value == 13_147_045_888  # 2·(32·12·4096² + 4096·32000)
    assert part["cache"].value == 2**30  # 2·2·32·2048·4096
    assert part["flops_weights"].value == 13_147_045_888  # two FLOPs a value, as two bytes a value
    assert part["flops_attention"].value == 2**30  # 2·2·32·2048·4096


def test_a_step_of_a_small_model_timed_by_hand() -> None:
    """Memory takes all the time: D = 2, n = 5, V = 3, one layer, FP16, 1 GB/s.

    With weights: 4·2·(2b + 4 + 2b) + 2·(2b + 16 + 8b) + 2·(8b + 16 + 2b) + 2·(2b + 6 + 3b) bytes = 82b + 108.
    Attention: b·2·(2 + 10 + 5) twice = 68b.
    """
    slow = accelerator(bandwidth_gb_per_s=1, peak_tflops=1000)
    rows = cells(solved(entry(**SMALL, accelerator=slow))["2/batches"])
    assert [row[1] for row in rows] == [F(190, 10**6), F(272, 10**6)]  # ms
    assert [row[2] for row in rows] == [F(68, 10**6), F(136, 10**6)]
    assert rows[1][4] == F(2 * 10**9, 408)  # tokens/s
    assert rows[1][5:7] == (F(2 * 258, 408), F(408, 258))


def test_arithmetic_may_take_longer() -> None:
    """At 1 TFLOP/s and 10⁶ GB/s every product waits for arithmetic: 2·(48 + 6)·b FLOPs and 40·b of attention."""
    fast = accelerator(bandwidth_gb_per_s=10**6, peak_tflops=1)
    rows = cells(solved(entry(**SMALL, accelerator=fast))["2/batches"])
    assert rows[1][1:3] == (F(2 * 108 * 1000, 10**12), F(2 * 40 * 1000, 10**12))
    assert rows[1][6] == 2  # nothing is shared


def test_roofline_takes_the_longer_time() -> None:
    assert roofline_seconds(F(10), F(6), F(5), F(2)) == 3
    assert roofline_seconds(F(20), F(6), F(5), F(2)) == 4


def test_limits() -> None:
    part = worked_out(ID)[2]["3"]
    assert part["balanced"].value == F(13_147_045_888, 2**30)
    assert part["fitting"].value == 62  # (80·10⁹ - 13147045888) / 2³⁰ = 62.26
    assert part["compute_bound"].value == 346  # D·I/(D - 2I) = 345.11 with I = 989400/3350
    assert list(part["contexts"]["largest_batch"].cells.values()) == [249, 62, 15]


def test_narrow_products_are_never_compute_bound() -> None:
    """With b·D² multiply-adds over 2bD + D² values, at most D/2 FLOPs a byte are reached in FP16."""
    model = {"n_layers": 2, "d_model": 512, "n_heads": 8, "vocabulary_size": 100}
    assert "compute_bound" not in solved(entry(model=model))["3"].items


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_sizes": [2, 4]}, "batch_sizes: must begin with 1 and rise (got [2, 4])"),
        ({"batch_sizes": [1, 4, 2]}, "batch_sizes: must begin with 1 and rise (got [1, 4, 2])"),
        ({"other_context_lens": [2048]}, "other_context_lens: must differ from context_len and each other (got [2048])"),
        ({"model": {**SMALL["model"], "n_heads": 3}},  # type: ignore[dict-item]
         "model: d_model must be divisible by n_heads (got 2 and 3)"),
        ({"accelerator": accelerator(memory_gb=14)},
         "accelerator: memory_gb must hold the weights and one sequence of 2048 tokens (got 14)"),
        ({"accelerator": accelerator(memory_gb=0)}, "accelerator.memory_gb: "),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value).startswith(f"generators/courses/utaustin/params.yml: {SLUG}: {message}")
