"""What LoRA and QLoRA compute and hold in a linear feed-forward layer (LFFN) and in multi-head attention (MHA).

n tokens of width d, h heads, rank r, m bits a code. Counts are symbolic: products in multiply-adds, all other
arithmetic in elementwise operations. Source: IFT6135, Winter 2025, assignment 2, question 4.4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import sympy

from generators.topics.growth import leading_terms

n, d, r, h, m = sympy.symbols("n d r h m", positive=True)
ONE = sympy.Integer(1)

Method = Literal["LoRA", "QLoRA"]
METHODS: tuple[Method, ...] = ("LoRA", "QLoRA")

SOFTMAX_PER_ROW = 5 * n - 2  # maximum n-1, subtract n, exponentiate n, sum n-1, divide n


@dataclass(frozen=True)
class Products:
    """Matrix products of one shape, `times` of them; `low_rank` marks those that the adapters add."""

    key: str
    latex: str
    shape: tuple[sympy.Expr, sympy.Expr, sympy.Expr]  # m, k and n of (m×k)(k×n)
    times: sympy.Expr = ONE
    low_rank: bool = False

    @property
    def multiply_adds(self) -> sympy.Expr:
        """Of all of them together."""
        return sympy.expand(self.times * sympy.prod(self.shape))


@dataclass(frozen=True)
class Matrices:
    """Matrices of one shape, `count` of them."""

    latex: str
    rows: sympy.Expr
    columns: sympy.Expr
    count: sympy.Expr = ONE

    @property
    def values(self) -> sympy.Expr:
        """In all of them together."""
        return sympy.expand(self.count * self.rows * self.columns)


@dataclass(frozen=True)
class Elementwise:
    """Arithmetic outside matrix products; `low_rank` marks what the adapters add."""

    key: str
    what: str
    operations: sympy.Expr
    low_rank: bool = False


@dataclass(frozen=True)
class Module:
    """One adapted module: its products and elementwise steps in order, and its frozen and trainable matrices."""

    name: str
    products: tuple[Products, ...]
    elementwise: tuple[Elementwise, ...]
    frozen: tuple[Matrices, ...]
    trainable: tuple[Matrices, Matrices]  # all A, all B

    def multiply_adds(self, *, adapters: bool = True) -> sympy.Expr:
        """Of one pass; without adapters when they have been merged into the weights."""
        return _total(one.multiply_adds for one in self.products if adapters or not one.low_rank)

    def operations(self, method: Method, *, adapters: bool = True) -> sympy.Expr:
        """Elementwise operations of one pass; QLoRA also dequantizes every frozen value."""
        own = [one.operations for one in self.elementwise if adapters or not one.low_rank]
        return _total([*own, self.frozen_values] if method == "QLoRA" else own)

    @property
    def low_rank_multiply_adds(self) -> sympy.Expr:
        """Of the adapters' products alone."""
        return _total(one.multiply_adds for one in self.products if one.low_rank)

    @property
    def frozen_values(self) -> sympy.Expr:
        """Values of the frozen matrices; dequantizing them is one multiplication each."""
        return _total(one.values for one in self.frozen)

    @property
    def trainable_values(self) -> sympy.Expr:
        """Values of all A and B."""
        return _total(one.values for one in self.trainable)

    @property
    def quantization(self) -> sympy.Expr:
        """Of quantizing once: magnitude; running maximum, with the division for Δ; division by Δ; rounding."""
        return sympy.expand(4 * self.frozen_values)

    def frozen_bytes(self, method: Method, bytes_per_value: int) -> sympy.Expr:
        """In full precision, or as m-bit codes and one full-precision Δ a matrix."""
        if method == "LoRA":
            return bytes_per_value * self.frozen_values
        return sympy.expand(m * self.frozen_values / 8 + bytes_per_value * _total(one.count for one in self.frozen))

    def stored_bytes(self, method: Method, bytes_per_value: int) -> sympy.Expr:
        """Frozen weights and the trainable A and B, which are in full precision either way."""
        return sympy.expand(self.frozen_bytes(method, bytes_per_value) + bytes_per_value * self.trainable_values)

    def served(self, method: Method, flops_per_multiply_add: int) -> sympy.Expr:
        """FLOPs and elementwise operations of one inference pass: LoRA merged into its weights, QLoRA beside its codes."""
        adapters = method == "QLoRA"
        products = flops_per_multiply_add * self.multiply_adds(adapters=adapters)
        return sympy.expand(products + self.operations(method, adapters=adapters))


def _total(terms: Iterable[sympy.Expr]) -> sympy.Expr:
    return sympy.expand(sum(terms, sympy.Integer(0)))


@dataclass(frozen=True)
class Reading:
    """One way to make heads of n×d fit a matrix W^O of d columns: the heads' width, W^O's rows, and how heads are joined."""

    title: str
    head_width: sympy.Expr
    output_rows: sympy.Expr
    output_shape: str
    summed: bool = False


READINGS = {
    "hd_by_d": Reading("heads of width d side by side, taller output matrix", d, h * d, r"hd \times d"),
    "d_by_d_summed_heads": Reading("heads of width d added up, output matrix as stated", d, d, r"d \times d", summed=True),
    "d_by_d_narrow_heads": Reading("heads of width d/h side by side, output matrix as stated", d / h, d, r"d \times d"),
}
"""Only the first keeps every equation and the size of every other matrix as the sheet has them."""


def lffn() -> Module:
    """X W^F + (X A) Bᵀ."""
    return Module(
        name="LFFN",
        products=(
            Products("frozen", "X W^F", (n, d, d)),
            Products("down", "X A^F", (n, d, r), low_rank=True),
            Products("up", "(X A^F) (B^F)^T", (n, r, d), low_rank=True),
        ),
        elementwise=(Elementwise("branches", "add the two branches", n * d, low_rank=True),),
        frozen=(Matrices("W^F", d, d),),
        trainable=(Matrices("A^F", d, r), Matrices("B^F", d, r)),
    )


def mha(reading: Reading) -> Module:
    """Heads with adapted query, key and value, joined and multiplied by W^O, which has no adapter."""
    w, projections = reading.head_width, 3 * h
    joining = (Elementwise("joining", "add up the heads", (h - 1) * n * w),) if reading.summed else ()
    joined = r"\textstyle\sum_i \text{head}_i" if reading.summed else r"[\text{head}_1, \dots, \text{head}_h]"
    return Module(
        name="MHA",
        products=(
            Products("frozen", "H W", (n, d, w), projections),
            Products("down", "H A", (n, d, r), projections, low_rank=True),
            Products("up", "(H A) B^T", (n, r, w), projections, low_rank=True),
            Products("scores", "Q K^T", (n, w, n), h),
            Products("weighting", r"\text{softmax}(QK^T / \sqrt{d})\, V", (n, n, w), h),
            Products("output", rf"{joined}\, W^O", (n, reading.output_rows, d)),
        ),
        elementwise=(
            Elementwise("branches", "add the two branches", projections * n * w, low_rank=True),
            Elementwise("scaling", "divide the scores by √d", h * n**2),
            Elementwise("softmax", "softmax", h * n * SOFTMAX_PER_ROW),
            *joining,
        ),
        frozen=(Matrices(r"W^Q, W^K, W^V", d, w, projections), Matrices("W^O", reading.output_rows, d)),
        trainable=(Matrices(r"A^Q, A^K, A^V", d, r, projections), Matrices(r"B^Q, B^K, B^V", w, r, projections)),
    )


def other_order(module: Module) -> sympy.Expr:
    """Multiply-adds of the low-rank branches as X (A Bᵀ): every A Bᵀ is formed first, and X meets its full width."""
    down, up = module.trainable
    return sympy.expand(up.count * down.rows * up.rows * (r + n))


def order_of_growth(count: sympy.Expr, *, narrow: bool = False) -> sympy.Expr:
    """The terms of a polynomial in n, d, r, h that no other term outgrows while r ≤ d, and h ≤ d for narrow heads."""
    heads = [(0, 1, 0, 1), (0, 1, 1, 1)] if narrow else [(0, 0, 0, 1)]  # d grows alone or with r
    return sympy.expand(leading_terms(count, (n, d, r, h), [(1, 0, 0, 0), (0, 1, 0, 0), (0, 1, 1, 0), *heads]))
