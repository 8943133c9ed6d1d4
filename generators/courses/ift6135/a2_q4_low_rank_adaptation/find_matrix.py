"""Finds parts 4.1 to 4.3 again: one adapted d×d matrix, run under recorders, and the error of its codes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from operator import itemgetter

import torch

from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Entry
from generators.found import Found, Proof, Route

MODULES = Route("torch modules, run under recorders")
ROUNDED = Route("torch.round, float64", tolerance=1e-12)
RATIO = Route("Δ at one bit more", tolerance=1e-9)
DIMENSION = Route("what a rank leaves free: rank of the Jacobian where matrices are small")
SMALL = 8
"""Up to this width the Jacobian is formed."""
SHARES = ("of_w", "of_the_codes", "directions")


def find_matrix(entry: Entry) -> Iterator[Found | Proof]:
    """The updates, the choice of the rank, and inference."""
    yield from _implementation(entry)
    yield from _errors(entry)
    yield from _rank(entry)
    yield from _inference(entry)
    yield from _traffic(entry)


def _implementation(entry: Entry) -> Iterator[Found]:
    seen = {method: entry.seen("LFFN", method) for method in ("LoRA", "QLoRA")}
    frozen = {method: entry.bytes_at(one.frozen_bits) for method, one in seen.items()}
    adapter = entry.bytes_at(seen["LoRA"].trainable_bits)
    symbols = {"adapter": "M_{AB}", "frozen_full": "M_W", "frozen_codes": r"M_{\text{codes}}"}
    stored = (adapter, *frozen.values())
    yield from MODULES.values("4.1", dict(zip(symbols, stored, strict=True)), unit="B", symbols=symbols)
    yield from MODULES.values("4.1", dequantization=entry.at(seen["QLoRA"].operations["dequantize W"]))
    more = entry.seen("LFFN", "QLoRA", bits=entry.params.quantized_bits + 1).frozen_bits - seen["QLoRA"].frozen_bits
    yield from MODULES.values("4.1", unit="B", one_bit_more=entry.bytes_at(more))
    rows = {name.lower(): (name, frozen[name], adapter, *entry.work(one)) for name, one in seen.items()}
    headings, units = {"frozen_w": "Frozen W", "a_and_b": "A and B"}, {"frozen_w": "B", "a_and_b": "B", "products": "FLOP"}
    columns = ("method", *units, "elementwise_operations")
    yield from MODULES.table("4.1", "methods", rows, units=units, headings=headings, columns=columns)


def _errors(entry: Entry) -> Iterator[Found | Proof]:
    m, sample = entry.params.quantized_bits, entry.params.sample
    errors = {bits: rounded_by_torch(sample.seed, sample.size, bits) for bits in (*range(2, 9), m, m + 1)}
    step, _, worst, _, relative = errors[m]
    yield from ROUNDED.values("4.1", step=step, largest_error=worst, relative_error=relative)
    yield from RATIO.values("4.1", step_ratio=step / errors[m + 1][0])
    rows = {}
    for bits in sorted({*range(2, 9), m}):
        rows[f"bits_{bits}"] = (bits, entry.bytes_at(entry.seen("LFFN", "QLoRA", bits=bits).frozen_bits), *errors[bits])
        half, largest = errors[bits][1:3]
        over = max(0.0, largest - half) / (half * 2**bits)  # over about the largest weight, which floats round
        yield from ROUNDED.proof(f"4.1: by how much errors exceed half a step at {bits} bits", over)
    columns = ("bits", "bytes_of_w", "step", "half_step", "largest_error", "rms_error", "relative_error")
    headings = {"bytes_of_w": "Bytes of W", "step": "Δ", "half_step": "Δ/2", "rms_error": "RMS error",
                "relative_error": "RMS error / RMS of W"}  # fmt: skip
    yield from ROUNDED.table("4.1", "errors", rows, units={"bytes_of_w": "B"}, headings=headings, columns=columns)


@lru_cache(maxsize=64)
def rounded_by_torch(seed: int, size: int, bits: int) -> tuple[float, ...]:
    """Δ, Δ/2, largest, RMS and relative error of the seeded size×size standard normal weights."""
    generator = random.Random(seed)
    weights = torch.tensor([generator.gauss(0, 1) for _ in range(size * size)], dtype=torch.float64)
    step = weights.abs().max() / (2 ** (bits - 1) - 1)
    errors = step * torch.round(weights / step) - weights
    rms = errors.square().mean().sqrt()
    return tuple(float(x) for x in (step, step / 2, errors.abs().max(), rms, errors.norm() / weights.norm()))


def _rank(entry: Entry) -> Iterator[Found]:
    params, size = entry.params, entry.params.conventions.bytes_per_value
    own, one = _at_rank(entry, params.rank), _at_rank(entry, 1)
    yield from MODULES.values("4.2", unit="B", bytes_each=one["a_and_b"])
    yield from MODULES.values("4.2", unit="%", of_w=own["of_w"], of_the_codes=own["of_the_codes"], added_share=100 * own["added"])
    yield from MODULES.values("4.2", added=own["added"])
    yield from DIMENSION.values("4.2", directions=directions(params.d_model, params.rank), symbols={"directions": "D_r"})
    yield from DIMENSION.values("4.2", unit="%", directions_share=own["directions"])
    symbols = {"heavier_than_full": "r_W", "heavier_than_codes": r"r_{\text{codes}}"}
    heavier = (one["w"] / one["a_and_b"], (one["codes"] - size) / one["a_and_b"])
    yield from MODULES.values("4.2", dict(zip(symbols, heavier, strict=True)), symbols=symbols)
    ranks = sorted({params.rank, params.d_model} | {4**power for power in range(11) if 4**power <= params.d_model})
    columns = ("rank", "a_and_b", "products", "of_w", "of_the_codes", "directions")
    rows = {f"rank_{place}": itemgetter(*columns)(_at_rank(entry, rank)) for place, rank in enumerate(ranks, 1)}
    units = {"a_and_b": "B", "products": "FLOP", **dict.fromkeys(columns[3:], "%")}
    headings = {"a_and_b": "A and B", "products": "(XA)Bᵀ", "of_w": "of W", "of_the_codes": "of the codes"}
    yield from MODULES.table("4.2", "ranks", rows, units=units, headings=headings, columns=columns)
    headings = {"a_and_b": "A and B", "w": f"W, {8 * size} bits", "codes": f"codes, {params.quantized_bits} bits"}
    powers = [power for power in range(21) if 2**power <= params.d_model]
    rows = {f"power_{power}": itemgetter("rank", *headings)(_at_rank(entry, 2**power)) for power in powers}
    units = dict.fromkeys(headings, "B")
    yield from MODULES.table("4.2", "over_rank", rows, units=units, headings=headings, columns=("rank", *headings))


def _at_rank(entry: Entry, rank: int) -> dict[str, Fraction]:
    """Bytes of A and B, of W and of its codes, the low-rank FLOPs, and shares in percent."""
    d, lora, qlora = entry.params.d_model, entry.seen("LFFN", "LoRA"), entry.seen("LFFN", "QLoRA")
    adapter, w, codes = (entry.bytes_at(bits, r=rank) for bits in (lora.trainable_bits, lora.frozen_bits, qlora.frozen_bits))
    by_w, low_rank = (entry.flops * entry.at(lora.multiply_adds(places), r=rank) for places in ([0], [1, 2]))
    return {
        "rank": Fraction(rank), "a_and_b": adapter, "w": w, "codes": codes, "products": low_rank, "added": low_rank / by_w,
        "of_w": 100 * adapter / w, "of_the_codes": 100 * adapter / codes, "directions": Fraction(100 * directions(d, rank), d**2),
    }  # fmt: skip


@lru_cache(maxsize=64)
def directions(d: int, r: int) -> int:
    """In how many independent directions A Bᵀ moves when A and B do, at a random point in float64 where matrices are small.

    Elsewhere all entries but those that a rank above r would need: the codimension of rank r is (d - r)².
    """
    if d > SMALL:
        return d**2 - (d - r) ** 2
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(d, r, dtype=torch.float64, generator=generator) for _ in range(2))
    by_a, by_b = torch.autograd.functional.jacobian(lambda x, y: x @ y.T, (a, b))
    return int(torch.linalg.matrix_rank(torch.cat([by_a.flatten(2), by_b.flatten(2)], dim=2).flatten(0, 1)))


def _inference(entry: Entry) -> Iterator[Found]:
    ways = {
        "merged": ("LoRA, merged into W", entry.seen("LFFN", "LoRA", "merged")),
        "beside": ("LoRA, beside W", entry.seen("LFFN", "LoRA")),
        "codes": ("QLoRA, beside the codes", entry.seen("LFFN", "QLoRA")),
    }
    places = {"context": entry.params.context_len, "token": 1}
    work = {(place, key): entry.work(one, n=n) for place, n in places.items() for key, (_, one) in ways.items()}
    total = {at: sum(counts) for at, counts in work.items()}
    rows = {
        f"{place}.{key}": (ways[key][0], places[place], *counts, 100 * (total[place, key] / total[place, "merged"] - 1))
        for (place, key), counts in work.items()
        if place == "context" or places["context"] > 1
    }
    saved = total["token", "beside"] - total["token", "merged"]
    products, additions = entry.work(entry.seen("LFFN", "LoRA", "merging"))
    yield from MODULES.values("4.3", unit="FLOP", merge_products=products, symbols={"merge_products": r"F_{\text{merge}}"})
    symbols = {"merge_additions": r"E_{\text{merge}}", "merged_after": "T"}
    yield from MODULES.values("4.3", merge_additions=additions, merged_after=(products + additions) / saved, symbols=symbols)
    codes = ways["codes"][1]
    share, of_token = (
        entry.at(codes.operations["dequantize W"]) / (entry.flops * entry.at(codes.multiply_adds([0]), n=tokens))
        for tokens in places.values()
    )
    yield from MODULES.values("4.3", share_of_product=share, symbols={"share_of_product": "d^2 / F_{XW}"})
    yield from MODULES.values("4.3", unit="%", share_of_context=100 * share, share_of_token=100 * of_token)
    columns = ("way", "tokens", "products", "elementwise_operations", "more_than_merged")
    yield from MODULES.table("4.3", "work", rows, units={"products": "FLOP", "more_than_merged": "%"}, columns=columns)


def _traffic(entry: Entry) -> Iterator[Found]:
    """Weights that operations were seen to read; a kernel that dequantizes inside the product moves no copy."""
    merged, lora, qlora = entry.seen("LFFN", "LoRA", "merged"), entry.seen("LFFN", "LoRA"), entry.seen("LFFN", "QLoRA")
    beside, codes, copy = lora.frozen_bits + lora.trainable_bits, qlora.frozen_bits + qlora.trainable_bits, qlora.written_bits
    ways = {
        "merged": ("LoRA, merged into W", merged.frozen_bits, merged.written_bits, merged.read_bits),
        "beside": ("LoRA, beside W", beside, lora.written_bits, lora.read_bits),
        "inside": ("QLoRA, dequantized inside the product", codes, 0 * copy, qlora.read_bits),
        "copy": ("QLoRA, dequantized into a copy", codes, copy, qlora.read_bits + copy + qlora.read_again_bits),
    }
    rows = {key: (way, *map(entry.bytes_at, bits)) for key, (way, *bits) in ways.items()}
    columns = ("way", "weights_held", "copy_in_full_precision", "weights_moved_in_a_pass")
    yield from MODULES.table("4.3", "traffic", rows, units=dict.fromkeys(columns[1:], "B"), columns=columns)
    gap = entry.bytes_at(qlora.read_bits - merged.read_bits)
    yield from MODULES.values("4.3", codes_move_less=gap < 0, codes_move_as_much=gap == 0, codes_move_more=gap > 0)
