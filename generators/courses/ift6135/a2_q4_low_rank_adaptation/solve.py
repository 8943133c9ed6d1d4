"""Counts what LoRA and QLoRA store and compute, measures the quantization error, and chooses."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, value_at
from generators.cells import Cell, exact, rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.choice import choice
from generators.courses.ift6135.a2_q4_low_rank_adaptation.complexities import complexities
from generators.courses.ift6135.a2_q4_low_rank_adaptation.low_rank import METHODS, READINGS, d, h, lffn, m, n, r
from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.table import Column, Table, column, table
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
    size, flops = params.conventions.bytes_per_value, params.conventions.flops_per_multiply_add
    weights = seeded_weights(params.sample.seed, params.sample.size)
    errors = [measured_error(weights, bits) for bits in sorted({*range(2, 9), params.quantized_bits})]
    (own,) = (one for one in errors if one.bits == params.quantized_bits)
    return part(
        "4.1",
        "How the updates are implemented",
        formula("adapter", size * ONE.trainable_values, "A and B", "M_{AB}", "B", asked=True),
        formula("frozen_full", ONE.frozen_bytes("LoRA", size), "W in full precision", "M_W", "B", asked=True),
        formula("frozen_codes", ONE.frozen_bytes("QLoRA", size), "W as codes and Δ", r"M_{\text{codes}}", "B", asked=True),
        formula("dequantization", ONE.frozen_values, "multiplications to dequantize W", asked=True),
        formula("one_bit_more", d**2 / 8, "bytes of one bit more", unit="B"),
        formula("step_ratio", 2 + 1 / (2 ** (m - 1) - 1), "what one bit more divides the step by"),
        number("step", own.step, "step on the sample"),
        number("largest_error", own.largest, "largest error on the sample"),
        number("relative_error", own.relative, "RMS error over RMS of the sample", asked=True),
        _methods(size, flops, sheet),
        _errors(errors, size, sheet),
        within=sheet,
    )


def _methods(size: int, flops: int, sheet: Part) -> Table:
    rows: dict[str, dict[str, Cell]] = {
        method.lower(): {
            "method": method,
            "frozen_w": value_at(ONE.frozen_bytes(method, size), sheet),
            "a_and_b": value_at(size * ONE.trainable_values, sheet),
            "products": value_at(flops * ONE.multiply_adds(), sheet),
            "elementwise_operations": value_at(ONE.operations(method), sheet),
        }
        for method in METHODS
    }
    columns = [
        column("method"),
        column("frozen_w", "Frozen W", "B"),
        column("a_and_b", "A and B", "B"),
        column("products", unit="FLOP"),
        column("elementwise_operations"),
    ]
    return table("methods", columns, rows)


def _errors(errors: Sequence[QuantizationError], size: int, sheet: Part) -> Table:
    """Bytes of a d×d matrix and the measured error, by bits."""
    rows: dict[str, dict[str, Cell]] = {
        f"bits_{one.bits}": {
            "bits": one.bits,
            "bytes_of_w": value_at(ONE.frozen_bytes("QLoRA", size).subs(m, one.bits), sheet),
            "step": one.step,
            "half_step": one.step / 2,
            "largest_error": one.largest,
            "rms_error": one.rms,
            "relative_error": one.relative,
        }
        for one in errors
    }
    columns = [
        column("bits"),
        column("bytes_of_w", "Bytes of W", "B"),
        column("step", "Δ"),
        column("half_step", "Δ/2"),
        column("largest_error"),
        column("rms_error", "RMS error"),
        column("relative_error", "RMS error / RMS of W"),
    ]
    return table("errors", columns, rows)


DIRECTIONS = r * (2 * d - r)
"""Dimension of the set of d×d matrices of rank r: A and B hold 2dr values, r² of which change nothing."""


def _rank(params: LowRankParams, sheet: Part) -> Part:
    """What rank costs beside one d×d matrix, and from which rank A and B outweigh it."""
    size, flops = params.conventions.bytes_per_value, params.conventions.flops_per_multiply_add
    adapter = size * ONE.trainable_values
    shares = {
        "of_w": 100 * adapter / ONE.frozen_bytes("LoRA", size),
        "of_the_codes": 100 * adapter / ONE.frozen_bytes("QLoRA", size),
        "directions": 100 * DIRECTIONS / d**2,
    }
    added = ONE.low_rank_multiply_adds / ONE.multiply_adds(adapters=False)
    columns = {"a_and_b": adapter, "products": flops * ONE.low_rank_multiply_adds, **shares}
    ranks = sorted({*(4**power for power in range(params.d_model.bit_length())), params.rank, params.d_model})
    rows: dict[str, dict[str, Cell]] = {
        f"rank_{place}": {"rank": rank, **{key: value_at(one.subs(r, rank), sheet) for key, one in columns.items()}}
        for place, rank in enumerate((rank for rank in ranks if rank <= params.d_model), 1)
    }
    return part(
        "4.2",
        "Choice of the rank",
        formula("bytes_each", size * ONE.trainable_values / r, "bytes of A and B for each rank", unit="B", asked=True),
        number("of_w", value_at(shares["of_w"], sheet), "A and B as a share of W", unit="%", asked=True),
        number("of_the_codes", value_at(shares["of_the_codes"], sheet), "A and B as a share of the codes", unit="%", asked=True),
        formula("added", sympy.cancel(added), "low-rank products over the product with W"),
        number("added_share", value_at(100 * added, sheet), "the same as a share", unit="%", asked=True),
        formula("directions", DIRECTIONS, "independent directions of an update of rank r", "D_r"),
        number("directions_share", value_at(shares["directions"], sheet), "share of all directions", unit="%", asked=True),
        formula("heavier_than_full", d / 2, "rank from which A and B outweigh W in full precision", "r_W"),
        formula(
            "heavier_than_codes", m * d / (16 * size), "rank from which A and B outweigh the codes", r"r_{\text{codes}}"
        ),
        table(
            "ranks",
            [
                column("rank"),
                column("a_and_b", "A and B", "B"),
                column("products", "(XA)Bᵀ", "FLOP"),
                column("of_w", "of W", "%"),
                column("of_the_codes", "of the codes", "%"),
                column("directions", unit="%"),
            ],
            rows,
        ),
        _over_rank(params, sheet),
        within=sheet,
    )  # fmt: skip


def _over_rank(params: LowRankParams, sheet: Part) -> Table:
    """Bytes of A and B by rank, beside those of W and of its codes."""
    size = params.conventions.bytes_per_value
    rows: dict[str, dict[str, Cell]] = {
        f"power_{power}": {
            "rank": 2**power,
            "a_and_b": value_at((size * ONE.trainable_values).subs(r, 2**power), sheet),
            "w": value_at(ONE.frozen_bytes("LoRA", size), sheet),
            "codes": value_at(ONE.frozen_bytes("QLoRA", size), sheet),
        }
        for power in range(params.d_model.bit_length())
    }
    columns = [
        column("rank"),
        column("a_and_b", "A and B", "B"),
        column("w", f"W, {8 * size} bits", "B"),
        column("codes", f"codes, {params.quantized_bits} bits", "B"),
    ]
    return table("over_rank", columns, rows, drawn=True)


def _inference(params: LowRankParams, sheet: Part) -> Part:
    """Ways to serve one adapted d×d matrix, for a whole context and for one token."""
    size, flops = params.conventions.bytes_per_value, params.conventions.flops_per_multiply_add
    traffic = _traffic(size, sheet)
    moved = {key: rational(cells["weights_moved_in_a_pass"]) for key, cells in traffic.rows.items()}
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
        claim("codes_move_less", moved["inside"] < moved["merged"]),
        claim("codes_move_as_much", moved["inside"] == moved["merged"]),
        claim("codes_move_more", moved["inside"] > moved["merged"]),
        within=sheet,
    )


def _work(context_len: int, flops: int, sheet: Part) -> Table:
    """FLOPs and elementwise operations of one d×d matrix served in three ways, for the context and for one token."""
    ways = {
        "merged": ("LoRA, merged into W", ONE.multiply_adds(adapters=False), ONE.operations("LoRA", adapters=False)),
        "beside": ("LoRA, beside W", ONE.multiply_adds(), ONE.operations("LoRA")),
        "codes": ("QLoRA, beside the codes", ONE.multiply_adds(), ONE.operations("QLoRA")),
    }
    rows: dict[str, dict[str, Cell]] = {}
    for place, tokens in {"context": context_len, **({"token": 1} if context_len > 1 else {})}.items():
        least = value_at((flops * ways["merged"][1] + ways["merged"][2]).subs(n, tokens), sheet)
        for key, (way, products, other) in ways.items():
            counts = [rational(value_at(one.subs(n, tokens), sheet)) for one in (flops * products, other)]
            rows[f"{place}.{key}"] = {
                "way": way,
                "tokens": tokens,
                "products": exact(counts[0]),
                "elementwise_operations": exact(counts[1]),
                "more_than_merged": exact(100 * (sum(counts) / rational(least) - 1)),
            }
    columns: list[Column | str] = [
        "way",
        "tokens",
        column("products", unit="FLOP"),
        "elementwise_operations",
        column("more_than_merged", unit="%"),
    ]
    return table("work", columns, rows, asked=True)


def _traffic(size: int, sheet: Part) -> Table:
    """Bytes of weights held and moved in one pass of one d×d matrix; a dequantized copy is written and read again."""
    full, codes = (rational(value_at(ONE.frozen_bytes(method, size), sheet)) for method in METHODS)
    both = rational(value_at(size * ONE.trainable_values, sheet))
    ways = {
        "merged": ("LoRA, merged into W", full, 0, full),
        "beside": ("LoRA, beside W", full + both, 0, full + both),
        "inside": ("QLoRA, dequantized inside the product", codes + both, 0, codes + both),
        "copy": ("QLoRA, dequantized into a copy", codes + both, full, codes + both + 2 * full),
    }
    keys = ("weights_held", "copy_in_full_precision", "weights_moved_in_a_pass")
    rows: dict[str, dict[str, Cell]] = {
        key: {"way": way, **dict(zip(keys, map(exact, counts), strict=True))} for key, (way, *counts) in ways.items()
    }
    return table("traffic", ["way", *(column(key, unit="B") for key in keys)], rows, asked=True)
