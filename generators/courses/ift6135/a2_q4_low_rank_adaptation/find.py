"""Finds what LoRA and QLoRA store and compute again, from torch modules that are run under recorders.

From the sheet: W in full precision or as m-bit integers with one Δ a matrix, dequantized before each product; A and B of
d×r beside the query, key and value of every head and beside W^F, none beside W^O; trainable space is that of A and B.
"""

from __future__ import annotations

from collections.abc import Iterator

from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.found import Found, Proof, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)


def find(params: LowRankParams) -> Iterator[Found | Proof]:
    """Everything that is published."""
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.find_choice import find_choice
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.find_complexities import find_complexities
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.find_matrix import find_matrix
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Entry

    entry = Entry(params)
    yield from _given(params)
    yield from find_matrix(entry)
    yield from find_complexities(entry)
    yield from find_choice(entry, params.memory_headroom)


def _given(params: LowRankParams) -> Iterator[Found]:
    held, narrow = params.conventions, params.conventions.output_matrix == "d_by_d_narrow_heads"
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", n=params.context_len, d=params.d_model, r=params.rank)
    yield from SHEET.letters("sheet", h=params.n_heads, m=params.quantized_bits)
    yield from SHEET.values("sheet", full_bits=8 * held.bytes_per_value, bytes_per_value=held.bytes_per_value)
    yield from SHEET.values("sheet", flops=held.flops_per_multiply_add, size=params.sample.size, seed=params.sample.seed)
    yield from SHEET.values("sheet", unit="%", headroom=100 * params.memory_headroom)
    yield from SHEET.values("sheet", narrow_heads=narrow, wide_heads=not narrow)
    yield from SHEET.values("sheet", several_tokens=params.context_len > 1, several_heads=params.n_heads > 1)
    for part, title in (
        ("4.1", "How the updates are implemented"),
        ("4.2", "Choice of the rank"),
        ("4.3", "Speed and latency at inference"),
        ("4.4a", "Time and trainable space"),
        ("4.4b", "LoRA or QLoRA for each module"),
    ):
        yield from SHEET.part(part, title)
