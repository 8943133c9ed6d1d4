"""Finds the levels, quantizes seeded weights, counts bits, and runs training steps with paged states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import exact, rational
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
from generators.courses.utaustin.lecture25_nf4.paging import Memory, PagedStep, paged_step
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
    on_weights = (_levels(params, weights), _errors(params, weights), _double(params, weights, sheet))
    return answer(sheet, *on_weights, _paging(params, sheet))


def _sheet(params: Nf4Params) -> Part:
    """What is given."""
    run, held = params.training, params.conventions
    (tuned,) = (model for model in params.models if model.name == run.model)
    magnitudes = {f"level_{place}": [exact(sizes[place]) for sizes in MAGNITUDES.values()] for place in range(8)}
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
    taken = in_blocks(weights, params.block_len, "nf4")[1].ravel().tolist()
    shares, counts = probabilities(), [taken.count(code) for code in range(len(probabilities()))]
    found = zip(shares, map(quantile, shares), normal_levels(), counts, strict=True)
    columns = ["code", "probability_below", "quantile", "level", "weights_that_take_it"]
    return part(
        "1",
        "The sixteen levels",
        number("outermost", OUTERMOST, "probability below the largest quantile", "p_{15}"),
        table("levels", columns, {f"code_{code}": (code, *cells) for code, cells in enumerate(found)}, asked=True),
        number("least", min(counts), "weights of the least used code"),
        number("most", max(counts), "weights of the most used code"),
        claim("used_unequally", min(counts) < max(counts)),
    )


def _errors(params: Nf4Params, weights: Sequence[float]) -> Part:
    def by_set(sample: Sequence[float], block_len: int) -> list[float]:
        return [block_error(sample, block_len, key) for key in SETS]

    scale_bits, uniform = params.conventions.scale_bits, uniform_weights(params.sample.seed, len(weights))
    by_block = {
        f"length_{place}": (block_len, CODE_BITS + Fraction(scale_bits, block_len), *by_set(weights, block_len))
        for place, block_len in enumerate(params.sample.block_lens, 1)
    }
    shapes = {"normal": weights, "uniform": uniform}
    by_shape = {shape: (shape, *by_set(sample, params.block_len)) for shape, sample in shapes.items()}
    sets = [column(key, name) for key, name in SETS.items()]
    return part(
        "2",
        "Errors block by block",
        table("blocks", ["block", "bits_a_weight", *sets], by_block),
        table("shapes", ["weights", *sets], by_shape, asked=True),
    )


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
        _rounding(params, weights, [CODE_BITS + plain, CODE_BITS + double]),
        within=sheet,
    )


def _model_memory(params: Nf4Params, bits: Sequence[Fraction]) -> Table:
    rows = {}
    for place, model in enumerate(params.models, 1):
        fp16, nf4, double = (Fraction(model.n_parameters * one) / 8 / GIB for one in bits)
        rows[f"model_{place}"] = (model.name, fp16, nf4, double, nf4 - double)
    names = {"fp16": "FP16", "nf4": "NF4", "nf4_dq": "NF4 + DQ", "saved": "DQ saves"}
    return table("memory", ["model", *(column(key, name, "GiB") for key, name in names.items())], rows, asked=True)


def _rounding(params: Nf4Params, weights: Sequence[float], bits: Sequence[Fraction]) -> Table:
    """What rounding the scales does to them and to the weights."""
    blocks = in_blocks(weights, params.block_len, "nf4")
    scales = blocks[0].ravel().tolist()
    again = rounded_scales(scales, params.second_block_len, params.conventions.quantized_scale_bits)
    off, off_again = (relative_error(restored(blocks, "nf4", one), weights) for one in (scales, again))
    rows = {
        "nf4": ("NF4", exact(bits[0]), 0, off),
        "nf4_dq": ("NF4 + DQ", exact(bits[1]), relative_error(again, scales), off_again),
    }
    return table("rounding", ["kept_as", "bits_a_weight", "error_of_scales", "error_of_weights"], rows)


def _paging(params: Nf4Params, sheet: Part) -> Part:
    formulas = _run_formulas()
    sizes = {str(symbol): int(one) for symbol, one in part("4", "", *formulas, within=sheet).letters.items()}
    memory = Memory(sizes["M"], sizes["M_fixed"], sizes["p"], sizes["P"])
    run = {
        f"step_{place}": (place, tokens, paged_step(memory, sizes["A"] * tokens))
        for place, tokens in enumerate(params.training.tokens, 1)
    }
    spikes = {
        key: (place, tokens, one.left, "0" if one.left == 1 else f"0–{one.left - 1}")
        for key, (place, tokens, one) in run.items()
        if one.left
    }
    moved = 2 * memory.page * sum(one.left for _, _, one in run.values())
    return part(
        "4",
        "Optimizer states in pages",
        *formulas,
        _steps(run, sizes["A"], memory.limit),
        table("spikes", ["step", "tokens", "pages_out", "which"], spikes, asked=True),
        claim("pages_leave", bool(spikes), "pages leave in some step"),
        claim("pages_stay", not spikes, "no page leaves in any step"),
        number("moved", moved, "bytes moved out and back in", unit="B"),
        number("seconds", exact(moved / (params.training.link_gb_per_s * 10**9)), "time of moving", unit="s"),
        within=sheet,
    )


def _run_formulas() -> list[Item]:
    """Adapters of rank r stand beside four D×D and three D×D_ff matrices in each layer."""
    unquantized = "bytes more with embedding and output head of sixteen bits"
    return [
        formula("N_LoRA", r * N_layer * (8 * D + 3 * (D + D_ff)), "values of all adapters", N_LoRA),
        formula("S", 8 * N_LoRA + 4 * 2 * ADAPTED * N_layer, "bytes of Adam's states", S, "B"),
        formula("M_fixed", sympy.ceiling(N * (CODE_BITS + DOUBLE) / 8) + 2 * s * N_LoRA, "bytes that stay", M_fixed, "B"),
        formula("unquantized", 2 * V * D * (16 - CODE_BITS - DOUBLE) / 8, unquantized, unit="B"),
        formula("A", s * N_layer * D, "activations of a token: the input of each layer", A, "B"),
        formula("P", sympy.ceiling(S / p), "pages of states", P),
        formula("most_without", sympy.floor((M - M_fixed - P * p) / A), "most tokens without paging", "n", asked=True),
        formula("most_with", sympy.floor((M - M_fixed) / A), "most tokens with paging", "n'", asked=True),
    ]


def _steps(run: Mapping[str, tuple[int, int, PagedStep]], activations: int, limit: int) -> Table:
    rows = {}
    for key, (place, tokens, one) in run.items():
        peaks = (exact(Fraction(held, MIB)) for held in (activations * tokens, one.peak_without, one.peak))
        rows[key] = (place, tokens, *peaks, "yes" if one.peak_without <= limit else "no", one.left)
    held = [column(key, unit="MiB") for key in ("activations", "peak_unpaged", "peak_paged")]
    return table("steps", ["step", "tokens", *held, "fits_unpaged", "pages_out"], rows)
