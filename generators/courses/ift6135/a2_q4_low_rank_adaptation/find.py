"""Finds what LoRA and QLoRA store and compute again, from torch modules that are run under recorders.

From the sheet: W in full precision or as m-bit integers with one Δ a matrix, dequantized before each product; A and B of
d×r beside the query, key and value of every head and beside W^F, none beside W^O; trainable space is that of A and B.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Sizes

SHEET = Route("the sheet and the parameters, read again", restates=True)
MODULES = Route("torch modules, run under recorders")
COMPARED = Route("torch modules, compared")
ROUNDED = Route("torch.round, float64", tolerance=1e-12)
FAKE = Route("torch.fake_quantize_per_tensor_affine, float32", tolerance=1e-6)
FAKED_BITS = 16
"""From so many bits on, float32 rounds the weights too coarsely beside Δ to say anything."""
FRACTIONS = Route("exact fractions")
RATIO = Route("Δ at one bit more", tolerance=1e-9)
DIMENSION = Route("what a rank leaves free: rank of the Jacobian where matrices are small")
SMALL = 16
"""Up to this width modules run on real tensors."""


def find(params: LowRankParams) -> Iterator[Found | Proof]:
    """Everything that is published."""
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.find_choice import find_choice
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.find_complexities import find_complexities
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Sizes

    held = params.conventions
    sizes = Sizes(
        n=params.context_len, d=params.d_model, r=params.rank, h=params.n_heads, m=params.quantized_bits,
        bytes_per_value=held.bytes_per_value, reading=held.output_matrix,
    )  # fmt: skip
    flops = held.flops_per_multiply_add
    yield from _given(params)
    yield from _implementation(params, sizes, flops)
    yield from _rank(sizes, flops)
    yield from _inference(sizes, flops)
    yield from find_complexities(sizes, device(sizes))
    yield from find_choice(sizes, flops, params.memory_headroom)


def device(sizes: Sizes) -> str:
    """Small modules run on real tensors, others on meta tensors, which have shapes only."""
    return "cpu" if max(sizes.d, sizes.n) <= SMALL and sizes.h <= SMALL else "meta"


def _given(params: LowRankParams) -> Iterator[Found]:
    held = params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters(
        "sheet", n=params.context_len, d=params.d_model, r=params.rank, h=params.n_heads, m=params.quantized_bits
    )
    yield from SHEET.values("sheet", full_bits=8 * held.bytes_per_value, bytes_per_value=held.bytes_per_value)
    yield from SHEET.values("sheet", flops=held.flops_per_multiply_add, size=params.sample.size, seed=params.sample.seed)
    yield from SHEET.values("sheet", unit="%", headroom=100 * params.memory_headroom)
    narrow = held.output_matrix == "d_by_d_narrow_heads"
    yield from SHEET.values("sheet", narrow_heads=narrow, wide_heads=not narrow)
    yield from SHEET.values("sheet", several_tokens=params.context_len > 1, several_heads=params.n_heads > 1)


def _implementation(params: LowRankParams, sizes: Sizes, flops: int) -> Iterator[Found | Proof]:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import observe

    yield from SHEET.part("4.1", "How the updates are implemented")
    seen = {method: observe("LFFN", method, sizes, device(sizes)) for method in ("LoRA", "QLoRA")}
    lora, qlora = seen.values()
    symbols = {"adapter": "M_{AB}", "frozen_full": "M_W", "frozen_codes": r"M_{\text{codes}}"}
    stored = (lora.trainable_bytes, lora.frozen_bytes, qlora.frozen_bytes)
    yield from MODULES.values("4.1", dict(zip(symbols, stored, strict=True)), unit="B", symbols=symbols)
    yield from MODULES.values("4.1", dequantization=qlora.operations["dequantize W"])
    more = observe("LFFN", "QLoRA", replace(sizes, m=sizes.m + 1), "meta").frozen_bytes
    yield from MODULES.values("4.1", unit="B", one_bit_more=more - qlora.frozen_bytes)
    rows: dict[str, dict[str, Any]] = {
        method.lower(): {
            "method": method, "frozen_w": one.frozen_bytes, "a_and_b": one.trainable_bytes,
            "products": flops * one.multiply_adds, "elementwise_operations": one.elementwise,
        }
        for method, one in seen.items()
    }  # fmt: skip
    headings = {"frozen_w": "Frozen W", "a_and_b": "A and B"}
    units = {"frozen_w": "B", "a_and_b": "B", "products": "FLOP"}
    yield from MODULES.table("4.1", "methods", rows, units=units, headings=headings)
    yield from _errors(params, sizes)


def _errors(params: LowRankParams, sizes: Sizes) -> Iterator[Found | Proof]:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.quantized_again import (
        beyond_half_a_step,
        rounded_by_torch,
    )
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import observe

    seed, size = params.sample.seed, params.sample.size
    step, _, largest, _, relative = rounded_by_torch(seed, size, sizes.m)
    yield from ROUNDED.values("4.1", step=step, largest_error=largest, relative_error=relative)
    yield from RATIO.values("4.1", step_ratio=step / rounded_by_torch(seed, size, sizes.m + 1)[0])
    rows: dict[str, dict[str, Any]] = {}
    names = ("step", "half_step", "largest_error", "rms_error", "relative_error")
    for bits in sorted({2, 3, 4, 5, 6, 7, 8, sizes.m}):
        held = observe("LFFN", "QLoRA", replace(sizes, m=bits)).frozen_bytes
        measured = dict(zip(names, rounded_by_torch(seed, size, bits), strict=True))
        rows[f"bits_{bits}"] = {"bits": bits, "bytes_of_w": held, **measured}
        if bits < FAKED_BITS:
            yield from _faked(seed, size, bits)
        over = float(beyond_half_a_step(seed, size, bits))
        yield from FRACTIONS.proof(f"4.1: by how much errors exceed half a step at {bits} bits", over)
    headings = {"bytes_of_w": "Bytes of W", "step": "Δ", "half_step": "Δ/2", "rms_error": "RMS error",
                "relative_error": "RMS error / RMS of W"}  # fmt: skip
    yield from ROUNDED.table("4.1", "errors", rows, units={"bytes_of_w": "B"}, headings=headings)


def _faked(seed: int, size: int, bits: int) -> Iterator[Found]:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.quantized_again import faked_by_torch

    scale, error = faked_by_torch(seed, size, bits)
    yield from FAKE.cells("4.1", "errors", {f"bits_{bits}": {"step": scale}})
    within = Route(FAKE.name, absolute=5e-7 * scale * 2 ** (bits - 1))  # a few roundings of a 24-bit significand
    yield from within.cells("4.1", "errors", {f"bits_{bits}": {"largest_error": error}})


def _rank(sizes: Sizes, flops: int) -> Iterator[Found]:
    yield from SHEET.part("4.2", "Choice of the rank")
    own = _by_rank(sizes, flops)
    one = _by_rank(replace(sizes, r=1), flops)
    added = own["added"]
    yield from MODULES.values("4.2", unit="B", bytes_each=one["a_and_b"])
    yield from MODULES.values("4.2", unit="%", of_w=own["of_w"], of_the_codes=own["of_the_codes"], added_share=100 * added)
    yield from MODULES.values("4.2", added=added)
    yield from DIMENSION.values("4.2", directions=directions(sizes.d, sizes.r), symbols={"directions": "D_r"})
    yield from DIMENSION.values("4.2", unit="%", directions_share=own["directions"])
    symbols = {"heavier_than_full": "r_W", "heavier_than_codes": r"r_{\text{codes}}"}
    without_step = one["codes"] - sizes.bytes_per_value
    heavier = (one["w"] / one["a_and_b"], without_step / one["a_and_b"])
    yield from MODULES.values("4.2", dict(zip(symbols, heavier, strict=True)), symbols=symbols)
    ranks = {sizes.r, sizes.d} | {4**power for power in range(11) if 4**power <= sizes.d}
    columns = ("a_and_b", "products", "of_w", "of_the_codes", "directions")
    rows: dict[str, dict[str, Any]] = {}
    for place, rank in enumerate(sorted(ranks), 1):
        seen = _by_rank(replace(sizes, r=rank), flops)
        rows[f"rank_{place}"] = {"rank": rank, **{key: seen[key] for key in columns}}
    units = {"a_and_b": "B", "products": "FLOP", "of_w": "%", "of_the_codes": "%", "directions": "%"}
    headings = {"a_and_b": "A and B", "products": "(XA)Bᵀ", "of_w": "of W", "of_the_codes": "of the codes"}
    yield from MODULES.table("4.2", "ranks", rows, units=units, headings=headings)
    yield from _over_rank(sizes, flops)


def _over_rank(sizes: Sizes, flops: int) -> Iterator[Found]:
    rows: dict[str, dict[str, Any]] = {}
    for power in range(21):
        if 2**power <= sizes.d:
            seen = _by_rank(replace(sizes, r=2**power), flops)
            rows[f"power_{power}"] = {"rank": 2**power, **{key: seen[key] for key in ("a_and_b", "w", "codes")}}
    bits = 8 * sizes.bytes_per_value
    headings = {"a_and_b": "A and B", "w": f"W, {bits} bits", "codes": f"codes, {sizes.m} bits"}
    yield from MODULES.table("4.2", "over_rank", rows, units=dict.fromkeys(headings, "B"), headings=headings)


def _by_rank(sizes: Sizes, flops: int) -> dict[str, Fraction]:
    """Bytes of A and B, of W and of its codes, the low-rank FLOPs, and shares in percent."""
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import observe

    lora, qlora = (observe("LFFN", method, sizes) for method in ("LoRA", "QLoRA"))
    adapter, frozen = Fraction(lora.trainable_bytes), lora.multiply_adds_of([0])
    return {
        "a_and_b": adapter,
        "w": lora.frozen_bytes,
        "codes": qlora.frozen_bytes,
        "products": Fraction(flops * (lora.multiply_adds - frozen)),
        "added": Fraction(lora.multiply_adds - frozen, frozen),
        "of_w": 100 * adapter / lora.frozen_bytes,
        "of_the_codes": 100 * adapter / qlora.frozen_bytes,
        "directions": Fraction(100 * directions(sizes.d, sizes.r), sizes.d**2),
    }


def directions(d: int, r: int) -> int:
    """All entries but those that a rank above r would need: the codimension of rank r is (d - r)²."""
    return _jacobian_rank(d, r) if d <= SMALL else d**2 - (d - r) ** 2


@lru_cache(maxsize=32)
def _jacobian_rank(d: int, r: int) -> int:
    """In how many independent directions A Bᵀ moves when A and B do, at a random point in float64."""
    import torch

    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(d, r, dtype=torch.float64, generator=generator) for _ in range(2))
    by_a, by_b = torch.autograd.functional.jacobian(lambda x, y: x @ y.T, (a, b))
    return int(torch.linalg.matrix_rank(torch.cat([by_a.flatten(2), by_b.flatten(2)], dim=2).flatten(0, 1)))


WAYS = {
    "merged": ("LoRA, merged into W", "LoRA", "merged"),
    "beside": ("LoRA, beside W", "LoRA", "(XA)B"),
    "codes": ("QLoRA, beside the codes", "QLoRA", "(XA)B"),
}


def _inference(sizes: Sizes, flops: int) -> Iterator[Found]:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import observe, observe_merging

    yield from SHEET.part("4.3", "Speed and latency at inference")
    products, additions = observe_merging(sizes, device(sizes))
    one = replace(sizes, n=1)
    merged, beside = (observe("LFFN", "LoRA", one, form=form).work(flops) for form in ("merged", "(XA)B"))
    symbols = {"merge_products": r"F_{\text{merge}}"}
    yield from MODULES.values("4.3", unit="FLOP", merge_products=flops * products, symbols=symbols)
    paid = Fraction(flops * products + additions, beside - merged)
    symbols = {"merge_additions": r"E_{\text{merge}}", "merged_after": "T"}
    yield from MODULES.values("4.3", merge_additions=additions, merged_after=paid, symbols=symbols)
    share, of_token = (_dequantization(held, flops) for held in (sizes, one))
    yield from MODULES.values("4.3", share_of_product=share, symbols={"share_of_product": "d^2 / F_{XW}"})
    yield from MODULES.values("4.3", unit="%", share_of_context=100 * share, share_of_token=100 * of_token)
    rows: dict[str, dict[str, Any]] = {}
    for place, tokens in (("context", sizes.n), ("token", 1))[: 1 if sizes.n == 1 else 2]:
        seen = {
            key: (way, observe("LFFN", method, replace(sizes, n=tokens), form=form)) for key, (way, method, form) in WAYS.items()
        }
        least = seen["merged"][1].work(flops)
        for key, (way, held) in seen.items():
            rows[f"{place}.{key}"] = {
                "way": way, "tokens": tokens, "products": flops * held.multiply_adds,
                "elementwise_operations": held.elementwise, "more_than_merged": Fraction(100 * (held.work(flops) - least), least),
            }  # fmt: skip
    yield from MODULES.table("4.3", "work", rows, units={"products": "FLOP", "more_than_merged": "%"})
    yield from _traffic(sizes)


def _dequantization(sizes: Sizes, flops: int) -> Fraction:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import observe

    seen = observe("LFFN", "QLoRA", sizes, device(sizes))
    return Fraction(seen.operations["dequantize W"], flops * seen.multiply_adds_of([0]))


def _traffic(sizes: Sizes) -> Iterator[Found]:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import observe

    lora, qlora = (observe("LFFN", method, sizes) for method in ("LoRA", "QLoRA"))
    full, codes, both = lora.frozen_bytes, qlora.frozen_bytes, lora.trainable_bytes
    ways: dict[str, tuple[str, Any, Any, Any]] = {
        "merged": ("LoRA, merged into W", full, 0, full),
        "beside": ("LoRA, beside W", full + both, 0, full + both),
        "inside": ("QLoRA, dequantized inside the product", codes + both, 0, codes + both),
        "copy": ("QLoRA, dequantized into a copy", codes + both, full, codes + both + full + full),
    }
    columns = ("way", "weights_held", "copy_in_full_precision", "weights_moved_in_a_pass")
    rows = {key: dict(zip(columns, cells, strict=True)) for key, cells in ways.items()}
    yield from MODULES.table("4.3", "traffic", rows, units=dict.fromkeys(columns[1:], "B"))
    gap = codes + both - full
    yield from COMPARED.values("4.3", codes_move_less=gap < 0, codes_move_as_much=gap == 0, codes_move_more=gap > 0)
