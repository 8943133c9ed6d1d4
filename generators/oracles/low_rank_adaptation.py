"""Checks what LoRA and QLoRA store and compute against torch modules that are run under recorders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from generators.answer import Cell, rational
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.oracles.low_rank_choice import verify_choice
from generators.oracles.low_rank_complexity import verify_complexities
from generators.oracles.low_rank_modules import Sizes, observe, observe_merging
from generators.oracles.quantization import verify_errors
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation import LowRankParams

OTHER = {"n": 7, "d": 12, "r": 5, "h": 4, "m": 3}
BY = "torch modules, meta tensors"
REAL = "torch modules, really run"


def verify_low_rank(params: LowRankParams, answer: Answer) -> Iterator[Check]:
    """Check every part at the sizes in force, and its formulas at other sizes on real tensors."""
    conventions = params.conventions
    letters = {"n": params.context_len, "d": params.d_model, "r": params.rank, "h": params.n_heads, "m": params.quantized_bits}
    sizes = Sizes(**letters, bytes_per_value=conventions.bytes_per_value, reading=conventions.output_matrix)
    other = replace(sizes, n=OTHER["n"], d=OTHER["d"], r=OTHER["r"], h=OTHER["h"], m=OTHER["m"])
    for label, part in answer.parts.items():
        if label != "4.4b":
            yield same_letters(f"{label}, numbers put in", part.steps, sizes.letters)
    flops = conventions.flops_per_multiply_add
    yield from _check_implementation(answer["4.1"], sizes, other, flops)
    yield from verify_errors(answer["4.1"], params.sample.seed, params.sample.size, params.quantized_bits)
    yield from _check_ranks(answer["4.2"], sizes, other, flops)
    yield from _check_inference(answer["4.3"], sizes, other, flops)
    yield from verify_complexities(answer["4.4a"], sizes, other)
    yield from verify_choice(answer["4.4b"], sizes, flops, params.memory_headroom)


Found = dict[str, int | Fraction]


def _check_steps(label: str, part: Part, large: Found, small: Found) -> Iterator[Check]:
    """The values of steps at the sizes in force, and their formulas at the other sizes."""
    for name, found in large.items():
        yield same(f"{label}, {part[name].what}", part[name].value, found, BY)
    triples: list[Formula] = [(part[name].what, part[name].formula, found) for name, found in small.items()]
    yield same_formulas(f"{label}, formulas", triples, OTHER, REAL)


def _check_implementation(part: Part, sizes: Sizes, other: Sizes, flops: int) -> Iterator[Check]:
    rows: list[Sequence[Cell]] = []
    for method in ("LoRA", "QLoRA"):
        seen = observe("LFFN", method, sizes)
        rows.append((method, seen.frozen_bytes, seen.trainable_bytes, flops * seen.multiply_adds, seen.elementwise))
    yield same_rows("4.1, one adapted matrix under both methods", part.tables["methods"], rows, BY)
    errors = part.tables["errors"]
    held = [observe("LFFN", "QLoRA", replace(sizes, m=int(rational(row[0])))).frozen_bytes for row in errors.rows]
    bits = sorted({*range(2, 9), sizes.m})
    rows = [(one, size, *row[2:]) for one, size, row in zip(bits, held, errors.rows, strict=True)]
    yield same_rows("4.1, bytes of W at every number of bits", errors, rows, BY)
    yield from _check_steps("4.1", part, _stored(sizes, "meta"), _stored(other, "cpu"))


def _stored(sizes: Sizes, device: str) -> Found:
    lora, qlora = (observe("LFFN", method, sizes, device) for method in ("LoRA", "QLoRA"))
    return {
        "adapter": lora.trainable_bytes,
        "frozen_full": lora.frozen_bytes,
        "frozen_codes": qlora.frozen_bytes,
        "dequantization": qlora.operations["dequantize W"],
    }


def _check_ranks(part: Part, sizes: Sizes, other: Sizes, flops: int) -> Iterator[Check]:
    rows: list[Sequence[Cell]] = []
    for row in part.tables["ranks"].rows:
        rank = int(rational(row[0]))
        lora, qlora = (observe("LFFN", method, replace(sizes, r=rank)) for method in ("LoRA", "QLoRA"))
        adapter = Fraction(lora.trainable_bytes)
        added = flops * (lora.multiply_adds - lora.multiply_adds_of([0]))
        share = Fraction(_directions(sizes.d, rank), sizes.d**2)
        rows.append((rank, adapter, added, adapter / lora.frozen_bytes, adapter / qlora.frozen_bytes, share))
    yield same_rows("4.2, bytes, FLOPs and directions by rank", part.tables["ranks"], rows, BY)
    large, small = _by_rank(sizes, "meta"), _by_rank(other, "cpu")
    large["directions"], small["directions"] = _directions(sizes.d, sizes.r), jacobian_rank(other.d, other.r)
    yield from _check_steps("4.2", part, large, small)


def _by_rank(sizes: Sizes, device: str) -> Found:
    """How many adapters of rank 1 weigh as much as W, and as much as its codes without Δ."""
    lora, qlora = (observe("LFFN", method, replace(sizes, r=1), device) for method in ("LoRA", "QLoRA"))
    codes = qlora.frozen_bytes - sizes.bytes_per_value
    return {
        "heavier_than_full": lora.frozen_bytes / lora.trainable_bytes,
        "heavier_than_codes": codes / lora.trainable_bytes,
    }


def _directions(d: int, r: int) -> int:
    """All entries but those that a rank above r would need: the codimension of rank r is (d - r)²."""
    return d**2 - (d - r) ** 2


@lru_cache(maxsize=4)
def jacobian_rank(d: int, r: int) -> int:
    """In how many independent directions A Bᵀ moves when A and B do, at a random point in float64."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(d, r, dtype=torch.float64, generator=generator) for _ in range(2))
    by_a, by_b = torch.autograd.functional.jacobian(lambda x, y: x @ y.T, (a, b))
    return int(torch.linalg.matrix_rank(torch.cat([by_a.flatten(2), by_b.flatten(2)], dim=2).flatten(0, 1)))


def _check_inference(part: Part, sizes: Sizes, other: Sizes, flops: int) -> Iterator[Check]:
    yield from _check_steps("4.3", part, _merging(sizes, flops, "meta"), _merging(other, flops, "cpu"))
    ways = {
        "LoRA, merged into W": ("LoRA", "merged"),
        "LoRA, beside W": ("LoRA", "(XA)B"),
        "QLoRA, beside the codes": ("QLoRA", "(XA)B"),
    }
    rows: list[Sequence[Cell]] = []
    for start in range(0, len(part.tables["work"].rows), len(ways)):
        tokens = (sizes.n, 1)[start // len(ways)]
        seen = [observe("LFFN", method, replace(sizes, n=tokens), form=form) for method, form in ways.values()]
        least = seen[0].work(flops)
        for way, one in zip(ways, seen, strict=True):
            more = Fraction(one.work(flops) - least, least)
            rows.append((way, tokens, flops * one.multiply_adds, one.elementwise, more))
    yield same_rows("4.3, work of every way to serve one matrix", part.tables["work"], rows, BY)
    yield _check_traffic(part, sizes)


def _check_traffic(part: Part, sizes: Sizes) -> Check:
    lora, qlora = (observe("LFFN", method, sizes) for method in ("LoRA", "QLoRA"))
    full, codes, both = lora.frozen_bytes, qlora.frozen_bytes, lora.trainable_bytes
    rows: list[tuple[Cell, ...]] = [
        ("LoRA, merged into W", full, 0, full),
        ("LoRA, beside W", full + both, 0, full + both),
        ("QLoRA, dequantized inside the product", codes + both, 0, codes + both),
        ("QLoRA, dequantized into a copy", codes + both, full, codes + both + full + full),
    ]
    return same_rows("4.3, bytes of weights held and moved", part.tables["traffic"], rows, "torch modules, bytes held")


def _merging(sizes: Sizes, flops: int, device: str) -> Found:
    products, additions = observe_merging(sizes, device)
    one = replace(sizes, n=1)
    merged, beside = (observe("LFFN", "LoRA", one, device, form).work(flops) for form in ("merged", "(XA)B"))
    shares = {}
    for name, held in (("share_context", sizes), ("share_token", one)):
        seen = observe("LFFN", "QLoRA", held, device)
        shares[name] = Fraction(seen.operations["dequantize W"], flops * seen.multiply_adds_of([0]))
    return {
        "merge_products": flops * products,
        "merge_additions": additions,
        "merged_after": Fraction(flops * products + additions, beside - merged),
        **shares,
    }
