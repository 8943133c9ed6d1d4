"""Finds the levels, quantizes seeded weights, counts bits, and runs training steps with paged states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import fmean

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, Rounded, exact, rational, significant
from generators.courses.utaustin.lecture25_nf4.normal_float import (
    HALF,
    MAGNITUDES,
    OUTERMOST,
    block_error,
    doubly_quantized,
    largest_quantile,
    normal_levels,
    uniform_weights,
)
from generators.courses.utaustin.lecture25_nf4.params import MIB, Nf4Params, head_widths
from generators.depending import greatest
from generators.table import Table, column, table
from generators.topics.quantization import seeded_weights
from generators.traced import alone

g1, g2, beta1, beta2, s = sympy.symbols("g_1 g_2 beta_1 beta_2 s", positive=True)
N_layer, D, D_q, D_kv, D_ff, N_vocab, R = sympy.symbols("N_layer D D_q D_kv D_ff N_vocab R", positive=True)
M_GPU, M_page, N_code, N_float, N_LoRA = sympy.symbols("M_GPU M_page N_code N_float N_LoRA", positive=True)
M_states, M_fixed, M_token, n_page = sympy.symbols("M_states M_fixed M_token n_page", positive=True)
CODE_BITS = 4
ENDS = {"query": D_q, "key": D_kv, "value": D_kv, "output": D_q, "gate": D_ff, "up": D_ff, "down": D_ff}
"""The other width of each linear layer; one is always the model's."""
PLAIN, DOUBLE = beta1 / g1, beta2 / g1 + beta1 / (g1 * g2)
"""Bits a weight for the scales of its block, and for quantized scales and the scales of their blocks."""
CODES = {"nf4": "NF4", "int4": "Int4, symmetric", "fp4": "FP4", "affine": "Int4, affine", "affine_equal": "Int4, affine"}
GIB = 2**30
Samples = Sequence[tuple[float, ...]]


def solve(params: Nf4Params) -> Answer:
    """The levels, their errors, the bits of scales, and the run with paged states."""
    sample = params.sample
    seeds = range(sample.seed, sample.seed + sample.n_seeds)
    normal, uniform = ([draw(seed, sample.size) for seed in seeds] for draw in (seeded_weights, uniform_weights))
    sheet = _sheet(params)
    sampled = _errors(params, normal, uniform), _errors_of_scales(params, normal)
    return answer(sheet, _levels(), *sampled, _double(params, sheet), _paging(params, sheet))


def _sheet(params: Nf4Params) -> Part:
    """What is given."""
    run, held, sample = params.training, params.conventions, params.sample
    queries, keys = head_widths(run)
    magnitudes = {f"level_{place}": [exact(sizes[place]) for sizes in MAGNITUDES.values()] for place in range(8)}
    return part(
        "sheet",
        "Given",
        number("code_bits", CODE_BITS, "bits of a weight's code"),
        number("size", sample.size, "rows and columns of the seeded weights"),
        number("seed", sample.seed),
        number("n_seeds", sample.n_seeds, "seeds"),
        table("magnitudes", [column(key, CODES[key]) for key in MAGNITUDES], magnitudes),
        text("model", run.model),
        number("limit", run.limit_mib, "memory of the accelerator", unit="MiB"),
        claim("all_adapted", len(run.lora_on) == len(ENDS), "every linear layer has an adapter"),
        claim("some_adapted", len(run.lora_on) < len(ENDS), "some linear layers have an adapter"),
        *([text("lora_on", ", ".join(one for one in ENDS if one in run.lora_on))] if len(run.lora_on) < len(ENDS) else []),
        number("link", exact(run.link_gb_per_s), "rate of moving pages", unit="GB/s"),
        letter(g1, params.block_len, "weights that share a scale"),
        letter(g2, params.second_block_len, "scales that share a scale"),
        letter(beta1, held.scale_bits, "bits of a scale"),
        letter(beta2, held.quantized_scale_bits, "bits of a quantized scale"),
        letter(N_layer, run.n_layers, "layers"),
        letter(D, run.d_model, "model width"),
        letter(D_q, queries, "width of all heads of the queries"),
        letter(D_kv, keys, "width of all heads of the keys"),
        letter(D_ff, run.d_ff, "inner width of the feed-forward networks"),
        letter(N_vocab, run.vocabulary_size, "tokens of the vocabulary"),
        letter(R, run.rank, "rank"),
        letter(s, held.bytes_per_value, "bytes of a value", "B"),
        letter(M_GPU, run.limit_mib * MIB, "memory of the accelerator", "B"),
        letter(M_page, run.page_kib * 1024, "page of optimizer states", "B"),
    )


def _levels() -> Part:
    """Levels by their number of steps from zero; there are seven steps below it and eight above."""
    levels = normal_levels()
    rows: dict[str, tuple[Cell, ...]] = {
        f"step_{step}": (step, levels[HALF - 1 - step] if step < HALF else None, levels[HALF - 1 + step])
        for step in range(1, HALF + 1)
    }
    return part(
        "1",
        "The sixteen levels",
        number("outermost", OUTERMOST, "share of the weights below the largest quantile", r"\eta_{15}"),
        number("largest", largest_quantile(), "largest quantile"),
        table("levels", ["steps_from_zero", "below", "above"], rows, asked=True),
    )


@alone
def _errors(params: Nf4Params, normal: Samples, uniform: Samples) -> Part:
    """Errors as means over the seeds; a claim holds if it does for every seed."""
    block, scale_bits = params.block_len, params.conventions.scale_bits
    blocks = {key: 2 * block if key == "affine_equal" else block for key in CODES}
    errors, even = (
        {key: [block_error(one, blocks[key], key.removesuffix("_equal")) for one in of] for key in CODES}
        for of in (normal, uniform)
    )
    rows = {
        key: (name, blocks[key], CODE_BITS + Fraction((1 + name.endswith("affine")) * scale_bits, blocks[key]),
              _shown(errors[key]), _shown(even[key]))
        for key, name in CODES.items()
    }  # fmt: skip
    by_block = {
        f"length_{place}": (
            length,
            CODE_BITS + Fraction(scale_bits, length),
            _shown([block_error(one, length, "nf4") for one in normal]),
        )
        for place, length in enumerate(params.sample.block_lens, 1)
    }
    of_blocks = [error for _, _, error in by_block.values()]

    def always(better: str, worse: str) -> bool:
        return all(one < other for one, other in zip(errors[better], errors[worse], strict=True))

    return part(
        "2",
        "Errors block by block",
        table("errors", ["code", "block", "bits_a_weight", "normal", "uniform"], rows, asked=True),
        claim("beats_symmetric", always("nf4", "int4"), "NF4 is better than symmetric integers for every seed"),
        claim("affine_is_better", always("affine", "nf4"), "affine integers in the same blocks are better for every seed"),
        claim("wins_at_equal_bits", always("nf4", "affine_equal"), "NF4 is better at equal bits for every seed"),
        claim("smaller_is_nearer", len(of_blocks) > 1 and all(one < other for one, other in pairwise(of_blocks))),
        table("blocks", ["block", "bits_a_weight", column("error", "Error of NF4")], by_block),
    )


def _shown(errors: Sequence[float]) -> Rounded:
    """The mean with three significant digits, as other seeds change the third."""
    return significant(round(fmean(errors), 12), 3)


@alone
def _errors_of_scales(params: Nf4Params, normal: Samples) -> Part:
    sizes = params.block_len, params.second_block_len, params.conventions.quantized_scale_bits
    scales, weights = zip(*(doubly_quantized(one, *sizes) for one in normal), strict=True)
    return part(
        "quantized_scales",
        "Errors with quantized scales",
        number("of_scales", _shown(scales), "relative error of quantized scales"),
        number("of_weights", _shown(weights), "relative error of weights with quantized scales"),
    )


def _double(params: Nf4Params, sheet: Part) -> Part:
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
        within=sheet,
    )


def _model_memory(params: Nf4Params, bits: Sequence[Fraction]) -> Table:
    rows = {}
    for place, model in enumerate(params.models, 1):
        fp16, nf4, double = (model.n_parameters * one / 8 / GIB for one in bits)
        rows[f"model_{place}"] = (model.name, fp16, nf4, double, nf4 - double)
    names = {"fp16": "FP16", "nf4": "NF4", "nf4_dq": "NF4 + DQ", "saved": "DQ saves"}
    return table("memory", ["model", *(column(key, name, "GiB") for key, name in names.items())], rows, asked=True)


def _paging(params: Nf4Params, sheet: Part) -> Part:
    formulas = _run_formulas(params.training.lora_on)
    sizes = {symbol: rational(one.value) for symbol, one in part("4", "", *formulas, within=sheet).letters.items()}
    rows = {
        f"step_{place}": (place, tokens, pages_out(sizes, sizes[M_token] * tokens))
        for place, tokens in enumerate(params.training.tokens, 1)
    }
    moved = 2 * sizes[M_page] * sum(left for _, _, left in rows.values())
    (given,) = (model.n_parameters for model in params.models if model.name == params.training.model)
    return part(
        "4",
        "Optimizer states in pages",
        *formulas,
        number("tensors", 2 * len(params.training.lora_on), "tensors of the adapters of a layer"),
        number("given", given, "parameters that the model's name stands for"),
        table("steps", ["step", "tokens", "pages_out"], rows, asked=True),
        claim("pages_leave", moved > 0, "pages leave in some step"),
        claim("pages_stay", moved == 0, "no page leaves in any step"),
        number("moved", moved, "bytes moved out and back in", unit="B"),
        number("seconds", exact(moved / (params.training.link_gb_per_s * 10**9)), "time of moving", unit="s"),
        within=sheet,
    )


def pages_out(sizes: Mapping[sympy.Symbol, int | Fraction], activations: int | Fraction) -> int:
    """How many pages must leave so that a step's activations fit."""
    missing = sizes[M_fixed] + activations + sizes[n_page] * sizes[M_page] - sizes[M_GPU]
    pages: int = greatest(0, -(-missing // sizes[M_page]))
    return pages


def _run_formulas(lora_on: Sequence[str]) -> list[Item]:
    """Adapters of rank R stand beside the linear layers that are named."""
    ends = sum((D + ENDS[one] for one in lora_on), sympy.Integer(0))
    bits = CODE_BITS + DOUBLE
    return [
        formula("N_code", N_layer * D * (2 * D_q + 2 * D_kv + 3 * D_ff), "weights kept as codes", N_code),
        formula("N_float", D * (2 * N_vocab + 2 * N_layer + 1), "values of embedding, output head and norms", N_float),
        formula("values", N_code + N_float, "values of the model"),
        formula("N_LoRA", R * N_layer * ends, "values of all adapters", N_LoRA),
        formula("M_states", 8 * N_LoRA + 4 * 2 * len(lora_on) * N_layer, "bytes of Adam's states", M_states, "B"),
        formula("M_fixed", sympy.ceiling(N_code * bits / 8) + 2 * N_float + 2 * s * N_LoRA, "bytes that stay", M_fixed, "B"),
        formula("M_token", s * N_layer * D, "activations of a token: the input of each layer", M_token, "B"),
        formula("n_page", sympy.ceiling(M_states / M_page), "pages of states", n_page),
        formula(
            "most_without",
            sympy.floor((M_GPU - M_fixed - n_page * M_page) / M_token),
            "most tokens without paging",
            r"L_{\text{max}}",
            asked=True,
        ),
        formula("most_with", sympy.floor((M_GPU - M_fixed) / M_token), "most tokens with paging", r"L'_{\text{max}}", asked=True),
    ]
