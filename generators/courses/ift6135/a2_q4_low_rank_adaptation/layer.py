"""What LoRA and QLoRA compute and hold in a linear feed-forward layer (LFFN) and in multi-head attention (MHA).

n tokens of width d, h heads, rank r, m bits a code. Counts are symbolic: products in multiply-adds, all other
arithmetic in elementwise operations. Source: IFT6135, Winter 2025, assignment 2, question 4.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import sympy

n, d, r, h, m = sympy.symbols("n d r h m", positive=True)
ONE = sympy.Integer(1)

Method = Literal["LoRA", "QLoRA"]
METHODS: tuple[Method, ...] = ("LoRA", "QLoRA")

SOFTMAX_PER_ROW = 5 * n - 2  # maximum n-1, subtract n, exponentiate n, sum n-1, divide n
TRAINED = 4  # a value of A or B, its gradient, and the two moments that Adam keeps


@dataclass(frozen=True)
class Step:
    """`times` products of (m×k)(k×n), or arithmetic outside products; `adapter` marks what the adapters add."""

    key: str
    what: str
    count: sympy.Expr
    shape: tuple[sympy.Expr, ...] = ()
    times: sympy.Expr = ONE
    adapter: bool = False


def products(key: str, latex: str, shape: tuple[sympy.Expr, ...], times: sympy.Expr = ONE, *, adapter: bool = False) -> Step:
    """Products of one shape, counted in multiply-adds."""
    return Step(key, latex, sympy.expand(times * sympy.prod(shape)), shape, times, adapter)


@dataclass(frozen=True)
class Module:
    """One adapted module: the steps of a pass, and how many weights and matrices are frozen, and how many adapted.

    `width` is the number of columns of an adapted matrix, which has d rows.
    """

    name: str
    steps: tuple[Step, ...]
    weights: sympy.Expr
    matrices: sympy.Expr
    adapted: sympy.Expr
    width: sympy.Expr

    def multiply_adds(self, *, adapters: bool = True) -> sympy.Expr:
        """Of one pass; without adapters when they have been merged into the weights."""
        return _total(one.count for one in self.steps if one.shape and (adapters or not one.adapter))

    def others(self, method: Method, *, adapters: bool = True) -> sympy.Expr:
        """Operations outside products in one pass; QLoRA also dequantizes every frozen weight."""
        own = [one.count for one in self.steps if not one.shape and (adapters or not one.adapter)]
        return _total([*own, self.weights] if method == "QLoRA" else own)

    def operations(self, method: Method, *, adapters: bool = True) -> sympy.Expr:
        """All of one pass; a multiply-add is two."""
        return _total([2 * self.multiply_adds(adapters=adapters), self.others(method, adapters=adapters)])

    @property
    def trainable(self) -> sympy.Expr:
        """Values of all A and B."""
        return sympy.expand(self.adapted * r * (d + self.width))

    @property
    def quantization(self) -> sympy.Expr:
        """Operations of quantizing once: magnitude; running maximum, with the division for Δ; division by Δ; rounding."""
        return sympy.expand(4 * self.weights)

    def frozen_bytes(self, method: Method, bytes_per_value: int) -> sympy.Expr:
        """In full precision, or as m-bit codes and one full-precision Δ a matrix."""
        if method == "LoRA":
            return bytes_per_value * self.weights
        return sympy.expand(m * self.weights / 8 + bytes_per_value * self.matrices)

    def stored_bytes(self, method: Method, bytes_per_value: int) -> sympy.Expr:
        """What fine-tuning keeps: frozen weights, and A and B with their gradients and Adam's moments."""
        return sympy.expand(self.frozen_bytes(method, bytes_per_value) + TRAINED * bytes_per_value * self.trainable)


def _total(terms: Iterable[sympy.Expr]) -> sympy.Expr:
    return sympy.expand(sum(terms, sympy.Integer(0)))


def lffn() -> Module:
    """X W^F + (X A) Bᵀ."""
    steps = (
        products("frozen", "X W^F", (n, d, d)),
        products("down", "X A^F", (n, d, r), adapter=True),
        products("up", r"(X A^F) (B^F)^\top", (n, r, d), adapter=True),
        Step("branches", "add the two branches", n * d, adapter=True),
    )
    return Module("LFFN", steps, weights=d * d, matrices=ONE, adapted=ONE, width=d)


def mha(adapters: int, *, narrow: bool) -> Module:
    """Heads of query, key and value, of which so many are adapted, side by side times W^O, which is not; narrow heads share d."""
    w, rows, projections, adapted = (d / h, d, 3 * h, adapters * h) if narrow else (d, h * d, 3 * h, adapters * h)
    steps = (
        products("frozen", "H W", (n, d, w), projections),
        products("down", "H A", (n, d, r), adapted, adapter=True),
        products("up", r"(H A) B^\top", (n, r, w), adapted, adapter=True),
        products("scores", r"Q K^\top", (n, w, n), h),
        products("weighting", r"\text{softmax}(QK^\top / \sqrt{d})\, V", (n, n, w), h),
        products("output", r"[\text{head}_1, \dots, \text{head}_h]\, W^O", (n, rows, d)),
        Step("branches", "add the two branches", adapted * n * w, adapter=True),
        Step("scaling", "divide the scores by √d", h * n**2),
        Step("softmax", "softmax", sympy.expand(h * n * SOFTMAX_PER_ROW)),
    )
    weights = projections * d * w + rows * d
    return Module("MHA", steps, weights=weights, matrices=projections + 1, adapted=adapted, width=w)
