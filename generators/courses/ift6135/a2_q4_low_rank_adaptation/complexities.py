"""Part 4.4 (a): both modules step by step, their sums under both methods, and the order of growth."""

from __future__ import annotations

import sympy

from generators.answer import Part, formula, part
from generators.cells import Cell, Math, exact
from generators.courses.ift6135.a2_q4_low_rank_adaptation.layer import METHODS, SOFTMAX_PER_ROW, Method, Module, d, h, n, r
from generators.table import Column, Table, column, table
from generators.topics.growth import ORDER, leading_terms


def complexities(lffn: Module, mha: Module, sheet: Part, *, narrow: bool) -> Part:
    """Time and trainable space of LFFN and MHA under both methods, in letters."""
    return part(
        "4.4a",
        "Time and trainable space",
        _sums((lffn, mha), narrow=narrow),
        _steps((lffn, mha)),
        _held((lffn, mha)),
        formula("softmax_row", SOFTMAX_PER_ROW, "operations of one row of the softmax"),
        within=sheet,
    )


def _sums(modules: tuple[Module, ...], *, narrow: bool) -> Table:
    """What one pass takes and what is trained, exactly and as orders of growth."""
    products = column("multiply_adds", "Multiply-adds")
    columns: list[Column | str] = ["case", "time", "space", products, "other_operations"]
    return table(
        "sums",
        columns,
        {
            f"{module.name}.{method}".lower(): (f"{module.name}, {method}", *_sum(module, method, narrow=narrow))
            for module in modules
            for method in METHODS
        },
        asked=True,
    )


def _sum(module: Module, method: Method, *, narrow: bool) -> tuple[sympy.Expr, ...]:
    products, others = module.multiply_adds(), module.others(method)
    orders = (ORDER(_order_of_growth(one, narrow=narrow)) for one in (products + others, module.trainable))
    return *orders, products, others


def _order_of_growth(count: sympy.Expr, *, narrow: bool) -> sympy.Expr:
    """The fastest-growing terms of a polynomial in n, d, r, h while r ≤ d, and h ≤ d for narrow heads."""
    heads = [(0, 1, 0, 1), (0, 1, 1, 1)] if narrow else [(0, 0, 0, 1)]  # d grows alone or with r
    return sympy.expand(leading_terms(sympy.expand(count), (n, d, r, h), [(1, 0, 0, 0), (0, 1, 0, 0), (0, 1, 1, 0), *heads]))


def _steps(modules: tuple[Module, ...]) -> Table:
    """Every product of one pass in order, then everything outside products."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for module in modules:
        for one in module.steps:
            rows[f"{module.name}.{one.key}".lower()] = (
                (module.name, Math(one.what), Math(_operands(*one.shape)), exact(one.times), one.count)
                if one.shape
                else (module.name, one.what, None, None, one.count)
            )
    return table("steps", ["module", "step", "operands", "times", "count"], rows)


def _operands(rows: sympy.Expr, inner: sympy.Expr, columns: sympy.Expr) -> str:
    return rf"({_shape(rows, inner)})\,({_shape(inner, columns)})"


def _held(modules: tuple[Module, ...]) -> Table:
    """Pairs of A and B, how many values all of them have, and what the codes of QLoRA take."""
    rows = {
        one.name.lower(): (one.name, exact(one.adapted), one.trainable, sympy.expand(one.weights), one.quantization)
        for one in modules
    }
    return table("held", ["module", "pairs", "trainable", "dequantization", "quantization"], rows)


def _shape(*sizes: sympy.Expr) -> str:
    return r" \times ".join(sympy.latex(size, fold_short_frac=True) for size in sizes)
