"""Finds the levels, quantizes seeded weights, counts bits, and runs training steps with paged states."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, Value, exact, rational
from generators.courses.utaustin.lecture25_nf4.normal_float import (
    MAGNITUDES,
    OUTERMOST,
    block_error,
    in_blocks,
    normal_levels,
    probabilities,
    quantile,
    relative_error,
    restored,
    rounded_scales,
    uniform_weights,
)
from generators.courses.utaustin.lecture25_nf4.paging import Memory, PagedStep, paged_steps, ranges
from generators.courses.utaustin.lecture25_nf4.params import Nf4Params
from generators.table import Table, column, table
from generators.topics.quantization import seeded_weights

N, b1, b2, c1, c2, s = sympy.symbols("N b_1 b_2 c_1 c_2 s", positive=True)
N_layer, D, D_ff, V, r, M, p = sympy.symbols("N_layer D D_ff V r M p", positive=True)
N_LoRA, S, M_fixed, A, P = sympy.symbols("N_LoRA S M_fixed A P", positive=True)
CODE_BITS = 4
ADAPTED = 7
"""Matrices with an adapter in a layer."""
PLAIN, DOUBLE = c1 / b1, c2 / b1 + c1 / (b1 * b2)
"""Bits a weight for the scales of its block, and for quantized scales and the scales of their blocks."""
SETS = {"nf4": "NF4", "int4": "Int4", "fp4": "FP4"}
MIB, GIB = 2**20, 2**30


def solve(params: Nf4Params) -> Answer:
    """The levels, their errors, the bits of scales, and the run with paged states."""
    weights = seeded_weights(params.sample.seed, params.sample.size)
    sheet = _sheet(params)
    return answer(
        sheet,
        _levels(params, weights),
        _errors(params, weights),
        _double(params, weights, sheet),
        _paging(params, sheet),
    )


def _sheet(params: Nf4Params) -> Part:
    """What is given."""
    run, held = params.training, params.conventions
    (tuned,) = (model for model in params.models if model.name == run.model)
    magnitudes: dict[str, dict[str, Cell]] = {
        f"level_{place}": {name: exact(sizes[place]) for name, sizes in MAGNITUDES.items()} for place in range(8)
    }
    return part(
        "sheet",
        "Given",
        number("code_bits", CODE_BITS, "bits of a weight's code"),
        number("size", params.sample.size, "rows and columns of the seeded weights"),
        number("seed", params.sample.seed),
        number("weights", params.sample.size**2),
        table("magnitudes", [column(key, SETS[key]) for key in MAGNITUDES], magnitudes),
        text("model", tuned.name),
        number("limit", run.limit_mib, "memory of the accelerator", unit="MiB"),
        number("link", exact(run.link_gb_per_s), "rate of moving pages", unit="GB/s"),
        letter(N, tuned.n_parameters, "parameters"),
        letter(b1, params.block_len, "weights that share a scale"),
        letter(b2, params.second_block_len, "scales that share a scale"),
        letter(c1, held.scale_bits, "bits of a scale"),
        letter(c2, held.quantized_scale_bits, "bits of a quantized scale"),
        letter(N_layer, run.n_layers, "layers"),
        letter(D, run.d_model, "model width"),
        letter(D_ff, run.d_ff, "width of the feed-forward network"),
        letter(V, run.vocabulary_size, "tokens of the vocabulary"),
        letter(r, run.rank, "rank of the adapters"),
        letter(s, held.bytes_per_value, "bytes of a value", "B"),
        letter(M, run.limit_mib * MIB, "memory of the accelerator", "B"),
        letter(p, run.page_kib * 1024, "page of optimizer states", "B"),
    )


def _levels(params: Nf4Params, weights: Sequence[float]) -> Part:
    taken = in_blocks(weights, params.block_len, "nf4").numbers.ravel().tolist()
    rows: dict[str, dict[str, Cell]] = {
        f"code_{code}": {
            "code": code,
            "probability_below": share,
            "quantile": quantile(share),
            "level": level,
            "weights_that_take_it": taken.count(code),
        }
        for code, (share, level) in enumerate(zip(probabilities(), normal_levels(), strict=True))
    }
    counts = [taken.count(code) for code in range(len(rows))]
    return part(
        "1",
        "The sixteen levels",
        number("outermost", OUTERMOST, "probability below the largest quantile", "p_{15}"),
        table("levels", list(rows["code_0"]), rows, asked=True),
        number("least", min(counts), "weights of the least used code"),
        number("most", max(counts), "weights of the most used code"),
        claim("used_unequally", min(counts) < max(counts)),
    )


def _errors(params: Nf4Params, weights: Sequence[float]) -> Part:
    by_block: dict[str, dict[str, Cell]] = {}
    for place, block_len in enumerate(params.sample.block_lens, 1):
        bits = CODE_BITS + Fraction(params.conventions.scale_bits, block_len)
        by_block[f"length_{place}"] = {"block": block_len, "bits_a_weight": bits, **_by_set(weights, block_len)}
    uniform = uniform_weights(params.sample.seed, len(weights))
    by_shape: dict[str, dict[str, Cell]] = {
        shape: {"weights": shape, **_by_set(sample, params.block_len)}
        for shape, sample in (("normal", weights), ("uniform", uniform))
    }
    sets = [column(key, name) for key, name in SETS.items()]
    return part(
        "2",
        "Errors block by block",
        table("blocks", ["block", "bits_a_weight", *sets], by_block),
        table("shapes", ["weights", *sets], by_shape, asked=True),
    )


def _by_set(weights: Sequence[float], block_len: int) -> dict[str, float]:
    return {key: block_error(weights, block_len, key) for key in SETS}


def _double(params: Nf4Params, weights: Sequence[float], sheet: Part) -> Part:
    overheads = (
        formula("plain", PLAIN, "bits a weight for scales", r"\beta", asked=True),
        formula("double", DOUBLE, "bits a weight for quantized scales", r"\beta'", asked=True),
    )
    plain, double = (rational(part("3", "", *overheads, within=sheet)[key].value) for key in ("plain", "double"))
    return part(
        "3",
        "Double quantization",
        *overheads,
        number("saved", exact(plain - double), "bits a weight saved", asked=True),
        _model_memory(params, [Fraction(16), CODE_BITS + plain, CODE_BITS + double]),
        _rounding(params, weights, [exact(CODE_BITS + plain), exact(CODE_BITS + double)]),
        within=sheet,
    )


def _model_memory(params: Nf4Params, bits: Sequence[Fraction]) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for place, model in enumerate(params.models, 1):
        fp16, nf4, double = (Fraction(model.n_parameters * one) / 8 / GIB for one in bits)
        rows[f"model_{place}"] = {"model": model.name, "fp16": fp16, "nf4": nf4, "nf4_dq": double, "saved": nf4 - double}
    columns = [
        column("model"),
        column("fp16", "FP16", "GiB"),
        column("nf4", "NF4", "GiB"),
        column("nf4_dq", "NF4 + DQ", "GiB"),
        column("saved", "DQ saves", "GiB"),
    ]
    return table("memory", columns, rows, asked=True)


def _rounding(params: Nf4Params, weights: Sequence[float], bits: Sequence[Value]) -> Table:
    """What rounding the scales does to them and to the weights."""
    blocks = in_blocks(weights, params.block_len, "nf4")
    scales = blocks.scales.ravel().tolist()
    again = rounded_scales(scales, params.second_block_len, params.conventions.quantized_scale_bits)
    rows: dict[str, dict[str, Cell]] = {
        "nf4": {
            "kept_as": "NF4",
            "bits_a_weight": bits[0],
            "error_of_scales": 0,
            "error_of_weights": relative_error(restored(blocks, "nf4"), weights),
        },
        "nf4_dq": {
            "kept_as": "NF4 + DQ",
            "bits_a_weight": bits[1],
            "error_of_scales": relative_error(again, scales),
            "error_of_weights": relative_error(restored(blocks, "nf4", again), weights),
        },
    }
    return table("rounding", list(rows["nf4"]), rows)


def _paging(params: Nf4Params, sheet: Part) -> Part:
    formulas = _run_formulas()
    sizes = {str(symbol): int(one) for symbol, one in part("4", "", *formulas, within=sheet).letters.items()}
    memory = Memory(sizes["M"], sizes["M_fixed"], sizes["p"], sizes["P"])
    run = paged_steps(memory, [sizes["A"] * tokens for tokens in params.training.tokens])
    moved = 2 * memory.page * sum(len(one.left) for one in run)
    paged = any(one.left for one in run)
    return part(
        "4",
        "Optimizer states in pages",
        *formulas,
        _steps(params.training.tokens, run, memory.limit),
        _spikes(params.training.tokens, run),
        claim("pages_leave", paged, "pages leave in some step"),
        claim("pages_stay", not paged, "no page leaves in any step"),
        number("moved", moved, "bytes moved out and back in", unit="B"),
        number("seconds", exact(moved / (params.training.link_gb_per_s * 10**9)), "time of moving", unit="s"),
        within=sheet,
    )


def _run_formulas() -> list[Item]:
    """Adapters of rank r stand beside four D×D and three D×D_ff matrices in each layer."""
    return [
        formula("N_LoRA", r * N_layer * (8 * D + 3 * (D + D_ff)), "values of all adapters", N_LoRA),
        formula("S", 8 * N_LoRA + 4 * 2 * ADAPTED * N_layer, "bytes of Adam's states", S, "B"),
        formula("M_fixed", sympy.ceiling(N * (CODE_BITS + DOUBLE) / 8) + 2 * s * N_LoRA, "bytes that stay", M_fixed, "B"),
        formula(
            "unquantized",
            2 * V * D * (16 - CODE_BITS - DOUBLE) / 8,
            "bytes more with embedding and output head of sixteen bits",
            unit="B",
        ),
        formula("A", s * N_layer * D, "activations of a token: the input of each layer", A, "B"),
        formula("P", sympy.ceiling(S / p), "pages of states", P),
        formula("most_without", sympy.floor((M - M_fixed - P * p) / A), "most tokens without paging", "n", asked=True),
        formula("most_with", sympy.floor((M - M_fixed) / A), "most tokens with paging", "n'", asked=True),
    ]


def _steps(tokens: Sequence[int], run: Sequence[PagedStep], limit: int) -> Table:
    rows: dict[str, dict[str, Cell]] = {
        f"step_{place}": {
            "step": place,
            "tokens": count,
            "activations": exact(Fraction(one.activations, MIB)),
            "peak_unpaged": exact(Fraction(one.peak_without, MIB)),
            "peak_paged": exact(Fraction(one.peak, MIB)),
            "fits_unpaged": "yes" if one.peak_without <= limit else "no",
            "pages_out": len(one.left),
        }
        for place, (count, one) in enumerate(zip(tokens, run, strict=True), 1)
    }
    columns = [column(key, unit="MiB" if key in ("activations", "peak_unpaged", "peak_paged") else "") for key in rows["step_1"]]
    return table("steps", columns, rows)


def _spikes(tokens: Sequence[int], run: Sequence[PagedStep]) -> Table:
    """The steps in which pages leave."""
    rows: dict[str, dict[str, Cell]] = {
        f"step_{place}": {"step": place, "tokens": count, "pages_out": len(one.left), "which": ranges(one.left)}
        for place, (count, one) in enumerate(zip(tokens, run, strict=True), 1)
        if one.left
    }
    return table("spikes", ["step", "tokens", "pages_out", "which"], rows, asked=True)
