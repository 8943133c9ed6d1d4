"""Finds QLoRA's numbers again: quantiles by torch, nearest levels by distance, tensors and AdamW's states weighed.

From the paper (arXiv 2305.14314): the outermost of 16 levels lies half-way between those of 15 and of 16 even shares, blocks
are scaled by their largest magnitude, and scales less their mean are quantized in blocks of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from generators.courses.utaustin.lecture25_nf4.params import Nf4Params
from generators.found import Found, Route

SHEET = Route("the lecture and the parameters, read again", restates=True)
NDTRI = Route("torch.special.ndtri, float64", tolerance=1e-9, absolute=1e-12)
PRINTED = Route("arXiv 2305.14314: the levels in its appendix", tolerance=1e-6)
SHARES = Route("the shares that levels stand for, halved")
CODES = Route("the bits of sign, exponent and mantissa, written out")
NEAREST = Route("torch, the nearest of all levels by distance", tolerance=1e-9)
WEIGHED = Route("torch, nbytes of the tensors kept")
SCALED = Route("bits a weight of a few blocks' tensors, times the weights")
ADAMW = Route("torch.optim.AdamW, a step on meta tensors")
COUNTED = Route("bisection on what fits")
MISSING = Route("what is missing, in whole pages")

LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""As the paper's appendix lists them, in FP32."""
SETS = {"nf4": "NF4", "int4": "Int4", "fp4": "FP4"}
KIB, MIB, GIB = 2**10, 2**20, 2**30


def find(params: Nf4Params) -> Iterator[Found]:
    """Everything that is published about levels, errors, bits and the run."""
    yield from _given(params)
    yield from _levels(params)
    yield from _errors(params)
    yield from _double(params)
    yield from _paging(params)


def _given(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import float_magnitudes

    run, held = params.training, params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", code_bits=4, size=params.sample.size, seed=params.sample.seed, weights=params.sample.size**2)
    magnitudes = {f"level_{code}": (code, size) for code, size in enumerate(sorted(float_magnitudes()))}
    yield from CODES.table("sheet", "magnitudes", magnitudes, headings={"int4": "Int4", "fp4": "FP4"}, columns=["int4", "fp4"])
    yield from SHEET.values("sheet", model=run.model)
    yield from SHEET.values("sheet", unit="MiB", limit=run.limit_mib)
    yield from SHEET.values("sheet", unit="GB/s", link=run.link_gb_per_s)
    counts = {model.name: model.n_parameters for model in params.models}
    yield from SHEET.letters(
        "sheet", N=counts[run.model], b_1=params.block_len, b_2=params.second_block_len, c_1=held.scale_bits,
        c_2=held.quantized_scale_bits, N_layer=run.n_layers, D=run.d_model, D_ff=run.d_ff, V=run.vocabulary_size, r=run.rank,
    )  # fmt: skip
    yield from SHEET.letters("sheet", unit="B", s=held.bytes_per_value, M=run.limit_mib * MIB, p=run.page_kib * KIB)


def _levels(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import kept, levels, quantiles, shares

    yield from SHEET.part("1", "The sixteen levels")
    outermost = (Fraction(15 - Fraction(1, 2), 15) + Fraction(16 - Fraction(1, 2), 16)) / 2
    yield from SHARES.values("1", outermost=outermost, symbols={"outermost": "p_{15}"})
    counts = kept((params.sample.seed, params.sample.size, False), params.block_len, "nf4")[1].flatten().bincount(minlength=16)
    cells = zip(range(16), shares(), quantiles().tolist(), levels("nf4").tolist(), counts.tolist(), strict=True)
    columns = ["code", "probability_below", "quantile", "level", "weights_that_take_it"]
    yield from NDTRI.table("1", "levels", {f"code_{one[0]}": one for one in cells}, columns=columns)
    yield from PRINTED.cells("1", "levels", {f"code_{code}": {"level": one} for code, one in enumerate(LEVELS)})
    least, most = int(counts.min()), int(counts.max())
    yield from NEAREST.values("1", least=least, most=most, used_unequally=most != least)


def _errors(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import error

    sample = params.sample
    shapes = {shape: (sample.seed, sample.size, shape == "uniform") for shape in ("normal", "uniform")}
    yield from SHEET.part("2", "Errors block by block")
    blocks = {}
    for place, length in enumerate(sample.block_lens, 1):
        codes, scales, _ = _bits(params, length)
        blocks[f"length_{place}"] = (length, codes + scales, *(error(shapes["normal"], length, name) for name in SETS))
    yield from NEAREST.table("2", "blocks", blocks, headings=SETS, columns=["block", "bits_a_weight", *SETS])
    rows = {shape: (shape, *(error(key, params.block_len, name) for name in SETS)) for shape, key in shapes.items()}
    yield from NEAREST.table("2", "shapes", rows, headings=SETS, columns=["weights", *SETS])


def _bits(params: Nf4Params, block_len: int) -> tuple[Fraction, Fraction, Fraction]:
    from generators.courses.utaustin.lecture25_nf4.weighed_tensors import bits_a_weight

    held = params.conventions
    return bits_a_weight(held.scale_bits, held.quantized_scale_bits, block_len, params.second_block_len)


def _double(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import doubly, error

    codes, plain, double = _bits(params, params.block_len)
    yield from SHEET.part("3", "Double quantization")
    yield from WEIGHED.values("3", plain=plain, double=double, symbols={"plain": r"\beta", "double": r"\beta'"})
    yield from WEIGHED.values("3", saved=plain - double)
    memory = {}
    for place, model in enumerate(params.models, 1):
        fp16, nf4, both = (model.n_parameters * bits / 8 / GIB for bits in (Fraction(16), codes + plain, codes + double))
        memory[f"model_{place}"] = (model.name, fp16, nf4, both, nf4 - both)
    headings = {"fp16": "FP16", "nf4": "NF4", "nf4_dq": "NF4 + DQ", "saved": "DQ saves"}
    yield from SCALED.table("3", "memory", memory, units=dict.fromkeys(headings, "GiB"), headings=headings,
                            columns=["model", *headings])  # fmt: skip
    key = (params.sample.seed, params.sample.size, False)
    again = doubly(key, params.block_len, params.second_block_len, params.conventions.quantized_scale_bits)
    rounding = {
        "nf4": ("NF4", codes + plain, 0, error(key, params.block_len, "nf4")),
        "nf4_dq": ("NF4 + DQ", codes + double, *again),
    }
    columns = ["kept_as", "bits_a_weight", "error_of_scales", "error_of_weights"]
    yield from NEAREST.table("3", "rounding", rounding, columns=columns)


def _most(held: int, token: int, limit: int) -> int:
    """The most tokens that fit beside what is held, by bisection."""
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if held + middle * token <= limit else (low, middle)
    return low


def _paging(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.weighed_tensors import adapters, layer_inputs, unquantized

    training, element, page = params.training, params.conventions.bytes_per_value, params.training.page_kib * KIB
    count = next(model.n_parameters for model in params.models if model.name == training.model)
    codes, _, double = _bits(params, params.block_len)
    layer = adapters(training.rank, training.d_model, training.d_ff, element)
    values, trained, states = (training.n_layers * one for one in layer)
    fixed, token = math.ceil(count * (codes + double) / 8) + trained, layer_inputs(training.n_layers, training.d_model, element)
    pages = len(range(0, states, page))
    yield from SHEET.part("4", "Optimizer states in pages")
    yield from ADAMW.letters("4", N_LoRA=values)
    yield from ADAMW.letters("4", unit="B", S=states)
    yield from SCALED.letters("4", unit="B", M_fixed=fixed)
    yield from WEIGHED.letters("4", unit="B", A=token)
    yield from SCALED.values("4", unit="B", unquantized=unquantized(training.vocabulary_size, training.d_model, codes + double))
    yield from COUNTED.letters("4", P=pages)
    without, most = (_most(held, token, training.limit_mib * MIB) for held in (fixed + pages * page, fixed))
    yield from COUNTED.values("4", most_without=without, most_with=most, symbols={"most_without": "n", "most_with": "n'"})
    yield from _steps(params, fixed, token, pages * page)


def _steps(params: Nf4Params, fixed: int, token: int, states: int) -> Iterator[Found]:
    """Pages leave in order, from the first on, as many as hold what is missing."""
    limit, page = params.training.limit_mib * MIB, params.training.page_kib * KIB
    rows: dict[str, tuple[Any, ...]] = {}
    spikes: dict[str, tuple[Any, ...]] = {}
    for place, tokens in enumerate(params.training.tokens, 1):
        needed = tokens * token
        missing = max(0, fixed + needed + states - limit)
        out = -(-missing // page)
        held = (needed, fixed + needed + states, fixed + max(needed + states - out * page, states))
        mib = (Fraction(one, MIB) for one in held)
        rows[f"step_{place}"] = (place, tokens, *mib, "no" if missing else "yes", out)
        if out:
            spikes[f"step_{place}"] = (place, tokens, out, "0" if out == 1 else f"0–{out - 1}")
    units = dict.fromkeys(("activations", "peak_unpaged", "peak_paged"), "MiB")
    columns = ["step", "tokens", *units, "fits_unpaged", "pages_out"]
    yield from MISSING.table("4", "steps", rows, units=units, columns=columns)
    yield from MISSING.table("4", "spikes", spikes, columns=["step", "tokens", "pages_out", "which"])
    yield from MISSING.values("4", pages_leave=bool(spikes), pages_stay=not spikes)
    moved = 2 * page * sum(cells[-1] for cells in rows.values())
    yield from MISSING.values("4", unit="B", moved=moved)
    yield from MISSING.values("4", unit="s", seconds=moved / (params.training.link_gb_per_s * 10**9))
