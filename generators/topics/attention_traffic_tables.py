"""Tables of attention's memory traffic over one head: by length, by size of SRAM, and as time on an accelerator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sympy

from generators.answer import Value
from generators.steps import Table
from generators.topics.attention_traffic import (
    FORWARD_PRODUCTS,
    HEAD_WIDTH,
    INNER,
    OUTER,
    PASSES,
    SRAM,
    LoopOrder,
    N,
    Traffic,
    flash_traffic,
    held_elements,
    inner_block,
    outer_block,
    passes,
    product_multiply_adds,
    standard_traffic,
)
from generators.topics.roofline import roofline_seconds

KIB, MIB = 2**10, 2**20
At = dict[sympy.Symbol, Value]


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

    def sram_elements(self, kib: int) -> int:
        """Elements that fit in so many KiB."""
        return kib * KIB // self.bytes_per_element

    def blocks(self, seq_len: int, sram_kib: int) -> Blocks:
        """How the loops are cut."""
        outer = int(outer_block(self.sram_elements(sram_kib), self.width))
        return Blocks(outer, int(inner_block(outer, self.width)), int(passes(seq_len, outer)))

    def at(self, seq_len: int, sram_kib: int) -> At:
        """The letters of the formulas with their values."""
        cut = self.blocks(seq_len, sram_kib)
        sizes: At = {N: seq_len, HEAD_WIDTH: self.width, SRAM: self.sram_elements(sram_kib)}
        return sizes | {OUTER: cut.outer, INNER: cut.inner, PASSES: cut.passes}

    def flash(self, seq_len: int, sram_kib: int) -> Traffic:
        """FlashAttention's traffic in numbers."""
        return flash_traffic(self.order, seq_len, self.width, self.blocks(seq_len, sram_kib).passes)

    def mib(self, elements: int) -> Fraction:
        """MiB of so many elements."""
        return Fraction(self.bytes_per_element * int(elements), MIB)


def lengths_table(head: Head, seq_lens: Sequence[int], sram_kib: int) -> Table:
    """MiB read and written by both, for every length."""
    rows = []
    for seq_len in seq_lens:
        standard, flash = standard_traffic(seq_len, head.width), head.flash(seq_len, sram_kib)
        moved = [head.mib(elements) for elements in (standard.reads, standard.writes, flash.reads, flash.writes)]
        rows.append((seq_len, *moved, head.mib(standard.both) / head.mib(flash.both)))
    header = ("N", "Reads, standard", "Writes, standard", "Reads, flash", "Writes, flash", "Standard over flash")
    return Table(header=header, rows=tuple(rows))


def sram_table(head: Head, seq_len: int, sizes_kib: Sequence[int]) -> Table:
    """Blocks, passes, the share of SRAM that is used, and MiB read and written, for every size of SRAM."""
    rows = []
    standard = head.mib(standard_traffic(seq_len, head.width).both)
    for kib in sizes_kib:
        cut, moved = head.blocks(seq_len, kib), head.mib(head.flash(seq_len, kib).both)
        held = Fraction(int(held_elements(head.order, cut.outer, cut.inner, head.width)), head.sram_elements(kib))
        rows.append((kib, cut.outer, cut.inner, cut.passes, held, moved, standard / moved))
    header = ("SRAM", "Outer block", "Inner block", "Passes", "SRAM used", "Traffic", "Standard over flash")
    return Table(header=header, rows=tuple(rows))


def times_table(head: Head, seq_len: int, sram_kib: int, peak_flops_per_s: Fraction, bytes_per_s: Fraction) -> Table:
    """The forward pass: intensity, and the time of arithmetic and of memory in microseconds."""
    flops = Fraction(head.flops_per_multiply_add * FORWARD_PRODUCTS * int(product_multiply_adds(seq_len, head.width)))
    rows = []
    for name, traffic in (("standard", standard_traffic(seq_len, head.width)), ("FlashAttention", head.flash(seq_len, sram_kib))):
        moved = MIB * head.mib(traffic.both)
        arithmetic, memory = flops / peak_flops_per_s, moved / bytes_per_s
        longer = roofline_seconds(flops, moved, peak_flops_per_s, bytes_per_s)
        bound = "arithmetic" if longer == arithmetic else "memory"
        rows.append((name, flops / moved, 10**6 * arithmetic, 10**6 * memory, 10**6 * longer, bound))
    header = ("Attention", "Intensity", "Arithmetic", "Memory", "Longer", "Bound by")
    return Table(header=header, rows=tuple(rows))
