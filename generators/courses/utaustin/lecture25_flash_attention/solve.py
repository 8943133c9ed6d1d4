"""Follows one query through its blocks of keys, and counts memory traffic, arithmetic and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, Math, Value, at, exact, rational
from generators.courses.utaustin.lecture25_flash_attention.params import Example, FlashParams
from generators.depending import either
from generators.table import column, table
from generators.topics.roofline import roofline_seconds

L, H, SRAM, PASSES, OUTER, INNER = sympy.symbols("L H M_SRAM n_pass L_outer L_inner", positive=True)

STANDARD = (3 * L * H + 2 * L**2, L * H + 2 * L**2)
"""Elements read and written by S = QKᵀ, P = softmax(S) and PV, each from memory to memory: algorithm 0 of arXiv 2205.14135."""
OUTER_LEN, INNER_LEN, PASS_COUNT = (
    sympy.ceiling(SRAM / (4 * H)),
    sympy.Min(OUTER, H),
    sympy.ceiling(L / OUTER),
)
"""Tokens of a block of both loops, and passes of the inner one: algorithm 1, line 1."""
FLASH = {
    "keys_outer": (2 * L * H + PASSES * (2 * L * H + 2 * L), (PASSES + 1) * (L * H + 2 * L)),
    "queries_outer": (L * H + PASSES * 2 * L * H, L * H + L),
}
"""With keys outer, every pass reads Q and reads and writes O and two numbers a query, which start as zeros in memory.

With queries outer (algorithm 1 of arXiv 2307.08691), every pass reads K and V; O and one number a query are written once.
"""
TIMES = ("arithmetic", "memory", "time")
FORWARD, BACKWARD = 2, 4
"""Products: QKᵀ and PV; and the gradients of V, P, Q and K. Without P in memory, backward forms QKᵀ once more."""


def solve(params: FlashParams) -> Answer:
    """One query, reads and writes, and arithmetic."""
    sheet = _sheet(params)
    return answer(sheet, _one_query(params.example), _traffic(params, sheet), _arithmetic(params, sheet))


def _sheet(params: FlashParams) -> Part:
    example, one, conventions = params.example, params.accelerator, params.conventions
    pairs = zip(map(exact, example.scores), map(_listed, example.values), strict=True)
    keys = {f"key_{place}": pair for place, pair in enumerate(pairs, 1)}
    return part(
        "sheet",
        "Given",
        table("scores", ["score", "value"], keys),
        number("block_len", example.block_len, "keys of a block"),
        letter(H, params.head_width, "width of a head"),
        letter(L, params.seq_len, "tokens"),
        letter(SRAM, _sizes(params, one.sram_kib)[SRAM], "elements that fit into SRAM"),
        text("accelerator", one.name),
        text("source", one.source),
        number("peak", one.peak_tflops, unit="TFLOP/s"),
        number("bandwidth", one.bandwidth_gb_per_s, unit="GB/s"),
        number("sram", one.sram_kib, "memory on the chip", unit="KiB"),
        number("element", conventions.bytes_per_element, "bytes of one element", unit="B"),
        claim("keys_outer", conventions.loop_order == "keys_outer"),
        claim("queries_outer", conventions.loop_order == "queries_outer"),
    )


@dataclass(frozen=True)
class Running:
    """What is kept of the keys so far: the largest score m, Σ e^(S - m), and Σ e^(S - m) v."""

    largest: sympy.Expr
    total: sympy.Expr
    weighted: tuple[sympy.Expr, ...]


def absorbed(before: Running | None, scores: Sequence[sympy.Expr], values: Sequence[Sequence[sympy.Expr]]) -> Running:
    """Add a block of keys: what was kept shrinks by e^(old m - new m) where the block raises the maximum."""
    largest = max(scores) if before is None else max(before.largest, *scores)
    weights = [sympy.exp(score - largest) for score in scores]
    weighted = [sum(weight * x for weight, x in zip(weights, column, strict=True)) for column in zip(*values, strict=True)]
    if before is None:
        return Running(largest, sum(weights), tuple(weighted))
    shrunk = sympy.exp(before.largest - largest)
    sums = (shrunk * old + new for old, new in zip(before.weighted, weighted, strict=True))
    return Running(largest, shrunk * before.total + sum(weights), tuple(sums))


def _one_query(example: Example) -> Part:
    scores = [sympy.sympify(score) for score in example.scores]
    values = [[sympy.sympify(x) for x in value] for value in example.values]
    rows: dict[str, tuple[Cell, ...]] = {}
    kept: Running | None = None
    for place, start in enumerate(range(0, len(scores), example.block_len), 1):
        block, before = slice(start, start + example.block_len), kept
        kept = absorbed(before, scores[block], values[block])
        factor = exact(sympy.exp(before.largest - kept.largest)) if before else None
        said = _listed(example.scores[block])
        rows[f"block_{place}"] = (place, said, exact(kept.largest), factor, *map(_expanded, (kept.total, *kept.weighted)))
    assert kept is not None
    outputs = {f"component_{j}": (exact(weighted / kept.total),) for j, weighted in enumerate(kept.weighted, 1)}
    weighted = [column(f"u{j}", Math(f"u_{{{j}}}")) for j, _ in enumerate(kept.weighted, 1)]
    columns = [column("block"), column("scores"), column("largest", Math("m")), column("factor"), column("sum", Math(r"\ell"))]
    return part(
        "1",
        "One query, block by block",
        number("blocks_in_all", len(rows), "blocks"),
        number("sum", _expanded(kept.total), "sum over all keys", r"\ell", asked=True),
        table("output", ["component"], outputs, asked=True),
        table("blocks", [*columns, *weighted], rows),
    )


def _listed(numbers: Sequence[Fraction]) -> str:
    return ", ".join(map(str, numbers)).replace("-", "−")


def _expanded(number: sympy.Expr) -> Value:
    return exact(sympy.expand(number))


def _sizes(params: FlashParams, kib: int) -> dict[sympy.Symbol, Value]:
    """What stands for the letters with so much SRAM."""
    sram = kib * 1024 // params.conventions.bytes_per_element
    sizes: dict[sympy.Symbol, Value] = {L: params.seq_len, H: params.head_width, SRAM: sram}
    for symbol, rule in ((OUTER, OUTER_LEN), (INNER, INNER_LEN), (PASSES, PASS_COUNT)):
        sizes[symbol] = at(rule, sizes)
    return sizes


def _bytes(params: FlashParams, reads_and_writes: tuple[sympy.Expr, sympy.Expr], kib: int) -> Fraction:
    """Bytes read and written with so much SRAM."""
    return params.conventions.bytes_per_element * rational(at(sum(reads_and_writes), _sizes(params, kib)))


def _traffic(params: FlashParams, sheet: Part) -> Part:
    """Reads and writes of both ways, by their formulas and by size of SRAM."""
    element, (reads, writes) = params.conventions.bytes_per_element, FLASH[params.conventions.loop_order]
    _, ratio, _, used, *_ = _by_size(params, params.accelerator.sram_kib)
    sizes = {f"sram_{place}": _by_size(params, kib) for place, kib in enumerate(params.sram_kib, 1)}
    columns = [column("sram", "SRAM", "KiB"), column("ratio", "Standard over flash"), column("flash", unit="MiB")]
    return part(
        "2",
        "Reads and writes of memory",
        formula("outer", OUTER_LEN, "tokens of an outer block", OUTER),
        formula("inner", INNER_LEN, "tokens of an inner block", INNER),
        formula("passes", PASS_COUNT, "passes of the inner loop", PASSES),
        formula("held", _held(params), "elements in SRAM at once", r"M_{\text{tile}}"),
        formula("standard_reads", element * STANDARD[0], "reads, standard", r"M_{\text{read, standard}}", "B", asked=True),
        formula("standard_writes", element * STANDARD[1], "writes, standard", r"M_{\text{written, standard}}", "B", asked=True),
        formula("flash_reads", element * reads, "reads, FlashAttention", r"M_{\text{read, flash}}", "B", asked=True),
        formula("flash_writes", element * writes, "writes, FlashAttention", r"M_{\text{written, flash}}", "B", asked=True),
        number("ratio", exact(ratio), "traffic of standard attention over FlashAttention's", asked=True),
        claim("saves", ratio > 1, "FlashAttention moves less than standard attention"),
        claim("moves_more", ratio < 1, "FlashAttention moves more than standard attention"),
        claim("too_large", used > 100, "a tile needs more than there is of SRAM"),
        table("sram", [*columns, column("used", "SRAM used", "%"), column("outer", "Outer block"), "passes"], sizes),
        within=sheet,
    )


def _held(params: FlashParams) -> sympy.Expr:
    """What SRAM holds at once: two blocks of each loop's matrices, their tile of scores, and two numbers a query."""
    queries = INNER if params.conventions.loop_order == "keys_outer" else OUTER
    return 2 * OUTER * H + 2 * INNER * H + OUTER * INNER + 2 * queries


def _by_size(params: FlashParams, kib: int) -> tuple[Value, ...]:
    """With so much SRAM: the ratio of both, MiB that FlashAttention moves, the share of SRAM used, blocks and passes."""
    sizes = _sizes(params, kib)
    standard, flash = (_bytes(params, way, kib) for way in (STANDARD, FLASH[params.conventions.loop_order]))
    used = 100 * rational(at(_held(params), sizes)) / rational(sizes[SRAM])
    return kib, standard / flash, flash / 2**20, used, sizes[OUTER], sizes[PASSES]


def _arithmetic(params: FlashParams, sheet: Part) -> Part:
    """FLOPs of both ways, forward and in a training step, and the time of a forward pass."""
    one = params.conventions.flops_per_multiply_add * L**2 * H
    products = FORWARD + BACKWARD
    standard = "FLOPs of a training step, standard", r"F_{\text{standard}}", "FLOP"
    flash = "FLOPs of a training step, FlashAttention", r"F_{\text{flash}}", "FLOP"
    return part(
        "3",
        "Arithmetic and time",
        formula("forward", FORWARD * one, "FLOPs forward, both", r"F_{\text{forward}}", "FLOP"),
        formula("standard", products * one, *standard),
        formula("flash", (products + 1) * one, *flash),
        number("more", Fraction(100, products), "more arithmetic", unit="%", asked=True),
        table("times", ["attention", *(column(key, unit="µs") for key in TIMES), "bound_by"], _times(params), asked=True),
        claim("wide", params.conventions.bytes_per_element > 2, "elements are wider than those of the peak"),
        within=sheet,
    )


def _times(params: FlashParams) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Microseconds of a forward pass at the accelerator's peaks, which count 2 FLOPs a multiply-add."""
    one = params.accelerator
    peak, bandwidth = one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9
    flops = 2 * FORWARD * params.seq_len**2 * rational(params.head_width)
    for name, way in (("standard", STANDARD), ("FlashAttention", FLASH[params.conventions.loop_order])):
        moved = _bytes(params, way, one.sram_kib)
        arithmetic, longer = flops / peak, roofline_seconds(flops, moved, peak, bandwidth)
        bound_by = either(longer == arithmetic, "arithmetic", "memory")
        yield name, (name, *(10**6 * seconds for seconds in (arithmetic, moved / bandwidth, longer)), bound_by)
