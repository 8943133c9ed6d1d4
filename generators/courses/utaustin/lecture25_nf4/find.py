"""Finds QLoRA's numbers again: quantiles by bisection, nearest levels by distance, tensors and AdamW's states weighed.

From the paper (arXiv 2305.14314): the outermost of 16 levels lies half-way between those of 15 and of 16 even shares, blocks
are scaled by their largest magnitude, and scales less their mean are quantized in blocks of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from generators.courses.utaustin.lecture25_nf4.params import Nf4Params
from generators.found import Found, Proof, Route

SHEET = Route("the lecture and the parameters, read again", restates=True)
BISECTED = Route("bisection of math.erf", tolerance=1e-9, absolute=1e-12)
NDTRI = Route("torch.special.ndtri, float64", tolerance=1e-9, absolute=1e-12)
PRINTED = Route("arXiv 2305.14314: the levels in its appendix", tolerance=1e-6)
SHARES = Route("the shares that levels stand for, halved")
CODES = Route("the bits of sign, exponent and mantissa, written out")
NEAREST = Route("torch, the nearest of all levels by distance", tolerance=1e-9)
FAKE = Route("torch.fake_quantize, float32", tolerance=1e-6)
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


def find(params: Nf4Params) -> Iterator[Found | Proof]:
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
    magnitudes = {f"level_{code}": {"int4": code, "fp4": size} for code, size in enumerate(sorted(float_magnitudes()))}
    yield from CODES.table("sheet", "magnitudes", magnitudes, headings={"int4": "Int4", "fp4": "FP4"})
    yield from SHEET.values("sheet", model=run.model)
    yield from SHEET.values("sheet", unit="MiB", limit=run.limit_mib)
    yield from SHEET.values("sheet", unit="GB/s", link=run.link_gb_per_s)
    counts = {model.name: model.n_parameters for model in params.models}
    yield from SHEET.letters(
        "sheet", N=counts[run.model], b_1=params.block_len, b_2=params.second_block_len, c_1=held.scale_bits,
        c_2=held.quantized_scale_bits, N_layer=run.n_layers, D=run.d_model, D_ff=run.d_ff, V=run.vocabulary_size, r=run.rank,
    )  # fmt: skip
    yield from SHEET.letters("sheet", unit="B", s=held.bytes_per_value, M=run.limit_mib * MIB, p=run.page_kib * KIB)


def _levels(params: Nf4Params) -> Iterator[Found | Proof]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import bisected, by_torch, shares, uses

    yield from SHEET.part("1", "The sixteen levels")
    outermost = (Fraction(15 - Fraction(1, 2), 15) + Fraction(16 - Fraction(1, 2), 16)) / 2
    yield from SHARES.values("1", outermost=outermost, symbols={"outermost": "p_{15}"})
    counts = uses((params.sample.seed, params.sample.size, False), params.block_len)
    largest = bisected(shares()[-1])
    rows: dict[str, dict[str, Any]] = {}
    for code, (share, used) in enumerate(zip(shares(), counts, strict=True)):
        quantile = bisected(share)
        rows[f"code_{code}"] = {
            "code": code, "probability_below": share, "quantile": quantile, "level": quantile / largest,
            "weights_that_take_it": used,
        }  # fmt: skip
    yield from BISECTED.table("1", "levels", rows)
    found = by_torch()
    yield from NDTRI.cells(
        "1", "levels", {f"code_{code}": {"quantile": one, "level": one / max(found)} for code, one in enumerate(found)}
    )
    yield from PRINTED.cells("1", "levels", {f"code_{code}": {"level": one} for code, one in enumerate(LEVELS)})
    yield from NEAREST.values("1", least=min(counts), most=max(counts), used_unequally=len(set(counts)) > 1)


def _errors(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import error, faked

    sample = params.sample
    normal, uniform = ((sample.seed, sample.size, one) for one in (False, True))
    yield from SHEET.part("2", "Errors block by block")
    blocks = {
        f"length_{place}": {
            "block": length,
            "bits_a_weight": 4 + _overheads(params, length)[0],
            **{name: error(normal, length, name) for name in SETS},
        }
        for place, length in enumerate(sample.block_lens, 1)
    }
    yield from NEAREST.table("2", "blocks", blocks, headings=SETS)
    integers = {f"length_{place}": {"int4": faked(normal, length)} for place, length in enumerate(sample.block_lens, 1)}
    yield from FAKE.cells("2", "blocks", integers)
    shapes = {
        shape: {"weights": shape, **{name: error(key, params.block_len, name) for name in SETS}}
        for shape, key in (("normal", normal), ("uniform", uniform))
    }
    yield from NEAREST.table("2", "shapes", shapes, headings=SETS)


def _overheads(params: Nf4Params, block_len: int) -> tuple[Fraction, Fraction]:
    from generators.courses.utaustin.lecture25_nf4.weighed_tensors import overheads

    held = params.conventions
    return overheads(held.scale_bits, held.quantized_scale_bits, block_len, params.second_block_len)


def _double(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import doubly, error

    plain, double = _overheads(params, params.block_len)
    yield from SHEET.part("3", "Double quantization")
    yield from WEIGHED.values("3", plain=plain, double=double, symbols={"plain": r"\beta", "double": r"\beta'"})
    yield from WEIGHED.values("3", saved=plain - double)
    memory = {}
    for place, model in enumerate(params.models, 1):
        fp16, nf4, both = (model.n_parameters * bits / 8 / GIB for bits in (Fraction(16), 4 + plain, 4 + double))
        memory[f"model_{place}"] = {"model": model.name, "fp16": fp16, "nf4": nf4, "nf4_dq": both, "saved": nf4 - both}
    headings = {"fp16": "FP16", "nf4": "NF4", "nf4_dq": "NF4 + DQ", "saved": "DQ saves"}
    yield from SCALED.table("3", "memory", memory, units=dict.fromkeys(headings, "GiB"), headings=headings)
    key = (params.sample.seed, params.sample.size, False)
    of_scales, of_weights = doubly(key, params.block_len, params.second_block_len, params.conventions.quantized_scale_bits)
    rounding: dict[str, dict[str, Any]] = {
        "nf4": {
            "kept_as": "NF4", "bits_a_weight": 4 + plain, "error_of_scales": 0,
            "error_of_weights": error(key, params.block_len, "nf4"),
        },
        "nf4_dq": {
            "kept_as": "NF4 + DQ", "bits_a_weight": 4 + double, "error_of_scales": of_scales, "error_of_weights": of_weights,
        },
    }  # fmt: skip
    yield from NEAREST.table("3", "rounding", rounding)


class Run(NamedTuple):
    """Bytes of the run: those that stay, those of a token and of a page; and the pages of the states."""

    fixed: int
    token: int
    page: int
    pages: int


def _run(params: Nf4Params, values: int, states: int) -> Run:
    from generators.courses.utaustin.lecture25_nf4.weighed_tensors import layer_inputs

    training, element = params.training, params.conventions.bytes_per_value
    count = next(model.n_parameters for model in params.models if model.name == training.model)
    weights = -(-count * (4 + _overheads(params, params.block_len)[1]) // 8)
    page = training.page_kib * KIB
    token = layer_inputs(training.n_layers, training.d_model, element)
    return Run(int(weights) + 2 * element * values, token, page, len(range(0, states, page)))


def _most(held: int, token: int, limit: int) -> int:
    """The most tokens that fit beside what is held, by bisection."""
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if held + middle * token <= limit else (low, middle)
    return low


def _paging(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.weighed_tensors import adapters, unquantized

    training, limit = params.training, params.training.limit_mib * MIB
    values, states = (training.n_layers * one for one in adapters(training.rank, training.d_model, training.d_ff))
    run = _run(params, values, states)
    yield from SHEET.part("4", "Optimizer states in pages")
    yield from ADAMW.letters("4", N_LoRA=values)
    yield from ADAMW.letters("4", unit="B", S=states)
    yield from SCALED.letters("4", unit="B", M_fixed=run.fixed)
    yield from WEIGHED.letters("4", unit="B", A=run.token)
    more = unquantized(training.vocabulary_size, training.d_model, 4 + _overheads(params, params.block_len)[1])
    yield from SCALED.values("4", unit="B", unquantized=more)
    yield from COUNTED.letters("4", P=run.pages)
    most = {
        "most_without": _most(run.fixed + run.pages * run.page, run.token, limit),
        "most_with": _most(run.fixed, run.token, limit),
    }
    yield from COUNTED.values("4", most, symbols={"most_without": "n", "most_with": "n'"})
    yield from _steps(params, run, limit)


def _steps(params: Nf4Params, run: Run, limit: int) -> Iterator[Found]:
    """Pages leave in order, from the first on, as many as hold what is missing."""
    rows: dict[str, dict[str, Any]] = {}
    spikes: dict[str, dict[str, Any]] = {}
    states = run.pages * run.page
    for place, tokens in enumerate(params.training.tokens, 1):
        needed = tokens * run.token
        missing = max(0, run.fixed + needed + states - limit)
        out = -(-missing // run.page)
        peak = run.fixed + max(needed + states - out * run.page, states)
        rows[f"step_{place}"] = {
            "step": place, "tokens": tokens, "activations": Fraction(needed, MIB),
            "peak_unpaged": Fraction(run.fixed + needed + states, MIB), "peak_paged": Fraction(peak, MIB),
            "fits_unpaged": "no" if missing else "yes", "pages_out": out,
        }  # fmt: skip
        if out:
            which = "0" if out == 1 else f"0–{out - 1}"
            spikes[f"step_{place}"] = {"step": place, "tokens": tokens, "pages_out": out, "which": which}
    yield from MISSING.table("4", "steps", rows, units=dict.fromkeys(("activations", "peak_unpaged", "peak_paged"), "MiB"))
    yield from MISSING.table("4", "spikes", spikes, columns=("step", "tokens", "pages_out", "which"))
    yield from MISSING.values("4", pages_leave=bool(spikes), pages_stay=not spikes)
    moved = 2 * run.page * sum(one["pages_out"] for one in rows.values())
    yield from MISSING.values("4", unit="B", moved=moved)
    yield from MISSING.values("4", unit="s", seconds=moved / (params.training.link_gb_per_s * 10**9))
