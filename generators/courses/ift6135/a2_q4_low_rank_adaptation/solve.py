"""Counts what LoRA and QLoRA store and compute, measures the quantization error, and chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, value_at
from generators.cells import Value, exact, rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.choice import choice
from generators.courses.ift6135.a2_q4_low_rank_adaptation.complexities import complexities
from generators.courses.ift6135.a2_q4_low_rank_adaptation.low_rank import METHODS, READINGS, d, h, lffn, m, n, r
from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.table import Table, column, table
from generators.topics.quantization import QuantizationError, measured_error, seeded_weights

ONE = lffn()
"""What parts 4.1 to 4.3 compare: one d×d matrix."""


def solve(params: LowRankParams) -> Answer:
    """All five parts."""
    sheet = _sheet(params)
    reading, size = READINGS[params.conventions.output_matrix], params.conventions.bytes_per_value
    return answer(
        sheet,
        _implementation(params, sheet),
        _rank(params, sheet),
        _inference(params, sheet),
        complexities(params.conventions.output_matrix, size, sheet),
        choice(reading, size, params.conventions.flops_per_multiply_add, params.memory_headroom, sheet),
    )


def _sheet(params: LowRankParams) -> Part:
    """What is given."""
    held = params.conventions
    narrow = held.output_matrix == "d_by_d_narrow_heads"
    return part(
        "sheet",
        "Given",
        letter(n, params.context_len, "tokens"),
        letter(d, params.d_model, "width"),
        letter(r, params.rank, "rank"),
        letter(h, params.n_heads, "heads"),
        letter(m, params.quantized_bits, "bits of a quantized weight"),
        number("full_bits", 8 * held.bytes_per_value, "bits of a value in full precision"),
        number("bytes_per_value", held.bytes_per_value, "bytes of a value in full precision"),
        number("flops", held.flops_per_multiply_add, "FLOPs of a multiply-add"),
        number("size", params.sample.size, "rows and columns of the seeded weights"),
        number("seed", params.sample.seed),
        number("headroom", exact(100 * params.memory_headroom), "way to the largest combination", unit="%"),
        claim("several_tokens", params.context_len > 1),
        claim("several_heads", params.n_heads > 1),
        claim("narrow_heads", narrow, "heads share the width"),
        claim("wide_heads", not narrow, "each head has the whole width"),
    )


def _implementation(params: LowRankParams, sheet: Part) -> Part:
    """One d×d matrix under both methods, and the error measured on the sample."""
    size = params.conventions.bytes_per_value
    weights = seeded_weights(params.sample.seed, params.sample.size)
    errors = {bits: measured_error(weights, bits) for bits in sorted({*range(2, 9), params.quantized_bits})}
    own, adapter, codes = errors[params.quantized_bits], size * ONE.trainable_values, ONE.frozen_bytes("QLoRA", size)
    return part(
        "4.1",
        "How the updates are implemented",
        formula("adapter", adapter, "A and B", "M_{AB}", "B", asked=True),
        formula("frozen_full", ONE.frozen_bytes("LoRA", size), "W in full precision", "M_W", "B", asked=True),
        formula("frozen_codes", codes, "W as codes and Δ", r"M_{\text{codes}}", "B", asked=True),
        formula("dequantization", ONE.frozen_values, "multiplications to dequantize W", asked=True),
        formula("one_bit_more", d**2 / 8, "bytes of one bit more", unit="B"),
        formula("step_ratio", 2 + 1 / (2 ** (m - 1) - 1), "what one bit more divides the step by"),
        number("step", own.step, "step on the sample"),
        number("largest_error", own.largest, "largest error on the sample"),
        number("relative_error", own.relative, "RMS error over RMS of the sample", asked=True),
        _methods(params, sheet),
        _errors(errors, codes, sheet),
        within=sheet,
    )


def _methods(params: LowRankParams, sheet: Part) -> Table:
    """What both methods hold and compute for one d×d matrix."""
    size, flops = params.conventions.bytes_per_value, params.conventions.flops_per_multiply_add
    columns = [
        column("method"),
        column("frozen_w", "Frozen W", "B"),
        column("a_and_b", "A and B", "B"),
        column("products", unit="FLOP"),
        column("elementwise_operations"),
    ]
    shared = size * ONE.trainable_values, flops * ONE.multiply_adds()
    held = {one: (ONE.frozen_bytes(one, size), *shared, ONE.operations(one)) for one in METHODS}
    return table("methods", columns, {one.lower(): (one, *(value_at(cell, sheet) for cell in held[one])) for one in METHODS})


def _errors(errors: Mapping[int, QuantizationError], codes: sympy.Expr, sheet: Part) -> Table:
    """The measured error for each number of bits."""
    columns = [
        column("bits"),
        column("bytes_of_w", "Bytes of W", "B"),
        column("step", "Δ"),
        column("half_step", "Δ/2"),
        column("largest_error"),
        column("rms_error", "RMS error"),
        column("relative_error", "RMS error / RMS of W"),
    ]
    rows = {
        f"bits_{bits}": (bits, value_at(codes.subs(m, bits), sheet), one.step, one.step / 2, one.largest, one.rms, one.relative)
        for bits, one in errors.items()
    }
    return table("errors", columns, rows)


DIRECTIONS = r * (2 * d - r)
"""Dimension of the set of d×d matrices of rank r: A and B hold 2dr values, r² of which change nothing."""


def _rank(params: LowRankParams, sheet: Part) -> Part:
    """What rank costs beside one d×d matrix, and from which rank A and B outweigh it."""
    size, flops = params.conventions.bytes_per_value, params.conventions.flops_per_multiply_add
    adapter, w, codes = size * ONE.trainable_values, ONE.frozen_bytes("LoRA", size), ONE.frozen_bytes("QLoRA", size)
    shares = [100 * adapter / w, 100 * adapter / codes, 100 * DIRECTIONS / d**2]
    of_w, of_codes, of_directions = (value_at(one, sheet) for one in shares)
    added = ONE.low_rank_multiply_adds / ONE.multiply_adds(adapters=False)
    return part(
        "4.2",
        "Choice of the rank",
        formula("bytes_each", adapter / r, "bytes of A and B for each rank", unit="B", asked=True),
        number("of_w", of_w, "A and B as a share of W", unit="%", asked=True),
        number("of_the_codes", of_codes, "A and B as a share of the codes", unit="%", asked=True),
        formula("added", sympy.cancel(added), "low-rank products over the product with W"),
        number("added_share", value_at(100 * added, sheet), "the same as a share", unit="%", asked=True),
        formula("directions", DIRECTIONS, "independent directions of an update of rank r", "D_r"),
        number("directions_share", of_directions, "share of all directions", unit="%", asked=True),
        formula("heavier_than_full", d / 2, "rank from which A and B outweigh W in full precision", "r_W"),
        formula(
            "heavier_than_codes", m * d / (16 * size), "rank from which A and B outweigh the codes", r"r_{\text{codes}}"
        ),
        _ranks(params, sheet, (adapter, flops * ONE.low_rank_multiply_adds, *shares)),
        _over_rank(params, sheet, (adapter, w, codes)),
        within=sheet,
    )  # fmt: skip


def _at(rank: int, columns: Sequence[sympy.Expr], sheet: Part) -> tuple[Value, ...]:
    return rank, *(value_at(one.subs(r, rank), sheet) for one in columns)


def _ranks(params: LowRankParams, sheet: Part, costs: Sequence[sympy.Expr]) -> Table:
    """What A and B cost at powers of four, at the page's rank and at full rank."""
    columns = [
        column("rank"),
        column("a_and_b", "A and B", "B"),
        column("products", "(XA)Bᵀ", "FLOP"),
        column("of_w", "of W", "%"),
        column("of_the_codes", "of the codes", "%"),
        column("directions", unit="%"),
    ]
    ranks = {*(4**power for power in range(params.d_model.bit_length())), params.rank, params.d_model}
    kept = sorted(rank for rank in ranks if rank <= params.d_model)
    return table("ranks", columns, {f"rank_{place}": _at(rank, costs, sheet) for place, rank in enumerate(kept, 1)})


def _over_rank(params: LowRankParams, sheet: Part, held: Sequence[sympy.Expr]) -> Table:
    """Bytes of A and B, of W and of the codes at powers of two."""
    columns = [
        column("rank"),
        column("a_and_b", "A and B", "B"),
        column("w", f"W, {8 * params.conventions.bytes_per_value} bits", "B"),
        column("codes", f"codes, {params.quantized_bits} bits", "B"),
    ]
    powers = range(params.d_model.bit_length())
    return table("over_rank", columns, {f"power_{power}": _at(2**power, held, sheet) for power in powers}, drawn=True)


def _inference(params: LowRankParams, sheet: Part) -> Part:
    """Ways to serve one adapted d×d matrix, for a whole context and for one token."""
    flops = params.conventions.flops_per_multiply_add
    traffic = _traffic(params.conventions.bytes_per_value, sheet)
    merged, codes = (rational(traffic.rows[key]["weights_moved_in_a_pass"]) for key in ("merged", "inside"))
    return part(
        "4.3",
        "Speed and latency at inference",
        formula("merge_products", flops * d**2 * r, "FLOPs of merging, once", r"F_{\text{merge}}", "FLOP", asked=True),
        formula("merge_additions", d**2, "additions of merging, once", r"E_{\text{merge}}"),
        formula(
            "merged_after", d * (flops * r + 1) / (2 * flops * r + 1), "tokens after which merging has paid", "T", asked=True
        ),
        formula("share_of_product", 1 / (flops * n), "dequantization over the FLOPs of XW", "d^2 / F_{XW}"),
        number("share_of_context", value_at(100 / (flops * n), sheet), "the same as a share", unit="%", asked=True),
        number("share_of_token", exact(sympy.Rational(100, flops)), "the same for one token", unit="%"),
        _work(params.context_len, flops, sheet),
        traffic,
        claim("codes_move_less", codes < merged),
        claim("codes_move_as_much", codes == merged),
        claim("codes_move_more", codes > merged),
        within=sheet,
    )


def _work(context_len: int, flops: int, sheet: Part) -> Table:
    """FLOPs and elementwise operations of one d×d matrix served in three ways, for the context and for one token."""
    ways = {
        "merged": ("LoRA, merged into W", ONE.multiply_adds(adapters=False), ONE.operations("LoRA", adapters=False)),
        "beside": ("LoRA, beside W", ONE.multiply_adds(), ONE.operations("LoRA")),
        "codes": ("QLoRA, beside the codes", ONE.multiply_adds(), ONE.operations("QLoRA")),
    }
    rows = {}
    for place, tokens in {"context": context_len, **({"token": 1} if context_len > 1 else {})}.items():
        least = flops * ways["merged"][1] + ways["merged"][2]
        for key, (way, products, other) in ways.items():
            counts = (flops * products, other, 100 * ((flops * products + other) / least - 1))
            rows[f"{place}.{key}"] = (way, tokens, *(value_at(one.subs(n, tokens), sheet) for one in counts))
    products_column, more = column("products", unit="FLOP"), column("more_than_merged", unit="%")
    return table("work", ["way", "tokens", products_column, "elementwise_operations", more], rows, asked=True)


def _traffic(size: int, sheet: Part) -> Table:
    """Bytes of weights held and moved in one pass of one d×d matrix; a dequantized copy is written and read again."""
    full, codes, adapter = (
        value_at(one, sheet) for one in (*(ONE.frozen_bytes(method, size) for method in METHODS), size * ONE.trainable_values)
    )
    columns = [column(key, unit="B") for key in ("weights_held", "copy_in_full_precision", "weights_moved_in_a_pass")]
    ways = {
        "merged": ("LoRA, merged into W", full, 0, full),
        "beside": ("LoRA, beside W", full + adapter, 0, full + adapter),
        "inside": ("QLoRA, dequantized inside the product", codes + adapter, 0, codes + adapter),
        "copy": ("QLoRA, dequantized into a copy", codes + adapter, full, codes + adapter + 2 * full),
    }
    return table("traffic", ["way", *columns], ways, asked=True)
