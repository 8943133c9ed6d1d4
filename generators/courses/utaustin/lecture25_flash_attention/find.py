"""Attends all at once, walks over tiles and counts their copies, and counts the products of autograd.

The lecture says of FlashAttention that it keeps a running sum for the softmax and computes values as needed, that it does
extra computation but avoids reads and writes of high-bandwidth memory, and that recomputation is all in SRAM.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Any

import sympy

from generators.cells import Cell, Math
from generators.courses.utaustin.lecture25_flash_attention.params import FlashParams
from generators.found import Found, Proof, Route

SHEET = Route("the lecture and the parameters, read again", restates=True)
EXACT = Route("softmax over all keys at once, exactly")
SHAPES = Route("shapes of a tile's tensors")
WALKED = Route("every copy of every tile, added up")
COPIED = Route("every copied tensor of a run, counted", tolerance=1e-12)
AUTOGRAD = Route("torch, products of forward and backward", tolerance=1e-12)
GIVEN = dict.fromkeys(("block", "scores", "sram", "attention"), SHEET)

TRAFFIC = {"standard_reads": r"M_{\text{read, standard}}", "standard_writes": r"M_{\text{written, standard}}",
           "flash_reads": r"M_{\text{read, flash}}", "flash_writes": r"M_{\text{written, flash}}"}  # fmt: skip


def find(params: FlashParams) -> Iterator[Found | Proof]:
    """Everything that is published about FlashAttention."""
    yield from _given(params)
    yield from _one_query(params)
    yield from _traffic(params)
    yield from _by_size(params)
    yield from _runs(params)
    yield from _arithmetic(params)


def _given(params: FlashParams) -> Iterator[Found]:
    example, one, conventions = params.example, params.accelerator, params.conventions
    yield from SHEET.part("sheet", "Given")
    values = [", ".join(f"{x}".replace("-", "−") for x in value) for value in example.values]
    given = {f"key_{n}": pair for n, pair in enumerate(zip(example.scores, values, strict=True), 1)}
    yield from SHEET.table("sheet", "scores", given, columns=["score", "value"])
    yield from SHEET.values("sheet", block_len=example.block_len, accelerator=one.name, source=one.source)
    yield from SHEET.letters("sheet", H=params.head_width, L=params.seq_len, M_SRAM=_elements(params, one.sram_kib))
    yield from SHEET.values("sheet", unit="TFLOP/s", peak=one.peak_tflops)
    yield from SHEET.values("sheet", unit="GB/s", bandwidth=one.bandwidth_gb_per_s)
    yield from SHEET.values("sheet", unit="KiB", sram=one.sram_kib)
    yield from SHEET.values("sheet", unit="B", element=conventions.bytes_per_element)
    keys = conventions.loop_order == "keys_outer"
    yield from SHEET.values("sheet", keys_outer=keys, queries_outer=not keys)


def _elements(params: FlashParams, kib: int) -> int:
    return kib * 1024 // params.conventions.bytes_per_element


def _one_query(params: FlashParams) -> Iterator[Found]:
    """Softmax over the keys that have passed, all at once, exactly."""
    example = params.example
    scores, components = [sympy.sympify(score) for score in example.scores], range(1, len(example.values[0]) + 1)
    rows: dict[str, tuple[Any, ...]] = {}
    for n, (start, end) in enumerate(pairwise([*range(0, len(scores), example.block_len), len(scores)]), 1):
        before, top = (max(scores[:passed]) for passed in (start or 1, end))
        weights = [sympy.exp(score - top) for score in scores[:end]]
        sums = [sympy.Add(*(w * v[j - 1] for w, v in zip(weights, example.values, strict=False))) for j in components]
        said = ", ".join(str(score).replace("-", "−") for score in example.scores[start:end])
        rows[f"block_{n}"] = (n, said, top, sympy.exp(before - top) if start else None, sympy.Add(*weights), *sums)
    yield from SHEET.part("1", "One query, block by block")
    headings: dict[str, str | Math] = {"largest": Math("m"), "sum": Math(r"\ell")}
    headings |= {f"u{j}": Math(f"u_{{{j}}}") for j in components}
    columns = ["block", "scores", "largest", "factor", "sum", *(f"u{j}" for j in components)]
    yield from EXACT.table("1", "blocks", rows, headings=headings, columns=columns, given=GIVEN)
    *_, (_, _, _, _, total, *weighted) = rows.values()
    yield from EXACT.values("1", blocks_in_all=len(rows), sum=total, symbols={"sum": r"\ell"})
    found = {f"component_{j}": {"component": one / total} for j, one in zip(components, weighted, strict=True)}
    yield from EXACT.table("1", "output", found)


def _held(walk: Any, width: int, order: str) -> int:
    """Elements of the tensors that a full tile has on the chip."""
    rows, columns = (walk.inner, walk.outer) if order == "keys_outer" else (walk.outer, walk.inner)
    shapes = [(columns, width)] * 2 + [(rows, width)] * 2 + [(rows, columns)] + [(rows, 1)] * 2
    return sum(map(prod, shapes))


def _walked(params: FlashParams, length: int, kib: int) -> Any:
    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import walked

    return walked(length, params.head_width, _elements(params, kib), params.conventions.loop_order)


def _standard(params: FlashParams, length: int) -> tuple[int, int]:
    """Elements that three kernels on tensors without storage read and write."""
    import torch

    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import standard_run

    run = standard_run(*(torch.empty(length, params.head_width, device="meta") for _ in range(3)))
    return run.reads, run.writes


def _traffic(params: FlashParams) -> Iterator[Found]:
    element, length, kib = params.conventions.bytes_per_element, params.seq_len, params.accelerator.sram_kib
    one, standard = _walked(params, length, kib), _standard(params, length)
    held = _held(one, params.head_width, params.conventions.loop_order)
    yield from SHEET.part("2", "Reads and writes of memory")
    symbols = {"outer": "L_outer", "inner": "L_inner", "passes": "n_pass"}
    yield from WALKED.values("2", outer=one.outer, inner=one.inner, passes=one.passes, symbols=symbols)
    yield from SHAPES.values("2", held=held, symbols={"held": r"M_{\text{tile}}"})
    yield from SHAPES.values("2", too_large=held > _elements(params, kib))
    moved = [element * count for count in (*standard, one.reads, one.writes)]
    yield from WALKED.values("2", dict(zip(TRAFFIC, moved, strict=True)), unit="B", symbols=TRAFFIC)
    ratio = Fraction(sum(standard), one.reads + one.writes)
    yield from WALKED.values("2", ratio=ratio, saves=ratio > 1, moves_more=ratio < 1)


def _by_size(params: FlashParams) -> Iterator[Found]:
    rows: dict[str, tuple[Cell, ...]] = {}
    standard = sum(_standard(params, params.seq_len))
    for place, kib in enumerate(params.sram_kib, 1):
        one = _walked(params, params.seq_len, kib)
        used = Fraction(100 * _held(one, params.head_width, params.conventions.loop_order), _elements(params, kib))
        both = one.reads + one.writes
        mib = Fraction(params.conventions.bytes_per_element * both, 2**20)
        rows[f"sram_{place}"] = (kib, Fraction(standard, both), mib, used, one.outer, one.passes)
    units = {"sram": "KiB", "flash": "MiB", "used": "%"}
    headings = {"sram": "SRAM", "ratio": "Standard over flash", "used": "SRAM used", "outer": "Outer block"}
    columns = ["sram", "ratio", "flash", "used", "outer", "passes"]
    yield from WALKED.table("2", "sram", rows, units=units, headings=headings, columns=columns, given=GIVEN)


def _runs(params: FlashParams) -> Iterator[Proof]:
    """Both ways with small real tensors: they attend rightly, and copy what was added up."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import RUNS, standard_run, walked

    length, width, order = 40, params.head_width, params.conventions.loop_order
    sram = 4 * width * 7  # blocks of up to 7 rows, so that the last one is cut
    q, k, v = torch.randn(3, length, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = walked(length, width, sram, order)
    ours, standard = RUNS[order](q, k, v, expected.outer, expected.inner), standard_run(q, k, v)
    plain = scaled_dot_product_attention(q[None], k[None], v[None])[0]
    off = max(float((run.output - plain).abs().max()) for run in (ours, standard))
    yield from COPIED.proof("2: both runs that count their copies give torch's own attention", off)
    counts = (
        abs(ours.reads - expected.reads) + abs(ours.writes - expected.writes) + abs(ours.held - _held(expected, width, order))
    )
    yield from COPIED.proof("2: a run copies and holds what was added up", counts)


def _arithmetic(params: FlashParams) -> Iterator[Found | Proof]:
    import torch

    from generators.courses.utaustin.lecture25_flash_attention import attention_tiles as tiles

    length, width, element = params.seq_len, params.head_width, params.conventions.bytes_per_element
    counted = tiles.counted_flops(length, width)
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add, as makers' peaks do
    yield from SHEET.part("3", "Arithmetic and time")
    symbols = {key: rf"F_{{\text{{{key}}}}}" for key in counted}
    yield from AUTOGRAD.values("3", {key: scale * one for key, one in counted.items()}, unit="FLOP", symbols=symbols)
    yield from AUTOGRAD.values("3", unit="%", more=100 * (Fraction(counted["flash"], counted["standard"]) - 1))
    yield from SHEET.values("3", wide=element > 2)
    given = torch.randn(4, 10, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    pairs = zip(tiles.kept_gradients(*given), tiles.recomputed_gradients(*given), strict=True)
    off = max(float((one - other).detach().abs().max()) for one, other in pairs)
    yield from AUTOGRAD.proof("3: gradients with the scores formed again are those of autograd", off)
    one, rows = params.accelerator, {}
    _, _, _, *ours = _walked(params, length, one.sram_kib)
    for name, counts in (("standard", _standard(params, length)), ("FlashAttention", ours)):
        arithmetic = counted["forward"] / (one.peak_tflops * 10**6)
        memory = element * sum(counts) / (one.bandwidth_gb_per_s * 10**3)
        rows[name] = (name, arithmetic, memory, max(arithmetic, memory), "memory" if memory > arithmetic else "arithmetic")
    units = dict.fromkeys(("arithmetic", "memory", "time"), "µs")
    yield from WALKED.table("3", "times", rows, units=units, columns=["attention", *units, "bound_by"], given=GIVEN)
