"""Finds QLoRA's numbers again: quantiles by torch, nearest levels by distance, tensors and AdamW's states weighed.

From the paper (arXiv 2305.14314): the outermost of 16 levels lies half-way between those of 15 and of 16 even shares, blocks
are scaled by their largest magnitude, and scales less their mean are quantized in blocks of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

from generators.courses.utaustin.lecture25_nf4.params import Matrix, Nf4Params
from generators.found import Found, Route

if TYPE_CHECKING:
    import torch

SHEET = Route("the lecture and the parameters, read again", restates=True)
NDTRI = Route("torch.special.ndtri, float64", tolerance=1e-9, absolute=1e-12)
PRINTED = Route("arXiv 2305.14314: the levels in its appendix", tolerance=1e-6)
SHARES = Route("the shares that levels stand for, halved")
CODES = Route("the bits of sign, exponent and mantissa, written out")
NEAREST = Route("torch, the nearest of all levels by distance", tolerance=1e-9)
WEIGHED = Route("torch, nbytes of the tensors kept")
SCALED = Route("bits a weight of a few blocks' tensors, times the weights")
BUILT = Route("a Llama of transformers with A and B beside its linear layers, on meta tensors")
ADAMW = Route("torch.optim.AdamW, a step on meta tensors")
COUNTED = Route("bisection on what fits")
LEAVING = Route("pages that leave one after the other until the rest fits")
GIVEN = dict.fromkeys(("steps_from_zero", "code", "block", "model", "step", "tokens"), SHEET)

LEVELS = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""As the paper's appendix lists them, in FP32."""
NAMES = {"nf4": "NF4", "int4": "Int4, symmetric", "fp4": "FP4", "affine": "Int4, affine"}
KIB, MIB, GIB = 2**10, 2**20, 2**30


def find(params: Nf4Params) -> Iterator[Found]:
    """Everything that is published about levels, errors, bits and the run."""
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import samples

    sizes = (params.sample.seed, params.sample.n_seeds, params.sample.size)
    normal, uniform = (list(samples(*sizes, uniform=even)) for even in (False, True))
    yield from _given(params)
    yield from _levels()
    yield from _errors(params, normal, uniform)
    yield from _double(params, normal)
    yield from _paging(params)


def _given(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import float_magnitudes

    run, held, sample = params.training, params.conventions, params.sample
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", code_bits=4, size=sample.size, seed=sample.seed, n_seeds=sample.n_seeds, model=run.model)
    magnitudes = {f"level_{code}": (code, size) for code, size in enumerate(sorted(float_magnitudes()))}
    headings = {key: NAMES[key] for key in ("int4", "fp4")}
    yield from CODES.table("sheet", "magnitudes", magnitudes, headings=headings, columns=["int4", "fp4"])
    adapted = [one for one in get_args(Matrix) if one in run.lora_on]
    yield from SHEET.values("sheet", all_adapted=len(adapted) == 7, some_adapted=len(adapted) < 7)
    yield from SHEET.values("sheet", {"lora_on": ", ".join(adapted)} if len(adapted) < 7 else {})
    yield from SHEET.values("sheet", unit="MiB", limit=run.limit_mib)
    yield from SHEET.values("sheet", unit="GB/s", link=run.link_gb_per_s)
    width = run.head_dim or Fraction(run.d_model, run.n_heads)
    yield from SHEET.letters(
        "sheet", g_1=params.block_len, g_2=params.second_block_len, beta_1=held.scale_bits, beta_2=held.quantized_scale_bits,
        N_layer=run.n_layers, D=run.d_model, D_q=run.n_heads * width, D_kv=(run.n_kv_heads or run.n_heads) * width,
        D_ff=run.d_ff, N_vocab=run.vocabulary_size, R=run.rank,
    )  # fmt: skip
    yield from SHEET.letters("sheet", unit="B", s=held.bytes_per_value, M_GPU=run.limit_mib * MIB, M_page=run.page_kib * KIB)


def _levels() -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import levels, quantiles

    yield from SHEET.part("1", "The sixteen levels")
    outermost = (Fraction(15 - Fraction(1, 2), 15) + Fraction(16 - Fraction(1, 2), 16)) / 2
    yield from SHARES.values("1", outermost=outermost, symbols={"outermost": r"\eta_{15}"})
    yield from NDTRI.values("1", largest=float(quantiles().max()))
    for route, found in ((NDTRI, levels("nf4").tolist()), (PRINTED, LEVELS)):
        rows = {f"step_{step}": (step, found[7 - step] if step < 8 else None, found[7 + step]) for step in range(1, 9)}
        yield from route.table("1", "levels", rows, columns=["steps_from_zero", "below", "above"], given=GIVEN)


def _errors(params: Nf4Params, normal: Sequence[torch.Tensor], uniform: Sequence[torch.Tensor]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import error

    yield from SHEET.part("2", "Errors block by block")
    block = params.block_len
    kept = {key: (key, block) for key in NAMES} | {"affine_equal": ("affine", 2 * block)}
    errors = {key: [error(one, length, name) for one in normal] for key, (name, length) in kept.items()}
    rows = {
        key: (NAMES[name], length, _bits_of(params, name, length), _mean(errors[key]),
              _mean([error(one, length, name) for one in uniform]))
        for key, (name, length) in kept.items()
    }  # fmt: skip
    yield from NEAREST.table("2", "errors", rows, columns=["code", "block", "bits_a_weight", "normal", "uniform"], given=GIVEN)
    claims = {"beats_symmetric": ("nf4", "int4"), "affine_is_better": ("affine", "nf4"),
              "wins_at_equal_bits": ("nf4", "affine_equal")}  # fmt: skip
    for key, (better, worse) in claims.items():
        gaps = (second - first for first, second in zip(errors[better], errors[worse], strict=True))
        yield from NEAREST.values("2", {key: min(gaps) > 0})
    blocks = {f"length_{place}": (length, _bits_of(params, "nf4", length), _mean([error(one, length, "nf4") for one in normal]))
              for place, length in enumerate(params.sample.block_lens, 1)}  # fmt: skip
    found = [row[2] for row in blocks.values()]
    yield from NEAREST.values("2", smaller_is_nearer=found == sorted(set(found)) and len(found) > 1)
    yield from NEAREST.table(
        "2", "blocks", blocks, headings={"error": "Error of NF4"}, columns=["block", "bits_a_weight", "error"], given=GIVEN
    )


def _mean(errors: Sequence[float]) -> float:
    """With as many digits as are published."""
    return float(f"{Decimal(f'{math.fsum(errors) / len(errors):.12f}'):.2e}")


def _bits(params: Nf4Params, block_len: int) -> tuple[Fraction, Fraction, Fraction]:
    from generators.courses.utaustin.lecture25_nf4.weighed_tensors import bits_a_weight

    held = params.conventions
    return bits_a_weight(held.scale_bits, held.quantized_scale_bits, block_len, params.second_block_len)


def _bits_of(params: Nf4Params, name: str, block_len: int) -> Fraction:
    """Affine blocks keep two numbers, their smallest weight and their step."""
    codes, scales, _ = _bits(params, block_len)
    return codes + scales + (scales if name == "affine" else 0)


def _double(params: Nf4Params, normal: Sequence[torch.Tensor]) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.nearest_levels import doubly

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
                            columns=["model", *headings], given=GIVEN)  # fmt: skip
    sizes = params.block_len, params.second_block_len, params.conventions.quantized_scale_bits
    scales, weights = zip(*(doubly(one, *sizes) for one in normal), strict=True)
    yield from SHEET.part("quantized_scales", "Errors with quantized scales")
    yield from NEAREST.values("quantized_scales", of_scales=_mean(scales), of_weights=_mean(weights))


def _most(held: int, token: int, limit: int) -> int:
    """The most tokens that fit beside what is held, by bisection."""
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if held + middle * token <= limit else (low, middle)
    return low


def _paging(params: Nf4Params) -> Iterator[Found]:
    from generators.courses.utaustin.lecture25_nf4.weighed_tensors import counts, layer_inputs, nbytes

    run, element, page = params.training, params.conventions.bytes_per_value, params.training.page_kib * KIB
    linear, others, adapters, states, tensors = counts(run)
    codes, _, double = _bits(params, params.block_len)
    trained = nbytes(adapters, element) + nbytes(adapters, element)  # and a gradient for each
    fixed, token = (
        math.ceil(linear * (codes + double) / 8) + nbytes(others, 2) + trained,
        layer_inputs(run.n_layers, run.d_model, element),
    )
    pages = len(range(0, states, page))
    yield from SHEET.part("4", "Optimizer states in pages")
    yield from BUILT.letters("4", N_code=linear, N_float=others, N_LoRA=adapters)
    yield from BUILT.values("4", {"values": linear + others, "tensors": tensors})
    yield from SHEET.values("4", given={model.name: model.n_parameters for model in params.models}[run.model])
    yield from ADAMW.letters("4", unit="B", M_states=states)
    yield from SCALED.letters("4", unit="B", M_fixed=fixed)
    yield from WEIGHED.letters("4", unit="B", M_token=token)
    yield from COUNTED.letters("4", n_page=pages)
    without, most = (_most(held, token, run.limit_mib * MIB) for held in (fixed + pages * page, fixed))
    symbols = {"most_without": r"L_{\text{max}}", "most_with": r"L'_{\text{max}}"}
    yield from COUNTED.values("4", most_without=without, most_with=most, symbols=symbols)
    yield from _steps(params, fixed, token, pages * page)


def _steps(params: Nf4Params, fixed: int, token: int, states: int) -> Iterator[Found]:
    """One page more leaves as long as something is missing."""
    limit, page = params.training.limit_mib * MIB, params.training.page_kib * KIB
    rows: dict[str, tuple[Any, ...]] = {}
    for place, tokens in enumerate(params.training.tokens, 1):
        left = 0
        while fixed + tokens * token + states - left * page > limit:
            left += 1
        rows[f"step_{place}"] = (place, tokens, left)
    yield from LEAVING.table("4", "steps", rows, columns=["step", "tokens", "pages_out"], given=GIVEN)
    moved = 2 * page * sum(cells[2] for cells in rows.values())
    yield from LEAVING.values("4", pages_leave=moved > 0, pages_stay=moved == 0)
    yield from LEAVING.values("4", unit="B", moved=moved)
    yield from LEAVING.values("4", unit="s", seconds=moved / (params.training.link_gb_per_s * 10**9))
