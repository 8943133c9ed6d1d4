"""Part 4.4 (a): both modules product by product, their exact sums, the order of growth, and every reading of W^O."""

from __future__ import annotations

import sympy

from generators.answer import Item, Part, formula, part, value_at
from generators.cells import Cell, Math, Value, exact
from generators.courses.ift6135.a2_q4_low_rank_adaptation.low_rank import (
    METHODS,
    READINGS,
    SOFTMAX_PER_ROW,
    Module,
    d,
    h,
    lffn,
    mha,
    order_of_growth,
    other_order,
)
from generators.table import Column, Table, column, table
from generators.topics.growth import ORDER


def complexities(reading: str, size: int, sheet: Part) -> Part:
    """Time and trainable space of LFFN and MHA under both methods."""
    modules = (mha(READINGS[reading]), lffn())
    items: list[Item] = []
    for module in modules:
        items += [*_sums(module, size), _products(module, sheet), _elementwise(module, sheet), _trainable(module, sheet)]
    return part(
        "4.4a",
        "Time and trainable space",
        *items,
        formula("softmax_row", SOFTMAX_PER_ROW, "operations of one row of the softmax"),
        _growth(modules[::-1], narrow=reading == "d_by_d_narrow_heads"),
        _time_by_reading(reading, sheet),
        _space_by_reading(sheet),
        within=sheet,
    )


def _sums(module: Module, size: int) -> list[Item]:
    name = module.name
    branches, other = module.low_rank_multiply_adds, other_order(module)

    def line(key: str, expression: sympy.Expr, what: str, symbol: str = "", unit: str = "", *, asked: bool = False) -> Item:
        shown = rf"{symbol}^{{\text{{{name}}}}}" if symbol else ""
        return formula(f"{name.lower()}_{key}", expression, f"{name}: {what}", shown, unit, asked=asked)

    return [
        line("multiply_adds", module.multiply_adds(), "multiply-adds, both methods", "P", asked=True),
        line("operations_lora", module.operations("LoRA"), "elementwise operations, LoRA", r"E_{\text{LoRA}}", asked=True),
        line("operations_qlora", module.operations("QLoRA"), "elementwise operations, QLoRA", r"E_{\text{QLoRA}}", asked=True),
        line("quantization", module.quantization, "operations of quantizing, once", r"E_{\text{quant}}", asked=True),
        line("trainable", module.trainable_values, "trainable values", "S", asked=True),
        line("trainable_bytes", size * module.trainable_values, "trainable bytes", "M", "B", asked=True),
        line("in_order", branches, "low-rank branches as (XA)Bᵀ"),
        line("other_order", other, "low-rank branches as X(ABᵀ)", "P_{X(AB^T)}"),
        line("order_ratio", sympy.cancel(other / branches), "the other order over the one used"),
    ]


def _products(module: Module, sheet: Part) -> Table:
    """Every product of one pass in the order in which it is evaluated."""
    rows: dict[str, dict[str, Cell]] = {
        one.key: {
            "product": Math(one.latex),
            "operands": Math(_operands(one.shape.m, one.shape.k, one.shape.n)),
            "times": exact(one.times),
            "multiply_adds": one.multiply_adds,
            "value": value_at(one.multiply_adds, sheet),
        }
        for one in module.products
    }
    columns: list[Column | str] = ["product", "operands", "times", column("multiply_adds", "Multiply-adds", of="value"), "value"]
    return table(f"{module.name.lower()}_products", columns, rows)


def _operands(rows: sympy.Expr, inner: sympy.Expr, columns: sympy.Expr) -> str:
    first, second, third = (sympy.latex(size, fold_short_frac=True) for size in (rows, inner, columns))
    return rf"({first} \times {second})\,({second} \times {third})"


def _elementwise(module: Module, sheet: Part) -> Table:
    """Everything outside products, with the value where a method does it."""
    rows: dict[str, dict[str, Cell]] = {}
    for key, what, counted in (
        ("quantization", "quantize W (once)", module.quantization),
        ("dequantization", "dequantize W", module.frozen_values),
    ):
        rows[key] = {"step": what, "operations": counted, "lora": None, "qlora": value_at(counted, sheet)}
    for one in module.elementwise:
        counted = sympy.expand(one.operations)
        value = value_at(counted, sheet)
        rows[one.key] = {"step": one.what, "operations": counted, "lora": value, "qlora": value}
    columns: list[Column | str] = ["step", column("operations", of="qlora"), column("lora", "LoRA"), column("qlora", "QLoRA")]
    return table(f"{module.name.lower()}_elementwise", columns, rows)


def _trainable(module: Module, sheet: Part) -> Table:
    """All A and B of the module."""
    rows: dict[str, dict[str, Cell]] = {
        key: {
            "trainable": Math(one.latex),
            "shape": Math(rf"{sympy.latex(one.rows, fold_short_frac=True)} \times {sympy.latex(one.columns)}"),
            "number": exact(one.count),
            "values": one.values,
            "value": value_at(one.values, sheet),
        }
        for key, one in zip(("a", "b"), module.trainable, strict=True)
    }
    columns: list[Column | str] = ["trainable", "shape", "number", column("values", of="value"), "value"]
    return table(f"{module.name.lower()}_matrices", columns, rows)


def _growth(modules: tuple[Module, ...], *, narrow: bool) -> Table:
    """Order of growth of all operations, quantizing included, and of trainable values."""
    rows: dict[str, dict[str, Cell]] = {}
    for module in modules:
        for method in METHODS:
            extra = module.quantization if method == "QLoRA" else sympy.Integer(0)
            time = module.multiply_adds() + module.operations(method) + extra
            rows[f"{module.name}.{method}".lower()] = {
                "module": module.name,
                "method": method,
                "time": ORDER(order_of_growth(time, narrow=narrow)),
                "trainable_space": ORDER(order_of_growth(module.trainable_values, narrow=narrow)),
            }
    return table("growth", ["module", "method", "time", "trainable_space"], rows, asked=True)


def _possible(name: str, counted: sympy.Expr, sheet: Part) -> Value | None:
    """A count, or none where heads cannot share the width."""
    width, heads = (int(sheet.letters[symbol]) for symbol in (d, h))
    return None if name == "d_by_d_narrow_heads" and width % heads else value_at(counted, sheet)


def _time_by_reading(used: str, sheet: Part) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for name, reading in READINGS.items():
        module = mha(reading)
        rows[name] = {
            "reading": reading.title,
            "used_here": "yes" if name == used else "no",
            "shape": Math(reading.output_shape),
            "last_product": module.products[-1].multiply_adds,
            "all_products": module.multiply_adds(),
            "value": _possible(name, module.multiply_adds(), sheet),
        }
    return table("readings_time", list(rows["hd_by_d"]), rows)


def _space_by_reading(sheet: Part) -> Table:
    rows: dict[str, dict[str, Cell]] = {}
    for name, reading in READINGS.items():
        module = mha(reading)
        rows[name] = {
            "reading": reading.title,
            "dequantized": module.frozen_values,
            "trainable": module.trainable_values,
            "values_dequantized": _possible(name, module.frozen_values, sheet),
            "values_trained": _possible(name, module.trainable_values, sheet),
        }
    return table("readings_space", list(rows["hd_by_d"]), rows)
