"""Memory traffic and arithmetic of attention over one head: by length, by size of SRAM, and as time on an accelerator."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.answer import Part, formula, number, part, value_at
from generators.cells import Cell, Math, exact, rational
from generators.courses.utaustin.lecture25_flash_attention import traffic
from generators.courses.utaustin.lecture25_flash_attention.params import FlashParams
from generators.courses.utaustin.lecture25_flash_attention.traffic import BACKWARD_PRODUCTS, FORWARD_PRODUCTS, HEAD_WIDTH, N
from generators.table import Table, column, table
from generators.topics.roofline import roofline_seconds

KIB, MIB = 2**10, 2**20


def sram_elements(params: FlashParams, kib: int) -> int:
    """Elements that fit in so many KiB."""
    return kib * KIB // params.conventions.bytes_per_element


def _blocks(params: FlashParams, length: int, kib: int) -> tuple[int, int, int]:
    """Rows of a block of both loops, and passes of the inner one."""
    outer = int(traffic.outer_block(sram_elements(params, kib), params.traffic.head_width))
    return outer, int(traffic.inner_block(outer, params.traffic.head_width)), int(traffic.passes(length, outer))


def _standard(params: FlashParams, length: int) -> traffic.Traffic:
    return traffic.standard_traffic(length, params.traffic.head_width)


def _flash(params: FlashParams, length: int, kib: int) -> traffic.Traffic:
    order, passes = params.conventions.loop_order, _blocks(params, length, kib)[-1]
    return traffic.flash_traffic(order, length, params.traffic.head_width, passes)


def _mib(params: FlashParams, elements: sympy.Expr) -> Fraction:
    return Fraction(params.conventions.bytes_per_element * int(elements), MIB)


def traffic_part(params: FlashParams, sheet: Part) -> Part:
    """Reads and writes of both ways, by their formulas, by length and by size of SRAM."""
    element, order = params.conventions.bytes_per_element, params.conventions.loop_order
    standard, ours = traffic.standard_traffic(), traffic.flash_traffic(order)
    moved = [
        ("standard_reads", "reads, standard", r"R_{\text{standard}}", standard.reads),
        ("standard_writes", "writes, standard", r"W_{\text{standard}}", standard.writes),
        ("flash_reads", "reads, FlashAttention", r"R_{\text{flash}}", ours.reads),
        ("flash_writes", "writes, FlashAttention", r"W_{\text{flash}}", ours.writes),
    ]
    items = [
        formula("outer", traffic.outer_block(), "rows of an outer block", traffic.OUTER),
        formula("inner", traffic.inner_block(), "rows of an inner block", traffic.INNER),
        formula("passes", traffic.passes(), "passes of the inner loop", traffic.PASSES),
        formula("held", traffic.held_elements(order), "elements in SRAM at once", "E"),
        *(formula(key, element * count, what, symbol, "B", asked=True) for key, what, symbol, count in moved),
    ]
    ratio = value_at(standard.both / ours.both, part("3", "", *items, within=sheet))
    both = exact(_mib(params, _standard(params, params.traffic.seq_len).both))
    return part(
        "3",
        "Reads and writes of memory",
        *items,
        number("ratio", ratio, "traffic of standard attention over FlashAttention's", asked=True),
        number("standard", both, "reads and writes, standard", unit="MiB"),
        _lengths(params),
        _sizes(params),
        within=sheet,
    )


def _lengths(params: FlashParams) -> Table:
    """MiB read and written by both, for every length."""
    rows = {}
    for place, length in enumerate(params.traffic.seq_lens, 1):
        both = (_standard(params, length), _flash(params, length, params.accelerator.sram_kib))
        moved = [_mib(params, count) for one in both for count in (one.reads, one.writes)]
        rows[f"length_{place}"] = (length, *moved, sum(moved[:2]) / sum(moved[2:]))
    columns = [
        column(f"{way}_{kind}", f"{kind.capitalize()}, {way}", "MiB")
        for way in ("standard", "flash")
        for kind in ("reads", "writes")
    ]
    return table("lengths", [column("tokens", Math("N")), *columns, "standard_over_flash"], rows)


def _sizes(params: FlashParams) -> Table:
    """Blocks, passes, the share of SRAM that is used, and MiB read and written, for every size of SRAM."""
    length, width = params.traffic.seq_len, params.traffic.head_width
    standard = _mib(params, _standard(params, length).both)
    rows = {}
    for place, kib in enumerate(params.traffic.sram_kib, 1):
        cut, moved = _blocks(params, length, kib), _mib(params, _flash(params, length, kib).both)
        held = int(traffic.held_elements(params.conventions.loop_order, *cut[:2], width))
        used = Fraction(100 * held, sram_elements(params, kib))
        rows[f"sram_{place}"] = (kib, *cut, used, moved, standard / moved)
    cells = [column("sram_used", "SRAM used", "%"), column("traffic", unit="MiB"), column("standard_over_flash")]
    return table("sram", [column("sram", "SRAM", "KiB"), "outer_block", "inner_block", "passes", *cells], rows)


def arithmetic_part(params: FlashParams, sheet: Part) -> Part:
    """FLOPs of both ways, forward and in a training step, and the time of a forward pass."""
    one = params.conventions.flops_per_multiply_add * N**2 * HEAD_WIDTH
    products = FORWARD_PRODUCTS + BACKWARD_PRODUCTS
    standard = "FLOPs of a training step, standard", r"F_{\text{standard}}", "FLOP"
    flash = "FLOPs of a training step, FlashAttention", r"F_{\text{flash}}", "FLOP"
    times = [column(key, unit="µs") for key in ("arithmetic", "memory", "longer")]
    columns = [column("attention"), column("intensity", unit="FLOP/B"), *times, column("bound_by")]
    return part(
        "4",
        "Arithmetic and time",
        formula("forward", FORWARD_PRODUCTS * one, "FLOPs forward, both", r"F_{\text{forward}}", "FLOP"),
        formula("standard", products * one, *standard),
        formula("flash", (products + 1) * one, *flash),
        number("more", Fraction(100, products), "more arithmetic", unit="%", asked=True),
        table("times", columns, _times(params, rational(value_at(FORWARD_PRODUCTS * one, sheet))), asked=True),
        within=sheet,
    )


def _times(params: FlashParams, flops: Fraction) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """The forward pass: intensity, and the time of arithmetic and of memory in microseconds."""
    one, length = params.accelerator, params.traffic.seq_len
    peak, bandwidth = one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9
    ways = {"standard": _standard(params, length), "flash": _flash(params, length, one.sram_kib)}
    for key, name in (("standard", "standard"), ("flash", "FlashAttention")):
        moved = MIB * _mib(params, ways[key].both)
        arithmetic, longer = flops / peak, roofline_seconds(flops, moved, peak, bandwidth)
        times = (10**6 * seconds for seconds in (arithmetic, moved / bandwidth, longer))
        yield key, (name, flops / moved, *times, "arithmetic" if longer == arithmetic else "memory")
