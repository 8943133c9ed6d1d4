"""Attends all at once, runs tiles that count their copies, and counts the products of autograd.

The lecture says of FlashAttention that it keeps a running sum for the softmax and computes values as needed, that it does
extra computation but avoids reads and writes of high-bandwidth memory, and that recomputation is all in SRAM.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy

from generators.cells import Cell, Math
from generators.courses.utaustin.lecture25_flash_attention.params import FlashParams
from generators.found import Found, Proof, Route

SHEET = Route("the lecture and the parameters, read again", restates=True)
EXACT = Route("softmax over all keys at once, exactly")
KEYS = Route("all keys so far, added up at other scores", tolerance=1e-12)
ATTENTION = Route("torch, scaled_dot_product_attention", tolerance=1e-12, absolute=1e-12)
TILES = Route("enumeration of every tile")
SHAPES = Route("shapes of a tile's tensors in torch")
WALKED = Route("every copy of every tile, added up")
COPIED = Route("every copied tensor of a run, counted", tolerance=1e-12)
AUTOGRAD = Route("torch, products of forward and backward", tolerance=1e-12)

RUNS_UP_TO = 2**12
"""Elements of a matrix up to which the counting runs have real tensors."""
TRAFFIC = {"standard_reads": r"R_{\text{standard}}", "standard_writes": r"W_{\text{standard}}",
           "flash_reads": r"R_{\text{flash}}", "flash_writes": r"W_{\text{flash}}"}  # fmt: skip


def find(params: FlashParams) -> Iterator[Found | Proof]:
    """Everything that is published about FlashAttention."""
    yield from _given(params)
    yield from _one_query(params)
    yield from _rules(params)
    yield from _tiles(params)
    yield from _traffic(params)
    yield from _runs(params)
    yield from _arithmetic(params)


def _given(params: FlashParams) -> Iterator[Found]:
    example, tiles, one, conventions = params.example, params.tiles, params.accelerator, params.conventions
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.table("sheet", "scores", {f"key_{n}": {"score": score} for n, score in enumerate(example.scores, 1)})
    yield from SHEET.values("sheet", block_len=example.block_len, n_tokens=tiles.n_tokens, tile_width=tiles.head_width)
    yield from SHEET.values("sheet", seed=tiles.seed, block_columns=tiles.block_columns, block_rows=tiles.block_rows)
    yield from SHEET.letters("sheet", d=params.traffic.head_width, N=params.traffic.seq_len, M=_sram(params, one.sram_kib))
    yield from SHEET.values("sheet", accelerator=one.name, source=one.source)
    yield from SHEET.values("sheet", unit="TFLOP/s", peak=one.peak_tflops)
    yield from SHEET.values("sheet", unit="GB/s", bandwidth=one.bandwidth_gb_per_s)
    yield from SHEET.values("sheet", unit="KiB", sram=one.sram_kib)
    yield from SHEET.values("sheet", unit="B", element=conventions.bytes_per_element)
    keys = conventions.loop_order == "keys_outer"
    yield from SHEET.values("sheet", keys_outer=keys, queries_outer=not keys)


def _sram(params: FlashParams, kib: int) -> int:
    return kib * 1024 // params.conventions.bytes_per_element


def _cuts(params: FlashParams) -> list[tuple[int, int]]:
    """How many keys have passed before each block and after it."""
    count, block = len(params.example.scores), params.example.block_len
    return list(pairwise([*range(0, count, block), count]))


def _one_query(params: FlashParams) -> Iterator[Found]:
    """Softmax over the keys that have passed, all at once, exactly."""
    example = params.example
    scores, components = [sympy.sympify(score) for score in example.scores], range(1, len(example.values[0]) + 1)
    rows: dict[str, tuple[Any, ...]] = {}
    for n, (start, end) in enumerate(_cuts(params), 1):
        before, top = (max(scores[:passed]) for passed in (start or 1, end))
        weights = [sympy.exp(score - top) for score in scores[:end]]
        sums = (sum(w * v[j - 1] for w, v in zip(weights, example.values, strict=False)) for j in components)
        said = ", ".join(str(score).replace("-", "−") for score in example.scores[start:end])
        rows[f"block_{n}"] = (n, said, top, sympy.exp(before - top) if start else None, sympy.Add(*weights), *sums)
        yield Found(f"1/sums/sum_{n}", sympy.Add(*weights), EXACT)
    yield from SHEET.part("1", "One query, block by block")
    headings: dict[str, str | Math] = {"largest": Math("m"), "sum": Math(r"\ell")}
    headings |= {f"u{j}": Math(f"u_{{{j}}}") for j in components}
    columns = ["block", "scores", "largest", "factor", "sum", *(f"u{j}" for j in components)]
    yield from EXACT.table("1", "blocks", rows, headings=headings, columns=columns)
    *_, total = (cells[4:] for cells in rows.values())
    yield from EXACT.values("1", blocks_in_all=len(rows), sum=total[0])
    found = {f"component_{j}": (j, total[j] / total[0], total[j] / total[0]) for j in components}
    yield from EXACT.table("1", "output", found, columns=["component", "running", "all_at_once"])


def _rules(params: FlashParams) -> Iterator[Found]:
    """Each rule at other scores and maxima: what it adds to the sum before must give the sum over all keys so far."""
    worlds: dict[str, Any] = {}
    for n, (start, end) in enumerate(_cuts(params), 1):
        cases = []
        for shift in (0.3, -0.7):
            scores = [math.sin(i + shift) for i in range(1, end + 1)]
            before, after = shift * (n - 1), shift * n + 0.1
            world = {f"s_{i}": score for i, score in enumerate(scores, 1)} | {f"m_{n - 1}": before, f"m_{n}": after}
            world[f"ell_{n - 1}"] = math.fsum(math.exp(score - before) for score in scores[:start])
            cases.append((world, math.fsum(math.exp(score - after) for score in scores)))
        worlds |= {f"rule_{n}": cases, f"sum_{n}": None}
    yield Found("1/sums@lines", tuple(worlds), SHEET)
    for key, found in worlds.items():
        yield Found(f"1/sums/{key}@symbol", rf"\ell_{{{key.partition('_')[2]}}}", SHEET)
        if found:
            yield from KEYS.worlds(f"1/sums/{key}", found)


def _tiles(params: FlashParams) -> Iterator[Found]:
    """Whole numbers from -200 to 200 over 100, as numpy's generator draws them; attention over all keys at once."""
    import numpy as np
    import torch

    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import plain

    tiles = params.tiles
    drawn = np.random.default_rng(tiles.seed).integers(-200, 201, size=(3, tiles.n_tokens, tiles.head_width))
    q, k, v = torch.from_numpy(drawn).double() / 100
    scores = q @ k.T / tiles.head_width**0.5
    tops = scores.amax(1)
    sums = (scores.logsumexp(1) - tops).exp()
    found = torch.stack([tops, sums, *plain(q, k, v).T], 1).tolist()
    yield from SHEET.part("2", "Whole matrices in tiles")
    starts = [range(0, tiles.n_tokens, block) for block in (tiles.block_rows, tiles.block_columns)]
    yield from TILES.values("2", tiles=sum(1 for _ in starts[0] for _ in starts[1]))
    headings: dict[str, str | Math] = {"largest": Math("m"), "sum": Math(r"\ell")}
    headings |= {f"o{j}": Math(f"o_{{{j}}}") for j in range(1, tiles.head_width + 1)}
    rows = {f"query_{i}": (i, *cells) for i, cells in enumerate(found, 1)}
    yield from ATTENTION.table("2", "rows", rows, headings=headings, columns=["query", *headings])


def _held(params: FlashParams, kib: int) -> int:
    """Elements of the tensors that a full tile has on the chip."""
    import torch

    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import blocks

    width = params.traffic.head_width
    outer, inner = blocks(width, _sram(params, kib))
    rows, columns = (inner, outer) if params.conventions.loop_order == "keys_outer" else (outer, inner)
    shapes = [(columns, width)] * 2 + [(rows, width)] * 2 + [(rows, columns)] + [(rows, 1)] * 2
    return sum(torch.empty(shape, device="meta").numel() for shape in shapes)


def _walked(params: FlashParams, length: int, kib: int) -> Any:
    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import walked

    return walked(length, params.traffic.head_width, _sram(params, kib), params.conventions.loop_order)


def _standard(params: FlashParams, length: int) -> tuple[int, int]:
    """Elements that three kernels on tensors without storage read and write."""
    import torch

    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import standard_run

    run = standard_run(*(torch.empty(length, params.traffic.head_width, device="meta") for _ in range(3)))
    return run.reads, run.writes


def _traffic(params: FlashParams) -> Iterator[Found]:
    element, length, kib = params.conventions.bytes_per_element, params.traffic.seq_len, params.accelerator.sram_kib
    one, standard = _walked(params, length, kib), _standard(params, length)
    yield from SHEET.part("3", "Reads and writes of memory")
    symbols = {"outer": "B_outer", "inner": "B_inner", "passes": "T"}
    yield from WALKED.values("3", outer=one.outer, inner=one.inner, passes=one.passes, symbols=symbols)
    yield from SHAPES.values("3", held=_held(params, kib), symbols={"held": "E"})
    moved = [element * count for count in (*standard, one.reads, one.writes)]
    yield from WALKED.values("3", dict(zip(TRAFFIC, moved, strict=True)), unit="B", symbols=TRAFFIC)
    yield from WALKED.values("3", ratio=Fraction(sum(standard), one.reads + one.writes))
    yield from WALKED.values("3", unit="MiB", standard=Fraction(element * sum(standard), 2**20))
    lengths: dict[str, tuple[Cell, ...]] = {}
    for place, n in enumerate(params.traffic.seq_lens, 1):
        theirs, (*_, reads, writes) = _standard(params, n), _walked(params, n, kib)
        counts = (Fraction(element * count, 2**20) for count in (*theirs, reads, writes))
        lengths[f"length_{place}"] = (n, *counts, Fraction(sum(theirs), reads + writes))
    said = ("Reads, standard", "Writes, standard", "Reads, flash", "Writes, flash")
    headings: dict[str, str | Math] = {"tokens": Math("N"), **dict(zip(TRAFFIC, said, strict=True))}
    yield from WALKED.table("3", "lengths", lengths, units=dict.fromkeys(TRAFFIC, "MiB"), headings=headings,
                            columns=[*headings, "standard_over_flash"])  # fmt: skip
    sizes: dict[str, tuple[Cell, ...]] = {}
    for place, kib in enumerate(params.traffic.sram_kib, 1):
        *cut, reads, writes = _walked(params, length, kib)
        used, both = Fraction(100 * _held(params, kib), _sram(params, kib)), reads + writes
        sizes[f"sram_{place}"] = (kib, *cut, used, Fraction(element * both, 2**20), Fraction(sum(standard), both))
    columns = ["sram", "outer_block", "inner_block", "passes", "sram_used", "traffic", "standard_over_flash"]
    units = {"sram": "KiB", "sram_used": "%", "traffic": "MiB"}
    said_of_sram = {"sram": "SRAM", "sram_used": "SRAM used"}
    yield from WALKED.table("3", "sram", sizes, units=units, headings=said_of_sram, columns=columns)


def _runs(params: FlashParams) -> Iterator[Found | Proof]:
    """Both ways with real tensors, where these are small: what they copy, and that they attend rightly."""
    import torch

    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import RUNS, blocks, plain, standard_run

    length, width, element = params.traffic.seq_len, params.traffic.head_width, params.conventions.bytes_per_element
    small = min(length, RUNS_UP_TO // width)
    q, k, v = torch.randn(3, small, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cut = blocks(width, _sram(params, params.accelerator.sram_kib))
    ours, standard = RUNS[params.conventions.loop_order](q, k, v, *cut), standard_run(q, k, v)
    if small == length:
        counts = (standard.reads, standard.writes, ours.reads, ours.writes)
        yield from COPIED.values("3", {key: element * count for key, count in zip(TRAFFIC, counts, strict=True)})
        if max(cut) <= length:  # some tile is a full one
            yield from COPIED.values("3", held=ours.held)
    off = max(float((run.output - plain(q, k, v)).abs().max()) for run in (ours, standard))
    yield from COPIED.proof("3: both runs that count their copies give torch's own attention", off)


def _arithmetic(params: FlashParams) -> Iterator[Found | Proof]:
    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import largest_gradient_difference, products_flops

    length, width = params.traffic.seq_len, params.traffic.head_width
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)  # torch counts two FLOPs a multiply-add
    runs = {"forward": (False, False), "standard": (False, True), "flash": (True, True)}
    flops = {
        key: scale * products_flops(length, width, recompute=recompute, backward=backward)
        for key, (recompute, backward) in runs.items()
    }
    yield from SHEET.part("4", "Arithmetic and time")
    symbols = {key: rf"F_{{\text{{{key}}}}}" for key in runs}
    yield from AUTOGRAD.values("4", flops, unit="FLOP", symbols=symbols)
    yield from AUTOGRAD.values("4", unit="%", more=100 * (flops["flash"] / flops["standard"] - 1))
    off = largest_gradient_difference(10, 3, params.tiles.seed)
    yield from AUTOGRAD.proof("4: gradients with the scores formed again are those of autograd", off)
    one, rows = params.accelerator, {}
    _, _, _, *ours = _walked(params, length, one.sram_kib)
    for key, name, counts in (("standard", "standard", _standard(params, length)), ("flash", "FlashAttention", ours)):
        moved = params.conventions.bytes_per_element * sum(counts)
        arithmetic, memory = flops["forward"] / (one.peak_tflops * 10**6), moved / (one.bandwidth_gb_per_s * 10**3)
        bound_by = "memory" if memory > arithmetic else "arithmetic"
        rows[key] = (name, flops["forward"] / moved, arithmetic, memory, max(arithmetic, memory), bound_by)
    units = {"intensity": "FLOP/B", "arithmetic": "µs", "memory": "µs", "longer": "µs"}
    yield from WALKED.table("4", "times", rows, units=units, columns=["attention", *units, "bound_by"])
