"""What the rows of the tables of LFFN and MHA are called, with the shapes of products read from small tensors, in letters."""

from __future__ import annotations

from collections.abc import Sequence

from generators.answer import Cell, Math
from generators.oracles.compare import same_rows
from generators.oracles.low_rank_modules import NARROW, SUMMED, TALL, Sizes, observe
from generators.steps import Check, Table

TITLES = {
    TALL: "heads of width d side by side, taller output matrix",
    SUMMED: "heads of width d added up, output matrix as stated",
    NARROW: "heads of width d/h side by side, output matrix as stated",
}
OUTPUT_SHAPES = {TALL: r"hd \times d", SUMMED: r"d \times d", NARROW: r"d \times d"}
"""Of W^O, by reading."""
PRODUCTS = {
    "LFFN": ("X W^F", "X A^F", "(X A^F) (B^F)^T"),
    "MHA": ("H W", "H A", "(H A) B^T", "Q K^T", r"\text{softmax}(QK^T / \sqrt{d})\, V"),
}
JOINED = {SUMMED: r"\textstyle\sum_i \text{head}_i\, W^O"}
SIDE_BY_SIDE = r"[\text{head}_1, \dots, \text{head}_h]\, W^O"
TRAINABLE = {"LFFN": ("A^F", "B^F"), "MHA": ("A^Q, A^K, A^V", "B^Q, B^K, B^V")}
FIRST = {"MHA": (0, 1, 2, 9, 10, 11), "LFFN": (0, 1, 2)}
"""Of the products that run, in order, the first that each row stands for."""


def same_names(what: str, published: Table, found: Sequence[Sequence[Cell]]) -> Check:
    """Compare the text with which rows begin; the numbers and formulas behind it have checks of their own."""
    rows = [(*names, *row[len(names) :]) for names, row in zip(found, published.rows, strict=False)]
    return same_rows(what, published, rows, "the sheet's letters, and shapes of small tensors")


def names_of(module: str, kind: str, small: Sizes) -> list[tuple[Cell, ...]]:
    """The first cells of every row of a table."""
    if kind == "elementwise":
        return [
            ("quantize W (once)",),
            ("dequantize W",),
            *((step,) for step in observe(module, "LoRA", small, "cpu").operations),
        ]
    if kind == "trainable":
        width = small.d // small.h if small.reading == NARROW and module == "MHA" else small.d
        down, up = TRAINABLE[module]
        return [(Math(down), Math(_times(small, small.d, small.r))), (Math(up), Math(_times(small, width, small.r)))]
    names = [*PRODUCTS[module], *([JOINED.get(small.reading, SIDE_BY_SIDE)] if module == "MHA" else [])]
    products = observe(module, "QLoRA", small, "cpu").products
    shapes = [products[place].shape for place in FIRST[module]]
    return [
        (Math(name), Math(rf"({_times(small, m, k)})\,({_times(small, k, n)})"))
        for name, (m, k, n) in zip(names, shapes, strict=True)
    ]


def _times(small: Sizes, rows: int, columns: int) -> str:
    letters = {small.d // small.h: "d / h", small.h * small.d: "d h", small.n: "n", small.d: "d", small.r: "r"}
    return rf"{letters[rows]} \times {letters[columns]}"
