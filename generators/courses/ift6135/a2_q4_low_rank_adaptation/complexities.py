"""Part 4.4 (a): both modules product by product, their exact sums, the order of growth, and every reading of W^O."""

from __future__ import annotations

from collections.abc import Iterator

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
from generators.table import Table, column, table
from generators.topics.growth import ORDER


def complexities(reading: str, size: int, sheet: Part) -> Part:
    """Time and trainable space of LFFN and MHA under both methods."""
    modules = (mha(READINGS[reading]), lffn())
    return part(
        "4.4a",
        "Time and trainable space",
        *(item for module in modules for item in (*_sums(module, size), *_tables(module, sheet))),
        formula("softmax_row", SOFTMAX_PER_ROW, "operations of one row of the softmax"),
        _growth(modules[::-1], narrow=reading == "d_by_d_narrow_heads"),
        *_readings(reading, sheet),
        within=sheet,
    )


def _sums(module: Module, size: int) -> list[Item]:
    name, branches, other = module.name, module.low_rank_multiply_adds, other_order(module)

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


def _tables(module: Module, sheet: Part) -> Iterator[Table]:
    """Every product of one pass in order, everything outside products, and all A and B."""
    key = module.name.lower()
    yield table(
        f"{key}_products",
        ["product", "operands", "times", column("multiply_adds", "Multiply-adds", of="value"), "value"],
        {
            one.key: (
                Math(one.latex),
                Math(rf"({_shape(*one.shape[:2])})\,({_shape(*one.shape[1:])})"),
                exact(one.times),
                one.multiply_adds,
                value_at(one.multiply_adds, sheet),
            )
            for one in module.products
        },
    )
    steps: dict[str, tuple[Cell, ...]] = {
        "quantization": ("quantize W (once)", module.quantization, None, value_at(module.quantization, sheet)),
        "dequantization": ("dequantize W", module.frozen_values, None, value_at(module.frozen_values, sheet)),
    }
    for step in module.elementwise:
        value = value_at(step.operations, sheet)
        steps[step.key] = (step.what, sympy.expand(step.operations), value, value)
    columns = [column("step"), column("operations", of="qlora"), column("lora", "LoRA"), column("qlora", "QLoRA")]
    yield table(f"{key}_elementwise", columns, steps)
    yield table(
        f"{key}_matrices",
        ["trainable", "shape", "number", column("values", of="value"), "value"],
        {
            letter: (Math(of.latex), Math(_shape(of.rows, of.columns)), exact(of.count), of.values, value_at(of.values, sheet))
            for letter, of in zip("ab", module.trainable, strict=True)
        },
    )


def _shape(*sizes: sympy.Expr) -> str:
    return r" \times ".join(sympy.latex(size, fold_short_frac=True) for size in sizes)


def _growth(modules: tuple[Module, ...], *, narrow: bool) -> Table:
    """Order of growth of all operations, quantizing included, and of trainable values."""
    rows = {}
    for module in modules:
        for method in METHODS:
            time = module.multiply_adds() + module.operations(method) + (module.quantization if method == "QLoRA" else 0)
            orders = (ORDER(order_of_growth(count, narrow=narrow)) for count in (time, module.trainable_values))
            rows[f"{module.name}.{method}".lower()] = (module.name, method, *orders)
    return table("growth", ["module", "method", "time", "trainable_space"], rows, asked=True)


def _readings(used: str, sheet: Part) -> Iterator[Table]:
    """Products and values of MHA under every reading of W^O, without numbers where heads cannot share the width."""
    modules = {name: mha(reading) for name, reading in READINGS.items()}
    uneven = int(sheet.letters[d]) % int(sheet.letters[h]) > 0

    def value(name: str, counted: sympy.Expr) -> Value | None:
        return None if name == "d_by_d_narrow_heads" and uneven else value_at(counted, sheet)

    yield table(
        "readings_time",
        ["reading", "used_here", "shape", "last_product", "all_products", "value"],
        {
            name: (
                READINGS[name].title,
                "yes" if name == used else "no",
                Math(READINGS[name].output_shape),
                module.products[-1].multiply_adds,
                module.multiply_adds(),
                value(name, module.multiply_adds()),
            )
            for name, module in modules.items()
        },
    )
    rows = {
        name: (READINGS[name].title, *counts, *(value(name, one) for one in counts))
        for name, counts in ((name, (module.frozen_values, module.trainable_values)) for name, module in modules.items())
    }
    yield table("readings_space", ["reading", "dequantized", "trainable", "values_dequantized", "values_trained"], rows)
