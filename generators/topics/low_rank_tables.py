"""Tables of what LoRA and QLoRA compute and hold: product by product, by rank, by way of serving, by reading of W^O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy

from generators.answer import Cell, Math, Value, exact, rational
from generators.steps import Table
from generators.topics.growth import ORDER
from generators.topics.low_rank import METHODS, READINGS, Module, d, h, lffn, m, mha, n, order_of_growth, r
from generators.topics.quantization import QuantizationError

Sizes = Mapping[sympy.Symbol, Value]


@dataclass(frozen=True)
class Units:
    """Bytes of a full-precision value, and FLOPs of a multiply-add."""

    bytes_per_value: int
    flops_per_multiply_add: int


def _at(formula: sympy.Expr, sizes: Sizes) -> Value:
    return exact(formula.subs(dict(sizes)))


def methods_table(units: Units, at: Sizes) -> Table:
    """One d×d matrix and n tokens under both methods."""
    module = lffn()
    rows = tuple(
        (
            method,
            _at(module.frozen_bytes(method, units.bytes_per_value), at),
            _at(units.bytes_per_value * module.trainable_values, at),
            _at(units.flops_per_multiply_add * module.multiply_adds(), at),
            _at(module.operations(method), at),
        )
        for method in METHODS
    )
    return Table(header=("Method", "Frozen W", "A and B", "Products", "Elementwise operations"), rows=rows)


def errors_table(errors: Sequence[QuantizationError], units: Units, at: Sizes) -> Table:
    """Bytes of a d×d matrix and the measured error, by bits."""
    size = lffn().frozen_bytes("QLoRA", units.bytes_per_value)
    rows = tuple(
        (one.bits, _at(size, {**at, m: one.bits}), one.step, one.step / 2, one.largest, one.rms, one.relative) for one in errors
    )
    return Table(header=("Bits", "Bytes of W", "Δ", "Δ/2", "Largest error", "RMS error", "RMS error / RMS of W"), rows=rows)


def ranks_table(units: Units, at: Sizes) -> Table:
    """Bytes, FLOPs and independent directions of an adapter by rank, beside one d×d matrix."""
    module = lffn()
    adapter = units.bytes_per_value * module.trainable_values
    flops = units.flops_per_multiply_add * module.low_rank_multiply_adds
    width = int(rational(at[d]))
    ranks = sorted({*(4**power for power in range(width.bit_length()) if 4**power <= width), int(rational(at[r])), width})
    columns = (
        adapter,
        flops,
        adapter / module.frozen_bytes("LoRA", units.bytes_per_value),
        adapter / module.frozen_bytes("QLoRA", units.bytes_per_value),
        directions() / d**2,
    )
    rows = tuple((rank, *(_at(column, {**at, r: rank}) for column in columns)) for rank in ranks)
    return Table(header=("Rank", "A and B", "(XA)Bᵀ", "of W", "of the codes", "Directions"), rows=rows)


def directions() -> sympy.Expr:
    """Dimension of the set of d×d matrices of rank r: A and B hold 2dr values, r² of which change nothing."""
    return r * (2 * d - r)


def work_table(units: Units, at: Sizes) -> Table:
    """FLOPs and elementwise operations of one d×d matrix served in three ways, for the context and for one token."""
    module, flops = lffn(), units.flops_per_multiply_add
    ways = {
        "LoRA, merged into W": (module.multiply_adds(adapters=False), module.operations("LoRA", adapters=False)),
        "LoRA, beside W": (module.multiply_adds(), module.operations("LoRA")),
        "QLoRA, beside the codes": (module.multiply_adds(), module.operations("QLoRA")),
    }
    rows = []
    for tokens in dict.fromkeys((at[n], 1)):
        least = None
        for way, (products, other) in ways.items():
            counts = [rational(_at(formula, {**at, n: tokens})) for formula in (flops * products, other)]
            least = least or sum(counts)
            rows.append((way, tokens, *map(exact, counts), exact(sum(counts) / least - 1)))
    return Table(header=("Way", "Tokens", "Products", "Elementwise operations", "More than merged"), rows=tuple(rows))


def traffic_table(units: Units, at: Sizes) -> Table:
    """Bytes of weights held and moved in one pass of one d×d matrix; a dequantized copy is written and read again."""
    module, size = lffn(), units.bytes_per_value
    full, codes = (module.frozen_bytes(method, size) for method in METHODS)
    both = size * module.trainable_values
    rows = (
        ("LoRA, merged into W", full, sympy.Integer(0), full),
        ("LoRA, beside W", full + both, sympy.Integer(0), full + both),
        ("QLoRA, dequantized inside the product", codes + both, sympy.Integer(0), codes + both),
        ("QLoRA, dequantized into a copy", codes + both, full, codes + both + 2 * full),
    )
    header = ("Way", "Weights held", "Copy in full precision", "Weights moved in a pass")
    return Table(header=header, rows=tuple((way, *(_at(formula, at) for formula in formulas)) for way, *formulas in rows))


def products_table(module: Module, at: Sizes) -> Table:
    """Every product of one pass in the order in which it is evaluated."""
    rows = tuple(
        (Math(one.latex), Math(_operands(one.shape.m, one.shape.k, one.shape.n)), exact(one.times), one.multiply_adds,
         _at(one.multiply_adds, at))
        for one in module.products
    )  # fmt: skip
    return Table(header=("Product", "Operands", "Times", "Multiply-adds", "Value"), rows=rows)


def _operands(rows: sympy.Expr, inner: sympy.Expr, columns: sympy.Expr) -> str:
    first, second, third = (sympy.latex(size, fold_short_frac=True) for size in (rows, inner, columns))
    return rf"({first} \times {second})\,({second} \times {third})"


def elementwise_table(module: Module, at: Sizes) -> Table:
    """Everything outside products, with the value where a method does it."""
    rows: list[tuple[Cell, ...]] = []
    for what, formula in (("quantize W (once)", module.quantization), ("dequantize W", module.frozen_values)):
        rows.append((what, formula, None, _at(formula, at)))
    for one in module.elementwise:
        value = _at(one.operations, at)
        rows.append((one.what, sympy.expand(one.operations), value, value))
    return Table(header=("Step", "Operations", "LoRA", "QLoRA"), rows=tuple(rows))


def trainable_table(module: Module, at: Sizes) -> Table:
    """All A and B of the module."""
    rows = tuple(
        (Math(one.latex), Math(rf"{sympy.latex(one.rows, fold_short_frac=True)} \times {sympy.latex(one.columns)}"),
         exact(one.count), one.values, _at(one.values, at))
        for one in module.trainable
    )  # fmt: skip
    return Table(header=("Trainable", "Shape", "Number", "Values", "Value"), rows=rows)


def growth_table(modules: Sequence[Module], *, narrow: bool) -> Table:
    """Order of growth of all operations, quantizing included, and of trainable values."""
    rows: list[tuple[Cell, ...]] = []
    for module in modules:
        for method in METHODS:
            extra = module.quantization if method == "QLoRA" else sympy.Integer(0)
            time = module.multiply_adds() + module.operations(method) + extra
            orders = (order_of_growth(count, narrow=narrow) for count in (time, module.trainable_values))
            rows.append((module.name, method, *map(ORDER, orders)))
    return Table(header=("Module", "Method", "Time", "Trainable space"), rows=tuple(rows))


def readings_tables(used: str, at: Sizes) -> dict[str, Table]:
    """Cost of MHA for every reading of W^O: time, then what is frozen and trained."""
    time: list[tuple[Cell, ...]] = []
    space: list[tuple[Cell, ...]] = []
    for name, reading in READINGS.items():
        module = mha(reading)
        possible = "narrow" not in name or int(rational(at[d])) % int(rational(at[h])) == 0

        def value(formula: sympy.Expr, possible: bool = possible) -> Value | None:
            return _at(formula, at) if possible else None

        products = module.multiply_adds()
        last = module.products[-1].multiply_adds
        time.append((reading.title, "yes" if name == used else "no", Math(reading.output_shape), last, products, value(products)))
        frozen, trained = module.frozen_values, module.trainable_values
        space.append((reading.title, frozen, trained, value(frozen), value(trained)))
    return {
        "readings_time": Table(
            header=("Reading", "Used here", "Shape of W^O", "Product with W^O", "All products", "Value"), rows=tuple(time)
        ),
        "readings_space": Table(
            header=("Reading", "Dequantized", "Trainable", "Values dequantized", "Values trained"), rows=tuple(space)
        ),
    }
