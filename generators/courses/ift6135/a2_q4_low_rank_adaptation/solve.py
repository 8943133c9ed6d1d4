"""Counts what LoRA and QLoRA store and compute, and chooses between them."""

from __future__ import annotations

from typing import get_args

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text, value_at
from generators.cells import exact, rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.choice import choice
from generators.courses.ift6135.a2_q4_low_rank_adaptation.complexities import complexities
from generators.courses.ift6135.a2_q4_low_rank_adaptation.layer import METHODS, TRAINED, d, h, lffn, m, mha, n, r
from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams, Projection
from generators.table import Table, column, table

ONE = lffn()
"""What parts 4.1 to 4.3 compare: one adapted d×d matrix."""


def solve(params: LowRankParams) -> Answer:
    """All five parts."""
    narrow, size = params.conventions.output_matrix == "d by d", params.conventions.bytes_per_value
    sheet, attention = _sheet(params, narrow=narrow), mha(len(params.lora_on), narrow=narrow)
    return answer(
        sheet,
        _implementation(size, sheet),
        _rank(size, sheet),
        _inference(size, sheet),
        complexities(ONE, attention, sheet, narrow=narrow),
        choice(attention, ONE, size, params.memory_headroom, sheet),
    )


def _sheet(params: LowRankParams, *, narrow: bool) -> Part:
    """What is given."""
    adapted, every = params.lora_on, get_args(Projection)
    return part(
        "sheet",
        "Given",
        letter(n, params.context_len, "tokens"),
        letter(d, params.d_model, "width"),
        letter(r, params.rank, "rank"),
        letter(h, params.n_heads, "heads"),
        letter(m, params.quantized_bits, "bits of a quantized weight"),
        number("full_bits", 8 * params.conventions.bytes_per_value, "bits of a value in full precision"),
        number("headroom", exact(100 * params.memory_headroom), "way to the largest combination", unit="%"),
        *([text("lora_on", ", ".join(one for one in every if one in adapted))] if len(adapted) < len(every) else []),
        claim("some_adapted", len(adapted) < len(every), "some projections of a head have no adapter"),
        claim("several_tokens", params.context_len > 1),
        claim("several_heads", params.n_heads > 1),
        claim("narrow_heads", narrow, "heads share the width"),
        claim("wide_heads", not narrow, "each head has the whole width"),
    )


def _implementation(size: int, sheet: Part) -> Part:
    """What both methods hold for one d×d matrix."""
    return part(
        "4.1",
        "How the updates are implemented",
        formula("full", ONE.frozen_bytes("LoRA", size), "W in LoRA", "M_W", "B"),
        formula("codes", ONE.frozen_bytes("QLoRA", size), "codes and Δ in QLoRA", r"M_{\text{codes}}", "B"),
        formula("dequantization", ONE.weights, "multiplications to dequantize W", asked=True),
        within=sheet,
    )


def _rank(size: int, sheet: Part) -> Part:
    """What the rank costs beside one d×d matrix."""
    adapter, w, codes = size * ONE.trainable, *(ONE.frozen_bytes(one, size) for one in METHODS)
    of_w, of_codes = (value_at(100 * adapter / one, sheet) for one in (w, codes))
    added = sympy.cancel(ONE.multiply_adds() / ONE.multiply_adds(adapters=False) - 1)
    return part(
        "4.2",
        "Choice of the rank",
        formula("trained", TRAINED * adapter, "bytes that A and B need in training", r"M_{\text{train}}", "B", asked=True),
        number("of_w", of_w, "A and B as a share of W", unit="%", asked=True),
        number("of_the_codes", of_codes, "A and B as a share of the codes", unit="%", asked=True),
        formula("added", added, "low-rank products over the product with W", asked=True),
        within=sheet,
    )


def _inference(size: int, sheet: Part) -> Part:
    """Ways to serve one adapted d×d matrix."""
    ways = _ways(size, sheet)
    merged, codes = (rational(ways.rows[key]["weights_moved"]) for key in ("merged", "inside"))
    least, beside, inside = ONE.operations("LoRA", adapters=False), *(ONE.operations(one) for one in METHODS)
    return part(
        "4.3",
        "Speed and latency at inference",
        formula("merging", d**2 * (2 * r + 1), "operations of merging, once", asked=True),
        formula("adapter_adds", sympy.cancel(beside / least - 1), "operations of the adapter over those of merged LoRA"),
        formula("dequantizing_adds", sympy.cancel((inside - beside) / least), "dequantizing over the operations of merged LoRA"),
        ways,
        claim("codes_move_less", codes < merged, "QLoRA reads fewer bytes than merged LoRA"),
        claim("codes_move_no_less", codes >= merged, "QLoRA reads as many bytes as merged LoRA, or more"),
        within=sheet,
    )


def _ways(size: int, sheet: Part) -> Table:
    """What each way computes beyond merged LoRA, and moves; a dequantized copy is written and read again."""
    full, codes = (ONE.frozen_bytes(one, size) for one in METHODS)
    adapter, least = size * ONE.trainable, ONE.operations("LoRA", adapters=False)
    ways = {
        "merged": ("LoRA, merged", least, full),
        "beside": ("LoRA, beside W", ONE.operations("LoRA"), full + adapter),
        "inside": ("QLoRA, no copy", ONE.operations("QLoRA"), codes + adapter),
        "copy": ("QLoRA, copy", ONE.operations("QLoRA"), codes + adapter + 2 * full),
    }
    columns = [
        column("way"),
        column("more_for_n", "More than merged LoRA, n tokens", "%"),
        column("more_for_one", "More than merged LoRA, 1 token", "%"),
        column("bytes", of="weights_moved"),
        column("weights_moved", unit="B"),
    ]
    more = {key: 100 * (operations / least - 1) for key, (_, operations, _) in ways.items()}
    rows = {
        key: (way, value_at(more[key], sheet), value_at(more[key].subs(n, 1), sheet), moved, value_at(moved, sheet))
        for key, (way, _, moved) in ways.items()
    }
    return table("ways", columns, rows, asked=True)
