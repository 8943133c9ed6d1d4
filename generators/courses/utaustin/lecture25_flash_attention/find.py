"""Attends all at once, runs tiles that count their copies, and counts the products of autograd.

The lecture says of FlashAttention that it keeps a running sum for the softmax and computes values as needed, that it does
extra computation but avoids reads and writes of high-bandwidth memory, and that recomputation is all in SRAM.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import sympy

from generators.cells import Cell, Math
from generators.courses.utaustin.lecture25_flash_attention.params import FlashParams
from generators.found import Found, Proof, Route

SHEET = Route("the lecture and the parameters, read again", restates=True)
EXACT = Route("softmax over all keys at once, exactly")
AT_ONCE = Route("torch, softmax over all scores at once", tolerance=1e-12, absolute=1e-12)
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
    yield from _blocks(params)
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


def _ends(params: FlashParams) -> list[int]:
    """How many keys have passed after each block."""
    count, block = len(params.example.scores), params.example.block_len
    return [*range(block, count, block), count]


def _one_query(params: FlashParams) -> Iterator[Found]:
    """Softmax over the keys that have passed, all at once, exactly; the outputs by torch too."""
    import torch

    example, ends = params.example, _ends(params)
    scores = [sympy.sympify(score) for score in example.scores]
    rows: dict[str, dict[str, Any]] = {}
    lines: dict[str, tuple[str, Any]] = {}
    for n, (start, end) in enumerate(zip([0, *ends], ends, strict=False), 1):
        tops = [max(scores[:passed]) for passed in (start or 1, end)]
        weights = [sympy.exp(score - tops[1]) for score in scores[:end]]
        weighted = [sum(w * v[j] for w, v in zip(weights, example.values, strict=False)) for j in range(len(example.values[0]))]
        rows[f"block_{n}"] = {
            "block": n,
            "scores": ", ".join(str(score).replace("-", "−") for score in example.scores[start:end]),
            "largest": max(example.scores[:end]),
            "factor": sympy.exp(tops[0] - tops[1]) if start else None,
            "sum": sympy.Add(*weights),
            **{f"u{j}": one for j, one in enumerate(weighted, 1)},
        }
        lines[f"sum_{n}"] = (rf"\ell_{{{n}}}", sympy.Add(*weights))
    yield from SHEET.part("1", "One query, block by block")
    components = range(1, len(example.values[0]) + 1)
    headings: dict[str, str | Math] = {"largest": Math("m"), "sum": Math(r"\ell")}
    yield from EXACT.table("1", "blocks", rows, headings=headings | {f"u{j}": Math(f"u_{{{j}}}") for j in components})
    yield from EXACT.values("1", blocks_in_all=len(rows), sum=rows[f"block_{len(rows)}"]["sum"])
    last = rows[f"block_{len(rows)}"]
    outputs = {f"component_{j}": last[f"u{j}"] / last["sum"] for j in components}
    found = {key: {"component": j, "running": one, "all_at_once": one} for j, (key, one) in enumerate(outputs.items(), 1)}
    yield from EXACT.table("1", "output", found)
    floats = ([[float(x) for x in row] for row in one] for one in ([example.scores], example.values))
    whole, values = (torch.tensor(one, dtype=torch.float64) for one in floats)
    softmax = (whole.softmax(-1) @ values)[0].tolist()
    yield from AT_ONCE.cells("1", "output", {key: {"running": x} for key, x in zip(found, softmax, strict=True)})
    for key, (_, value) in lines.items():
        yield Found(f"1/sums/{key}", value, EXACT)


def _rules(params: FlashParams) -> Iterator[Found]:
    """Each rule at other scores and maxima: what it adds to the sum before must give the sum over all keys so far."""
    ends = _ends(params)
    worlds: dict[str, Any] = {}
    for n, (start, end) in enumerate(zip([0, *ends], ends, strict=False), 1):
        cases = []
        for shift in (0.3, -0.7):
            scores = [math.sin(i + shift) for i in range(1, end + 1)]
            before, after = shift * (n - 1), shift * n + 0.1
            world = {f"s_{i}": score for i, score in enumerate(scores, 1)} | {f"m_{n - 1}": before, f"m_{n}": after}
            world[f"ell_{n - 1}"] = math.fsum(math.exp(score - before) for score in scores[:start])
            cases.append((world, math.fsum(math.exp(score - after) for score in scores)))
        worlds |= {f"rule_{n}": cases, f"sum_{n}": None}
    symbols = {key: rf"\ell_{{{key.partition('_')[2]}}}" for key in worlds}
    yield Found("1/sums@lines", tuple(worlds), SHEET)
    for key, symbol in symbols.items():
        yield Found(f"1/sums/{key}@symbol", symbol, SHEET)
        if worlds[key]:
            yield from KEYS.worlds(f"1/sums/{key}", worlds[key])


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
    outputs = plain(q, k, v)
    yield from SHEET.part("2", "Whole matrices in tiles")
    starts = [range(0, tiles.n_tokens, block) for block in (tiles.block_rows, tiles.block_columns)]
    yield from TILES.values("2", tiles=sum(1 for _ in starts[0] for _ in starts[1]))
    rows: dict[str, dict[str, Cell]] = {
        f"query_{i}": {
            "query": i,
            "largest": float(tops[i - 1]),
            "sum": float(sums[i - 1]),
            **{f"o{j}": float(x) for j, x in enumerate(outputs[i - 1], 1)},
        }
        for i in range(1, len(q) + 1)
    }
    headings: dict[str, str | Math] = {"largest": Math("m"), "sum": Math(r"\ell")}
    headings |= {f"o{j}": Math(f"o_{{{j}}}") for j in range(1, tiles.head_width + 1)}
    yield from ATTENTION.table("2", "rows", rows, headings=headings)


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


def _blocks(params: FlashParams) -> Iterator[Found]:
    kib = params.accelerator.sram_kib
    one = _walked(params, params.traffic.seq_len, kib)
    yield from SHEET.part("3", "Reads and writes of memory")
    symbols = {"outer": "B_outer", "inner": "B_inner", "passes": "T"}
    yield from WALKED.values("3", outer=one.outer, inner=one.inner, passes=one.passes, symbols=symbols)
    yield from SHAPES.values("3", held=_held(params, kib), symbols={"held": "E"})


def _standard(params: FlashParams, length: int) -> tuple[int, int]:
    from generators.courses.utaustin.lecture25_flash_attention.attention_tiles import standard_walked

    return standard_walked(length, params.traffic.head_width)


def _traffic(params: FlashParams) -> Iterator[Found]:
    element, length, kib = params.conventions.bytes_per_element, params.traffic.seq_len, params.accelerator.sram_kib
    one, standard = _walked(params, length, kib), _standard(params, length)
    moved = [element * count for count in (*standard, one.reads, one.writes)]
    yield from WALKED.values("3", dict(zip(TRAFFIC, moved, strict=True)), unit="B", symbols=TRAFFIC)
    yield from WALKED.values("3", ratio=Fraction(sum(standard), one.both))
    yield from WALKED.values("3", unit="MiB", standard=Fraction(element * sum(standard), 2**20))
    rows: dict[str, dict[str, Cell]] = {}
    for place, n in enumerate(params.traffic.seq_lens, 1):
        ours, theirs = _walked(params, n, kib), _standard(params, n)
        counts = dict(zip(TRAFFIC, (*theirs, ours.reads, ours.writes), strict=True))
        mib = {key: Fraction(element * count, 2**20) for key, count in counts.items()}
        rows[f"length_{place}"] = {"tokens": n, **mib, "standard_over_flash": Fraction(sum(theirs), ours.both)}
    said = ("Reads, standard", "Writes, standard", "Reads, flash", "Writes, flash")
    headings: dict[str, str | Math] = {"tokens": Math("N"), **dict(zip(TRAFFIC, said, strict=True))}
    yield from WALKED.table("3", "lengths", rows, units=dict.fromkeys(TRAFFIC, "MiB"), headings=headings)
    yield from _by_sram(params, sum(standard))


def _by_sram(params: FlashParams, standard: int) -> Iterator[Found]:
    rows: dict[str, dict[str, Cell]] = {}
    for place, kib in enumerate(params.traffic.sram_kib, 1):
        ours = _walked(params, params.traffic.seq_len, kib)
        rows[f"sram_{place}"] = {
            "sram": kib,
            "outer_block": ours.outer,
            "inner_block": ours.inner,
            "passes": ours.passes,
            "sram_used": 100 * Fraction(_held(params, kib), _sram(params, kib)),
            "traffic": Fraction(params.conventions.bytes_per_element * ours.both, 2**20),
            "standard_over_flash": Fraction(standard, ours.both),
        }
    units, headings = {"sram": "KiB", "sram_used": "%", "traffic": "MiB"}, {"sram": "SRAM", "sram_used": "SRAM used"}
    yield from WALKED.table("3", "sram", rows, units=units, headings=headings)


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
    one, element = params.accelerator, params.conventions.bytes_per_element
    counts = (sum(_standard(params, length)), _walked(params, length, one.sram_kib).both)
    yield from _times(params, flops["forward"], [element * count for count in counts])


def _times(params: FlashParams, flops: Fraction, moved: Sequence[int]) -> Iterator[Found]:
    one = params.accelerator
    rows: dict[str, dict[str, Cell]] = {}
    for key, name, count in zip(("standard", "flash"), ("standard", "FlashAttention"), moved, strict=True):
        arithmetic, memory = flops / (one.peak_tflops * 10**6), count / (one.bandwidth_gb_per_s * 10**3)
        rows[key] = {
            "attention": name,
            "intensity": flops / count,
            "arithmetic": arithmetic,
            "memory": memory,
            "longer": max(arithmetic, memory),
            "bound_by": "memory" if memory > arithmetic else "arithmetic",
        }
    units = {"intensity": "FLOP/B", "arithmetic": "µs", "memory": "µs", "longer": "µs"}
    yield from WALKED.table("4", "times", rows, units=units)
