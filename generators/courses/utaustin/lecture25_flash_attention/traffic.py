"""Reads and writes of high-bandwidth memory (HBM) by attention over one head, in elements.

Sources: FlashAttention's algorithms 0 and 1 (arXiv 2205.14135), and the loop order of FlashAttention-2 (arXiv 2307.08691).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import sympy

N, HEAD_WIDTH, SRAM, PASSES, OUTER, INNER = sympy.symbols("N d M T B_outer B_inner", positive=True)

LoopOrder: TypeAlias = Literal["keys_outer", "queries_outer"]

FORWARD_PRODUCTS, BACKWARD_PRODUCTS = 2, 4
"""QKᵀ and PV; and the gradients of V, P, Q and K. Without P in memory, backward forms QKᵀ once more."""


Size: TypeAlias = int | sympy.Expr
"""A number, or the letter that stands for it."""


@dataclass(frozen=True)
class Traffic:
    """Elements read from and written to HBM."""

    reads: sympy.Expr
    writes: sympy.Expr

    @property
    def both(self) -> sympy.Expr:
        """Reads and writes together."""
        return self.reads + self.writes


def standard_traffic(length: Size = N, width: Size = HEAD_WIDTH) -> Traffic:
    """Three kernels: S = QKᵀ is written, read for P = softmax(S), which is written and read for PV."""
    matrix, scores = length * width, length**2
    return Traffic(reads=2 * matrix + scores + scores + matrix, writes=scores + scores + matrix)


def outer_block(sram: Size = SRAM, width: Size = HEAD_WIDTH) -> sympy.Expr:
    """Rows of a block of the outer loop: a quarter of SRAM for each of its two matrices."""
    return sympy.ceiling(sympy.sympify(sram) / (4 * width))


def inner_block(outer: Size = OUTER, width: Size = HEAD_WIDTH) -> sympy.Expr:
    """Rows of a block of the inner loop."""
    return sympy.Min(outer, width)


def passes(length: Size = N, outer: Size = OUTER) -> sympy.Expr:
    """How often the inner loop runs over its whole matrices."""
    return sympy.ceiling(sympy.sympify(length) / outer)


def held_elements(order: LoopOrder, outer: Size = OUTER, inner: Size = INNER, width: Size = HEAD_WIDTH) -> sympy.Expr:
    """What SRAM holds at once: two blocks of each loop's matrices, their tile of scores, and two numbers a query."""
    queries = inner if order == "keys_outer" else outer
    return 2 * outer * width + 2 * inner * width + outer * inner + 2 * queries


def flash_traffic(order: LoopOrder, length: Size = N, width: Size = HEAD_WIDTH, passes: Size = PASSES) -> Traffic:
    """With keys outer, every pass reads Q and reads and writes O and two numbers a query, which start as zeros in HBM.

    With queries outer, every pass reads K and V; O and one number a query, for backward, are written once.
    """
    matrix = length * width
    if order == "keys_outer":
        return Traffic(reads=2 * matrix + passes * (2 * matrix + 2 * length), writes=(passes + 1) * (matrix + 2 * length))
    return Traffic(reads=matrix + passes * 2 * matrix, writes=matrix + length)
