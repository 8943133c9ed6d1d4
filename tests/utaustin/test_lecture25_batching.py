"""Bytes, times and limits worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.cells import Cell
from generators.table import Table
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_batching"
ID = f"utaustin/{SLUG}"
F = Fraction

SMALL = {"n_layers": 1, "d_model": 64, "n_heads": 1, "n_kv_heads": 1, "head_dim": 2, "d_ff": 1, "vocabulary_size": 64}
ONES = {"model": {**SMALL, "head_dim": 1}, "context_len": 1, "other_context_lens": [], "batch_sizes": [1]}
LLAMA_3 = {"n_layers": 32, "d_model": 4096, "n_heads": 32, "n_kv_heads": 8, "head_dim": 128, "d_ff": 14336,
           "vocabulary_size": 128256}  # fmt: skip


def on(**accelerator: Any) -> dict[str, Any]:
    return {"accelerator": accelerator}


LIMITS = ("3/fitting", "3/compute_bound", "3/gain", "3/balanced")
STEPS = tuple(
    f"2/batches/{size}/{key}" for size in ("size_1", "largest") for key in ("step", "throughput", "weights", "attention")
)
FAR = [
    Far({"conventions": {"flops_per_multiply_add": 1}}, stays=LIMITS + STEPS),
    Far({**ONES, **on(memory_gb="35/1000000")}, says=("has 1 layer (", ", 1 head (", "1 head of keys and values")),
    Far({**ONES, **on(memory_gb="17156/1000000000")}, says=("only one sequence fits into memory.",), silent=("sequences fit",)),
    Far({"context_len": 512}, silent=("2\\,048", "2048")),  # 512 stands among the other lengths too
    Far({"model": LLAMA_3}, says=("8 heads of keys and values",)),
    Far({"model": {"n_kv_heads": 1, "d_ff": None}, "other_context_lens": []}, says=("1 head of keys and values",)),
    Far({"model": {"n_heads": 7, "n_kv_heads": None, "head_dim": 5}, "context_len": 2**17, "other_context_lens": [1]}),
    Far({"conventions": {"bytes_per_element": 4}, **on(memory_gb=1000), "batch_sizes": [1, 3, 4096]}),
    Far({"model": {"n_heads": 1, "n_kv_heads": 1, "head_dim": 64}},
        says=("are memory-bound at every batch size.",), silent=("would be compute",)),
    Far(on(peak_tflops="1/1000", bandwidth_gb_per_s=100000), says=("compute-bound from 1 sequence on.",),
        silent=("Memory is full before",)),
]  # fmt: skip

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


def test_heads_that_share_keys_and_values() -> None:
    """Llama-3-8B's shape: k and v are 4096×1024, so that a layer has 2·4096² + 2·4096·1024 + 2·4096·14336 values here."""
    part = solved(entry(model=LLAMA_3))["1"]
    assert part["weights"].value == 2 * (32 * (2 * 4096**2 + 2 * 4096 * 1024 + 2 * 4096 * 14336) + 4096 * 128256)
    assert part["cache"].value == 2**28  # a quarter
    assert part["flops_attention"].value == 2**30  # and as much arithmetic as before


def test_a_step_of_a_small_model_timed_by_hand() -> None:
    """Memory takes all the time: D = N_vocab = 64, H = 2, D_ff = 1, n = 5, one layer and head, FP16, 1 GB/s.

    Bytes with weights, four times D to H or back, twice D to D_ff or back, once D to N_vocab:
    4·2·(66b + 128) + 2·2·(65b + 64) + 2·(128b + 4096) = 1044b + 9472. Attention: b·2·(2 + 10 + 5) twice = 68b.
    """
    slow = accelerator(bandwidth_gb_per_s=1, peak_tflops=1000, memory_gb="17744/1000000000")
    rows = cells(solved(entry(model=SMALL, context_len=5, other_context_lens=[], batch_sizes=[1], accelerator=slow))["2/batches"])
    assert [row[0] for row in rows] == [1, 2]  # weights and embedding take 2·(4·128 + 2·64 + 2·4096) = 17664, a cache 40
    assert [row[5:] for row in rows] == [(F(10_516, 10**6), F(68, 10**6)), (F(11_560, 10**6), F(136, 10**6))]  # ms
    assert rows[1][1:5] == (F(2 * 10**9, 11_696), F(11_696, 10**6), F(2 * 10_584, 11_696), F(11_696, 10_584))


def test_limits() -> None:
    part = worked_out(ID)[2]["3"]
    assert part["balanced"].value == 13  # 13147045888 / 2³⁰ = 12.24
    assert part["fitting"].value == 62  # (80·10⁹ - 13147045888 - 262144000) / 2³⁰ = 62.02
    assert part["compute_bound"].value == 346  # D·I/(D - 2I) = 345.11 with I = 989400/3350
    assert part["memory_first"].holds
    # attention alone: 2 products in 1024 heads, each of 128 + 2048·128 + 2048 values of 2 bytes, at 3350 GB/s
    assert part["caches_alone"].value == F(3350 * 10**9, 2 * 1024 * 2 * (128 + 2048 * 128 + 2048))
    assert 2 * part["outweighed"].value == pytest.approx(part["caches_alone"].value, rel=0.04)
    assert list(part["contexts"]["largest_batch"].cells.values()) == [62, 248, 15]  # 66590810112 / 2²⁸ = 248.07


REFUSED = [
    ({"batch_sizes": [2, 4]}, "batch_sizes: must begin with 1 and rise (got [2, 4])"),
    ({"other_context_lens": [512, 512]}, "other_context_lens: must not repeat an entry (got 512, 512)"),
    ({"model": {**SMALL, "n_heads": 3, "head_dim": None}}, "model: d_model: must be divisible by n_heads (got 64 and 3)"),
    ({"model": {**SMALL, "n_kv_heads": 2}}, "model: n_heads: must be divisible by n_kv_heads (got 1 and 2)"),
    ({"accelerator": accelerator(memory_gb=14)},
     "accelerator.memory_gb: must hold the bytes of the weights and one sequence (got 14 and a length of 2048)"),
]  # fmt: skip
