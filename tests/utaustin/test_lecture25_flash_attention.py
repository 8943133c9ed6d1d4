"""The running softmax and traffic worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy

from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_flash_attention"
ID = f"utaustin/{SLUG}"
F = Fraction
exp = sympy.exp


def counted(**conventions: Any) -> dict[str, Any]:
    return {"conventions": conventions}


TIMES = [f"3/times/{way}/{key}" for way in ("standard", "FlashAttention") for key in ("bound_by", "time")]
FAR = [
    Far(counted(flops_per_multiply_add=1), stays=[*TIMES, "3/more"]),
    Far(counted(loop_order="queries_outer", bytes_per_element=4, flops_per_multiply_add=1),
        says=("as in FlashAttention-2, takes queries", "Every pass reads $K$ and $V$", "Elements here are wider"),
        silent=("takes keys and their values, the",)),
    Far(counted(loop_order="queries_outer") | {"seq_len": 1000, "sram_kib": [1, 3, 1048576]}),
    Far({"head_width": 1024, "accelerator": {"sram_kib": 1}}, says=("do not fit into SRAM", "Here FlashAttention moves more"),
        silent=("It trades arithmetic",)),
    Far({"head_width": 8, "seq_len": 16, "sram_kib": [1]}, says=("on 16 tokens ($L$)",), silent=("do not fit into SRAM",)),
    Far({"seq_len": 2**20, "head_width": 128}),
    Far({"example": {"scores": [0, 0], "values": [[1], [2]], "block_len": 1}}, says=("After 2 blocks", "$\\ell = 2$", "$1.5$")),
    Far({"example": {"scores": [-1, "1/3", -100, 100], "values": [[1, 0, 2]] * 4, "block_len": 9}}, says=("After 1 block,",)),
    Far({"accelerator": {"peak_tflops": "1/1000", "bandwidth_gb_per_s": 10**6}}, says=("bound by arithmetic, and",)),
    Far({"accelerator": {"peak_tflops": 10**4, "bandwidth_gb_per_s": 1}}, says=("with FlashAttention, bound by memory",)),
]  # fmt: skip

entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def test_blocks_of_the_example() -> None:
    """Scores 1 3 | 2 5 | 4 0: the second block raises the maximum by 2, the third does not."""
    rows = [tuple(row.values()) for row in worked_out(ID)[2]["1/blocks"].rows.values()]
    assert [row[2:4] for row in rows] == [(3, None), (5, exp(-2)), (5, 1)]
    assert rows[0][4] == 1 + exp(-2)
    assert rows[1][4] == 1 + exp(-2) + exp(-3) + exp(-4)  # e⁻²(1 + e⁻²) + e⁻³ + 1
    assert rows[2][4] == 1 + exp(-1) + exp(-2) + exp(-3) + exp(-4) + exp(-5)
    assert rows[0][5:] == (1 + 4 * exp(-2), 2)  # values (4, 0) at e⁻² and (1, 2) at 1
    assert rows[1][5:] == (2 + exp(-2) + 4 * exp(-4), 1 + 2 * exp(-2) + 3 * exp(-3))  # e⁻² of those, (0, 3) at e⁻³, (2, 1) at 1


def test_traffic() -> None:
    """L = 4096, H = 64, 192 KiB in FP16: M_SRAM = 98304, blocks of 384 and 64, 11 passes."""
    part = worked_out(ID)[2]["2"]
    assert [part[name].value for name in ("outer", "inner", "passes")] == [384, 64, 11]
    assert part["standard_reads"].value == 2 * (3 * 4096 * 64 + 2 * 4096**2)
    assert part["standard_writes"].value == 2 * (4096 * 64 + 2 * 4096**2)
    assert part["flash_reads"].value == 2 * (2 * 4096 * 64 + 11 * (2 * 4096 * 64 + 2 * 4096))
    assert part["flash_writes"].value == 2 * 12 * (4096 * 64 + 2 * 4096)
    assert part["held"].value == 2 * 384 * 64 + 2 * 64 * 64 + 384 * 64 + 2 * 64


def test_arithmetic_and_time() -> None:
    part = worked_out(ID)[2]["3"]
    assert part["flash"].value == 14 * 4096**2 * 64
    standard, ours = part["times"].rows.values()
    assert standard["arithmetic"] == F(4 * 4096**2 * 64 * 10**6, 312 * 10**12)
    assert (standard["bound_by"], ours["bound_by"]) == ("memory", "arithmetic")


REFUSED = [
    ({"example": {**entry()["example"], "values": [[1]]}}, "example: values: must be as many as scores (got 1)"),
    ({"example": {**entry()["example"], "values": [[1]] * 5 + [[1, 2]]}},
     "example: values: must be of one length (got [1, 2])"),
    ({"sram_kib": [64, 64]}, "sram_kib: must rise from each to the next (got 64, 64)"),
]  # fmt: skip
