"""Finds FlashAttention's numbers again: softmax all at once, runs that count their copies, and products of autograd."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy
import torch

from generators.answer import Cell
from generators.oracles.attention_tiles import (
    RUNS,
    Walked,
    blocks,
    largest_gradient_difference,
    plain,
    products_flops,
    standard_run,
    standard_walked,
    walked,
)
from generators.oracles.compare import Formula, close_numbers, same, same_formulas, same_letters, same_rows
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_flash_attention import FlashParams

VERSION = torch.__version__.split("+")[0]
AT_ONCE = f"torch, version {VERSION}, softmax over all scores at once"
ATTENTION = f"torch, version {VERSION}, scaled_dot_product_attention"
WALKED = "enumeration: every copy of every tile"
COPIED = "torch, every copied tensor counted"
AUTOGRAD = "torch, products of forward and backward"
TOLERANCE = 1e-12
OTHER_SIZES = {"N": 10, "d": 3, "M": 40}
OTHER_TILES = {"B_outer": 4, "B_inner": 3}
TRAFFIC = ("standard_reads", "standard_writes", "flash_reads", "flash_writes")
MIB = 2**20


def verify_flash(params: FlashParams, answer: Answer) -> Iterator[Check]:
    """Check the running softmax, the tiles, the traffic, and the arithmetic."""
    yield from _check_one_query(params, answer["1"])
    yield from _check_tiles(params, answer["2"])
    yield from _check_blocks(params, answer["3"])
    yield _check_runs(params.conventions.loop_order)
    yield from _check_traffic(params, answer["3"])
    yield from _check_arithmetic(params, answer["4"])


def _check_one_query(params: FlashParams, part: Part) -> Iterator[Check]:
    example = params.example
    scores, values = (torch.tensor(_floats(one), dtype=torch.float64) for one in ([example.scores], example.values))
    ends = [*range(example.block_len, len(example.scores), example.block_len), len(example.scores)]
    tops = scores[0].cummax(0).values[[end - 1 for end in ends]]
    rows = []
    for number, (end, top) in enumerate(zip(ends, tops, strict=True), 1):
        weights = (scores[0, :end] - top).exp()
        factor = math.exp(tops[number - 2] - top) if number > 1 else 0.0
        rows.append([number, float(top), factor, float(weights.sum()), *(weights @ values[:end]).tolist()])
    table = part.tables["blocks"]
    groups = [example.scores[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    written = "; ".join(", ".join(map(str, group)) for group in groups)
    yield same("1, scores of the blocks", "; ".join(map(str, table.column("Scores"))), written, "the parameters")
    yield same_letters("1, numbers put in", part.steps, {}, _put_into_sums(example.scores, ends))
    cells = [0 if cell is None else cell for row in table.rows for cell in (row[0], *row[2:])]
    yield close_numbers("1, kept after each block", cells, [x for row in rows for x in row], AT_ONCE)
    yield close_numbers(
        "1, running sums", (part[f"sum_{n}"].value for n in range(1, len(rows) + 1)), (row[3] for row in rows), AT_ONCE
    )
    yield _check_sum_formulas(params, part, len(rows))
    outputs = part.tables["output"]
    found = scores.softmax(-1) @ values
    yield same("1, components", str(outputs.column("Component")), str(tuple(range(1, found.shape[1] + 1))), "the parameters")
    for name in ("Running", "All at once"):
        yield close_numbers(f"1, output, {name.lower()}", outputs.column(name), found[0].tolist(), AT_ONCE)
    yield _check_exactly(outputs)


def _put_into_sums(scores: Sequence[Fraction], ends: Sequence[int]) -> dict[str, dict[str, Cell]]:
    """For the sum after each block: its scores, the largest before and after it, and the sum over all keys before it."""
    exact = [sympy.Rational(score.numerator, score.denominator) for score in scores]
    tops = [max(exact[:end]) for end in ends]
    found: dict[str, dict[str, Cell]] = {}
    for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False), 1):
        letters: dict[str, Cell] = {f"s_{place}": scores[place - 1] for place in range(start + 1, end + 1)}
        letters[f"m_{number}"] = tops[number - 1]
        if number > 1:
            letters[f"m_{number - 1}"] = tops[number - 2]
            letters[f"ell_{number - 1}"] = sum((sympy.exp(one - tops[number - 2]) for one in exact[:start]), sympy.Integer(0))
        found[f"sum_{number}"] = letters
    return found


def _floats(rows: Sequence[Sequence[Fraction]]) -> list[list[float]]:
    return [[float(x) for x in row] for row in rows]


def _check_exactly(outputs: Table) -> Check:
    """Both columns to 50 digits, of which floats would keep 16."""
    pairs = zip(outputs.column("Running"), outputs.column("All at once"), strict=True)
    off = max(abs(sympy.N(sympy.sympify(ours) - sympy.sympify(theirs), 60)) for ours, theirs in pairs)
    return Check(
        what="1, running output and all at once",
        published="equal to 50 digits",
        found=f"largest difference {float(off):.1e}",
        by="mpmath, 60 digits",
        passed=bool(off < sympy.Float("1e-50")),
    )


def _check_sum_formulas(params: FlashParams, part: Part, count: int) -> Check:
    """Each rule at other scores and maxima: what it adds to the sum before must give the sum over all keys so far."""
    length = params.example.block_len
    scores = [math.sin(i) for i in range(1, len(params.example.scores) + 1)]
    tops = [0.3 * number for number in range(count + 1)]
    published, found = [], []
    for number in range(1, count + 1):
        before = scores[: (number - 1) * length]
        at = {f"s_{i}": score for i, score in enumerate(scores, 1)}
        at |= {f"m_{number}": tops[number], f"m_{number - 1}": tops[number - 1]}
        at[f"ell_{number - 1}"] = math.fsum(math.exp(score - tops[number - 1]) for score in before)
        formula = sympy.sympify(part[f"sum_{number}"].formula)
        published.append(_evaluated(formula, tuple((symbol, at[str(symbol)]) for symbol in formula.free_symbols)))
        found.append(math.fsum(math.exp(score - tops[number]) for score in scores[: number * length]))
    return close_numbers(
        "1, rules of the running sums at other scores and maxima", published, found, "enumeration: all keys so far"
    )


@lru_cache(maxsize=64)
def _evaluated(formula: sympy.Expr, at: tuple[tuple[sympy.Symbol, float], ...]) -> float:
    return float(formula.subs(dict(at)))


@lru_cache(maxsize=8)
def _seeded(seed: int, length: int, width: int) -> torch.Tensor:
    """Q, K and V (3, N, d), drawn as the page says: whole numbers from -200 to 200, over 100."""
    import numpy

    return torch.from_numpy(numpy.random.default_rng(seed).integers(-200, 201, size=(3, length, width))).double() / 100


def _check_tiles(params: FlashParams, part: Part) -> Iterator[Check]:
    tiles, table = params.tiles, part.tables["rows"]
    q, k, v = _seeded(tiles.seed, tiles.n_tokens, tiles.head_width)
    scores = q @ k.T / tiles.head_width**0.5
    tops = scores.amax(1)
    sums = (scores.logsumexp(1) - tops).exp()
    yield same("2, queries", str(table.column("Query")), str(tuple(range(1, len(q) + 1))), "the parameters")
    yield close_numbers("2, largest scores", table.column("m"), tops.tolist(), AT_ONCE)
    yield close_numbers("2, sums", table.column("ℓ"), sums.tolist(), AT_ONCE)
    outputs = [cell for row in table.rows for cell in row[3:]]
    yield close_numbers("2, outputs", outputs, plain(q, k, v).flatten().tolist(), ATTENTION)
    ends = [range(0, len(q), block) for block in (tiles.block_rows, tiles.block_columns)]
    yield same("2, tiles", part["tiles"].value, len([1 for _ in ends[0] for _ in ends[1]]), "enumeration: every tile")


def _sram(params: FlashParams, kib: int) -> int:
    return kib * 1024 // params.conventions.bytes_per_element


def _walked(params: FlashParams, length: int, kib: int) -> Walked:
    return walked(length, params.traffic.head_width, _sram(params, kib), params.conventions.loop_order)


@dataclass(frozen=True)
class Ran:
    """What was counted with real tensors at the other sizes, and how far the outputs are from torch's own."""

    counts: Mapping[str, int]
    held: int
    off: float


@lru_cache(maxsize=8)
def _ran(order: str) -> Ran:
    length, width, sram = OTHER_SIZES.values()
    q, k, v = torch.randn(3, length, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, standard = RUNS[order](q, k, v, *blocks(width, sram)), standard_run(q, k, v)
    counts = dict(zip(TRAFFIC, (standard.reads, standard.writes, ours.reads, ours.writes), strict=True))
    off = max(float((run.output - plain(q, k, v)).abs().max()) for run in (ours, standard))
    return Ran(counts, ours.held, off)


def _check_runs(order: str) -> Check:
    """Both runs that count their copies must also attend rightly."""
    off = _ran(order).off
    return Check(
        what=f"3, outputs of both runs that count, N = {OTHER_SIZES['N']}",
        published=f"equal to {TOLERANCE:g}",
        found=f"largest difference {off:.1e}",
        by=ATTENTION,
        passed=off <= TOLERANCE,
    )


def _check_blocks(params: FlashParams, part: Part) -> Iterator[Check]:
    width, sram = params.traffic.head_width, _sram(params, params.accelerator.sram_kib)
    one = _walked(params, params.traffic.seq_len, params.accelerator.sram_kib)
    for name, found in (("outer", one.outer), ("inner", one.inner), ("passes", one.passes)):
        yield same(f"3, {part[name].what}", part[name].value, found, WALKED)
    yield same("3, elements in SRAM", part["held"].value, _held(params, width, sram), "torch, shapes of a tile's tensors")
    letters: dict[str, Cell] = {"N": params.traffic.seq_len, "d": width, "M": sram}
    letters |= {"B_outer": one.outer, "B_inner": one.inner, "T": one.passes}
    yield same_letters("3, numbers put in", part.steps, letters)
    other = walked(*OTHER_SIZES.values(), params.conventions.loop_order)
    triples: list[Formula] = [
        ("outer block", part["outer"].formula, other.outer),
        ("inner block", part["inner"].formula, other.inner),
        ("passes", part["passes"].formula, other.passes),
        ("elements in SRAM", part["held"].formula, _ran(params.conventions.loop_order).held),
    ]
    yield same_formulas("3, blocks", triples, OTHER_SIZES | OTHER_TILES, COPIED)


def _held(params: FlashParams, width: int, sram: int) -> int:
    """Elements of the tensors that a full tile has on the chip."""
    outer, inner = blocks(width, sram)
    rows, columns = (inner, outer) if params.conventions.loop_order == "keys_outer" else (outer, inner)
    shapes = [(columns, width)] * 2 + [(rows, width)] * 2 + [(rows, columns)] + [(rows, 1)] * 2
    return sum(torch.empty(shape, device="meta").numel() for shape in shapes)


def _check_traffic(params: FlashParams, part: Part) -> Iterator[Check]:
    element, length, width = params.conventions.bytes_per_element, params.traffic.seq_len, params.traffic.head_width
    one, standard = _walked(params, length, params.accelerator.sram_kib), standard_walked(length, width)
    found = dict(
        zip(("standard_reads", "standard_writes", "flash_reads", "flash_writes"), (*standard, one.reads, one.writes), strict=True)
    )
    for name, count in found.items():
        yield same(f"3, {part[name].what}", part[name].value, element * count, WALKED)
    yield same("3, standard over flash", part["ratio"].value, Fraction(sum(standard), one.both), WALKED)
    runs = _ran(params.conventions.loop_order).counts
    passes = walked(*OTHER_SIZES.values(), params.conventions.loop_order).passes
    triples: list[Formula] = [(name, part[name].formula, element * runs[name]) for name in found]
    yield same_formulas("3, reads and writes", triples, OTHER_SIZES | {"T": passes}, COPIED)
    rows: list[tuple[Cell, ...]] = []
    for n in params.traffic.seq_lens:
        ours, theirs = _walked(params, n, params.accelerator.sram_kib), standard_walked(n, width)
        moved = [Fraction(element * count, MIB) for count in (*theirs, ours.reads, ours.writes)]
        rows.append((n, *moved, Fraction(sum(theirs), ours.both)))
    yield same_rows("3, every length", part.tables["lengths"], rows, WALKED)
    rows = []
    for kib in params.traffic.sram_kib:
        ours, sram = _walked(params, length, kib), _sram(params, kib)
        used = Fraction(_held(params, width, sram), sram)
        traffic = (Fraction(element * ours.both, MIB), Fraction(sum(standard), ours.both))
        rows.append((kib, ours.outer, ours.inner, ours.passes, used, *traffic))
    yield same_rows("3, every size of SRAM", part.tables["sram"], rows, WALKED)


def _flops(params: FlashParams, length: int, width: int) -> dict[str, Fraction]:
    scale = Fraction(params.conventions.flops_per_multiply_add, 2)
    return {
        "forward": scale * products_flops(length, width, recompute=False, backward=False),
        "standard": scale * products_flops(length, width, recompute=False, backward=True),
        "flash": scale * products_flops(length, width, recompute=True, backward=True),
    }


def _check_arithmetic(params: FlashParams, part: Part) -> Iterator[Check]:
    length, width = params.traffic.seq_len, params.traffic.head_width
    found = _flops(params, length, width)
    for name, flops in found.items():
        yield same(f"4, {part[name].what}", part[name].value, flops, AUTOGRAD)
    yield same_letters("4, numbers put in", part.steps, {"N": length, "d": width})
    other = _flops(params, OTHER_SIZES["N"], OTHER_SIZES["d"])
    triples: list[Formula] = [(name, part[name].formula, flops) for name, flops in other.items()]
    yield same_formulas("4, formulas", triples, OTHER_SIZES, AUTOGRAD)
    yield same("4, more arithmetic", part["more"].value, found["flash"] / found["standard"] - 1, AUTOGRAD)
    off = largest_gradient_difference(OTHER_SIZES["N"], OTHER_SIZES["d"], params.tiles.seed)
    yield Check(
        what="4, gradients with the scores formed again",
        published=f"equal to {TOLERANCE:g}",
        found=f"largest difference {off:.1e}",
        by=f"torch, version {VERSION}, autograd",
        passed=off <= TOLERANCE,
    )
    yield _check_times(params, part, found["forward"])


def _check_times(params: FlashParams, part: Part, flops: Fraction) -> Check:
    accelerator, length = params.accelerator, params.traffic.seq_len
    element = params.conventions.bytes_per_element
    standard = sum(standard_walked(length, params.traffic.head_width))
    ours = _walked(params, length, accelerator.sram_kib).both
    rows: list[tuple[Cell, ...]] = []
    for name, count in (("standard", standard), ("FlashAttention", ours)):
        arithmetic = flops / (accelerator.peak_tflops * 10**6)
        memory = element * count / (accelerator.bandwidth_gb_per_s * 10**3)
        slower = "memory" if memory > arithmetic else "arithmetic"
        rows.append((name, flops / (element * count), arithmetic, memory, max(arithmetic, memory), slower))
    return same_rows("4, intensity and times", part.tables["times"], rows, f"{AUTOGRAD}, and {WALKED}")
