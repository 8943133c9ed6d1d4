"""Memory traffic and arithmetic of attention over one head: by length, by size of SRAM, and as time on an accelerator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from generators.answer import Part, formula, number, part, value_at
from generators.cells import Cell, Math, exact, rational
from generators.courses.utaustin.lecture25_flash_attention.params import FlashParams
from generators.courses.utaustin.lecture25_flash_attention.traffic import (
    BACKWARD_PRODUCTS,
    FORWARD_PRODUCTS,
    INNER,
    OUTER,
    PASSES,
    LoopOrder,
    Traffic,
    flash_traffic,
    held_elements,
    inner_block,
    outer_block,
    passes,
    product_multiply_adds,
    standard_traffic,
)
from generators.table import Column, Table, column, table
from generators.topics.roofline import roofline_seconds

KIB, MIB = 2**10, 2**20


@dataclass(frozen=True)
class Blocks:
    """Rows of a block of both loops, and passes of the inner one."""

    outer: int
    inner: int
    passes: int


@dataclass(frozen=True)
class Head:
    """A head's width, the loop order in force, bytes of an element, and FLOPs of a multiply-add."""

    width: int
    order: LoopOrder
    bytes_per_element: int
    flops_per_multiply_add: int

    @classmethod
    def of(cls, params: FlashParams) -> Self:
        """The head whose traffic is counted."""
        held = params.conventions
        return cls(params.traffic.head_width, held.loop_order, held.bytes_per_element, held.flops_per_multiply_add)

    def sram_elements(self, kib: int) -> int:
        """Elements that fit in so many KiB."""
        return kib * KIB // self.bytes_per_element

    def blocks(self, seq_len: int, sram_kib: int) -> Blocks:
        """How the loops are cut."""
        outer = int(outer_block(self.sram_elements(sram_kib), self.width))
        return Blocks(outer, int(inner_block(outer, self.width)), int(passes(seq_len, outer)))

    def flash(self, seq_len: int, sram_kib: int) -> Traffic:
        """FlashAttention's traffic in numbers."""
        return flash_traffic(self.order, seq_len, self.width, self.blocks(seq_len, sram_kib).passes)

    def mib(self, elements: int) -> Fraction:
        """MiB of so many elements."""
        return Fraction(self.bytes_per_element * int(elements), MIB)


def traffic_part(params: FlashParams, sheet: Part) -> Part:
    """Reads and writes of both ways, by their formulas, by length and by size of SRAM."""
    head, element = Head.of(params), params.conventions.bytes_per_element
    standard, ours = standard_traffic(), flash_traffic(head.order)
    moved = [
        ("standard_reads", "reads, standard", r"R_{\text{standard}}", standard.reads),
        ("standard_writes", "writes, standard", r"W_{\text{standard}}", standard.writes),
        ("flash_reads", "reads, FlashAttention", r"R_{\text{flash}}", ours.reads),
        ("flash_writes", "writes, FlashAttention", r"W_{\text{flash}}", ours.writes),
    ]
    items = [
        formula("outer", outer_block(), "rows of an outer block", OUTER),
        formula("inner", inner_block(), "rows of an inner block", INNER),
        formula("passes", passes(), "passes of the inner loop", PASSES),
        formula("held", held_elements(head.order), "elements in SRAM at once", "E"),
        *(formula(key, element * count, what, symbol, "B", asked=True) for key, what, symbol, count in moved),
    ]
    letters = part("3", "", *items, within=sheet)
    what = "traffic of standard attention over FlashAttention's"
    ratio = value_at(standard.both / ours.both, letters)
    both = exact(head.mib(standard_traffic(params.traffic.seq_len, head.width).both))
    return part(
        "3",
        "Reads and writes of memory",
        *items,
        number("ratio", ratio, what, asked=True),
        number("standard", both, "reads and writes, standard", unit="MiB"),
        _lengths(params, head),
        _sizes(params, head),
        within=sheet,
    )


def _lengths(params: FlashParams, head: Head) -> Table:
    """MiB read and written by both, for every length."""
    rows: dict[str, Mapping[str, Cell]] = {}
    for place, length in enumerate(params.traffic.seq_lens, 1):
        standard, flash = standard_traffic(length, head.width), head.flash(length, params.accelerator.sram_kib)
        rows[f"length_{place}"] = {
            "tokens": length,
            "standard_reads": head.mib(standard.reads),
            "standard_writes": head.mib(standard.writes),
            "flash_reads": head.mib(flash.reads),
            "flash_writes": head.mib(flash.writes),
            "standard_over_flash": head.mib(standard.both) / head.mib(flash.both),
        }
    columns: list[Column | str] = [
        column("tokens", Math("N")),
        *(
            column(f"{way}_{kind}", f"{kind.capitalize()}, {way}", "MiB")
            for way in ("standard", "flash")
            for kind in ("reads", "writes")
        ),
        "standard_over_flash",
    ]
    return table("lengths", columns, rows)


def _sizes(params: FlashParams, head: Head) -> Table:
    """Blocks, passes, the share of SRAM that is used, and MiB read and written, for every size of SRAM."""
    rows: dict[str, Mapping[str, Cell]] = {}
    length = params.traffic.seq_len
    standard = head.mib(standard_traffic(length, head.width).both)
    for place, kib in enumerate(params.traffic.sram_kib, 1):
        cut, moved = head.blocks(length, kib), head.mib(head.flash(length, kib).both)
        held = int(held_elements(head.order, cut.outer, cut.inner, head.width))
        rows[f"sram_{place}"] = {
            "sram": kib,
            "outer_block": cut.outer,
            "inner_block": cut.inner,
            "passes": cut.passes,
            "sram_used": Fraction(100 * held, head.sram_elements(kib)),
            "traffic": moved,
            "standard_over_flash": standard / moved,
        }
    columns: list[Column | str] = [
        column("sram", "SRAM", "KiB"), "outer_block", "inner_block", "passes", column("sram_used", "SRAM used", "%"),
        column("traffic", unit="MiB"), "standard_over_flash",
    ]  # fmt: skip
    return table("sram", columns, rows)


def arithmetic_part(params: FlashParams, sheet: Part) -> Part:
    """FLOPs of both ways, forward and in a training step, and the time of a forward pass."""
    one = params.conventions.flops_per_multiply_add * product_multiply_adds()
    products = FORWARD_PRODUCTS + BACKWARD_PRODUCTS
    forward = formula("forward", FORWARD_PRODUCTS * one, "FLOPs forward, both", r"F_{\text{forward}}", "FLOP")
    standard = "FLOPs of a training step, standard", r"F_{\text{standard}}", "FLOP"
    flash = "FLOPs of a training step, FlashAttention", r"F_{\text{flash}}", "FLOP"
    return part(
        "4",
        "Arithmetic and time",
        forward,
        formula("standard", products * one, *standard),
        formula("flash", (products + 1) * one, *flash),
        number("more", Fraction(100, products), "more arithmetic", unit="%", asked=True),
        _times(params, rational(value_at(FORWARD_PRODUCTS * one, sheet))),
        within=sheet,
    )


def _times(params: FlashParams, flops: Fraction) -> Table:
    """The forward pass: intensity, and the time of arithmetic and of memory in microseconds."""
    head, one, length = Head.of(params), params.accelerator, params.traffic.seq_len
    peak, bandwidth = one.peak_tflops * 10**12, one.bandwidth_gb_per_s * 10**9
    ways = {
        "standard": ("standard", standard_traffic(length, head.width)),
        "flash": ("FlashAttention", head.flash(length, one.sram_kib)),
    }
    rows: dict[str, Mapping[str, Cell]] = {}
    for key, (name, traffic) in ways.items():
        moved = MIB * head.mib(traffic.both)
        arithmetic, longer = flops / peak, roofline_seconds(flops, moved, peak, bandwidth)
        rows[key] = {
            "attention": name,
            "intensity": flops / moved,
            "arithmetic": 10**6 * arithmetic,
            "memory": 10**6 * moved / bandwidth,
            "longer": 10**6 * longer,
            "bound_by": "arithmetic" if longer == arithmetic else "memory",
        }
    times = [column(key, unit="µs") for key in ("arithmetic", "memory", "longer")]
    return table("times", ["attention", column("intensity", unit="FLOP/B"), *times, "bound_by"], rows, asked=True)
