"""Checks time and trainable space of LFFN and MHA, product by product, against torch modules run under recorders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product

import sympy

from generators.answer import Cell, Math
from generators.oracles.compare import Formula, at_sizes, inside_order, same, same_formulas, same_rows, text
from generators.oracles.low_rank_modules import NARROW, SUMMED, TALL, Sizes, observe
from generators.oracles.low_rank_names import OUTPUT_SHAPES, TITLES, names_of, same_names
from generators.steps import Check, Part, Table

MODULES = ("MHA", "LFFN")
METHODS = ("LoRA", "QLoRA")
READINGS = (TALL, SUMMED, NARROW)
BY = "torch modules, one pass on meta tensors"
REAL = "torch modules, one real pass"
ROWS = {"MHA": ((0, 3, 6), (1, 4, 7), (2, 5, 8), (9,), (10,), (11,)), "LFFN": ((0,), (1,), (2,))}
"""Which of the products that run, in order, each row of the products' table stands for; rows 2 and 3 are low-rank."""
SCALE, FACTOR = 2**12, 64
"""How far sizes are grown, and how many times an order of growth the counted operations may then be."""

Row = tuple[tuple[int, ...], tuple[Cell, ...]]
"""What the formulas of a row must give, and what its last cells must hold."""


def verify_complexities(part: Part, sizes: Sizes, other: Sizes) -> Iterator[Check]:
    """Check the tables and sums of both modules, the orders of growth, and every reading of W^O."""
    for module in MODULES:
        triples: list[Formula] = []
        for kind, rows in (("products", _products), ("elementwise", _elementwise), ("trainable", _trainable)):
            table = part.tables[f"{module.lower()}_{kind}"]
            yield _check_values(f"4.4a, {module}, {kind}", table, rows(module, sizes, "meta"))
            yield same_names(f"4.4a, {module}, {kind}: names and shapes", table, names_of(module, kind, other))
            triples += _formulas(table, rows(module, other, "cpu"))
        found, small = _sums(module, sizes, "meta"), _sums(module, other, "cpu")
        for name, value in found.items():
            line = part[f"{module.lower()}_{name}"]
            yield same(f"4.4a, {line.what}", line.value, value, BY)
            triples.append((line.what, line.formula, small[name]))
        yield same_formulas(f"4.4a, {module}, formulas", triples, other.letters, REAL)
    yield from _check_growth(part.tables["growth"], sizes)
    used = ["yes" if reading == sizes.reading else "no" for reading in READINGS]
    published = ", ".join(map(text, part.tables["readings_time"].column("Used here")))
    yield same("4.4a, the reading of W^O in use", published, ", ".join(used), "the convention in force")
    triples = []
    for kind, by_reading in (("time", _time_by_reading), ("space", _space_by_reading)):
        table = part.tables[f"readings_{kind}"]
        yield _check_values(f"4.4a, every reading of W^O, {kind}", table, by_reading(sizes, "meta"))
        uses = {one: ("yes" if one == sizes.reading else "no", Math(OUTPUT_SHAPES[one])) for one in READINGS}
        names = [(TITLES[one], *(uses[one] if kind == "time" else ())) for one in READINGS]
        yield same_names(f"4.4a, every reading of W^O, {kind}: names", table, names)
        triples += _formulas(table, by_reading(other, "cpu"))
    yield same_formulas("4.4a, every reading of W^O, formulas", triples, other.letters, REAL)


def _check_values(what: str, table: Table, found: Sequence[Row]) -> Check:
    """Compare the last cells of each row; the text and formulas before them are taken as published."""
    rows = [(*row[: -len(values)], *values) for row, (_, values) in zip(table.rows, found, strict=True)]
    return same_rows(what, table, rows, BY)


def _formulas(table: Table, found: Sequence[Row]) -> list[Formula]:
    """The formulas before the last cells of each row, with what they must give."""
    triples: list[Formula] = []
    for row, (counts, values) in zip(table.rows, found, strict=True):
        formulas = row[-len(values) - len(counts) : -len(values)]
        triples += [(text(row[0]), formula, count) for formula, count in zip(formulas, counts, strict=True)]
    return triples


def _products(module: str, sizes: Sizes, device: str) -> list[Row]:
    seen = observe(module, "QLoRA", sizes, device)
    rows: list[Row] = []
    for places in ROWS[module]:
        count = seen.multiply_adds_of(places)
        rows.append(((sum(seen.products[place].batch for place in places), count), (count,)))
    return rows


def _elementwise(module: str, sizes: Sizes, device: str) -> list[Row]:
    lora, qlora = (observe(module, method, sizes, device) for method in METHODS)
    rows: list[Row] = [((qlora.quantization,), (None, qlora.quantization))]
    for step in dict.fromkeys(("dequantize W", *lora.operations)):
        both = tuple(seen.operations.get(step) for seen in (lora, qlora))
        rows.append(((qlora.operations[step],), both))
    return rows


def _trainable(module: str, sizes: Sizes, device: str) -> list[Row]:
    return [((count, values), (values,)) for count, values in observe(module, "LoRA", sizes, device).trainable]


def _sums(module: str, sizes: Sizes, device: str) -> dict[str, int | Fraction]:
    lora, qlora = (observe(module, method, sizes, device) for method in METHODS)
    low_rank = [place for row in ROWS[module][1:3] for place in row]
    in_order = lora.multiply_adds_of(low_rank)
    other_order = observe(module, "LoRA", sizes, device, "X(AB)").multiply_adds_of(low_rank)
    return {
        "multiply_adds": qlora.multiply_adds,
        "operations_lora": lora.elementwise,
        "operations_qlora": qlora.elementwise,
        "quantization": qlora.quantization,
        "trainable": qlora.trainable_values,
        "trainable_bytes": qlora.trainable_bytes,
        "in_order": in_order,
        "other_order": other_order,
        "order_ratio": Fraction(other_order, in_order),
    }


def _check_growth(table: Table, sizes: Sizes) -> Iterator[Check]:
    """Grow the sizes apart and together: counts stay within half and 64 times their order, but not without one of its terms."""
    for row, (module, method) in zip(table.rows, product(("LFFN", "MHA"), METHODS), strict=True):
        seen = [(grown, observe(module, method, grown)) for grown in _grown(sizes)]
        time = [(grown, one.multiply_adds + one.elementwise + one.quantization) for grown, one in seen]
        space = [(grown, one.trainable_values) for grown, one in seen]
        orders = [(order, counts) for order, counts in zip(row[2:], (time, space), strict=True)]
        ratios = [ratio for order, counts in orders for ratio in _ratios(inside_order(order), counts)]
        yield Check(
            what=f"4.4a, orders of growth of time and trainable space: {method} on {module}",
            published=", ".join(map(text, row)),
            found=f"{module}, {method}: {float(min(ratios)):.3g} to {float(max(ratios)):.3g} times these, and no term can go",
            by=f"torch modules, sizes grown up to {SCALE} times on meta tensors",
            passed=row[:2] == (module, method)
            and all(_bounds(inside_order(order), counts) and _needs_every_term(order, counts) for order, counts in orders),
        )


Counts = Sequence[tuple[Sizes, int]]


def _ratios(order: sympy.Expr, counts: Counts) -> list[Fraction]:
    """Each count over the order at its sizes, 0 where that is 0."""
    orders = [int(at_sizes(order, grown.letters)) for grown, _ in counts]
    return [Fraction(count, held) if held else Fraction(0) for (_, count), held in zip(counts, orders, strict=True)]


def _bounds(order: sympy.Expr, counts: Counts) -> bool:
    return all(Fraction(1, 2) <= ratio <= FACTOR for ratio in _ratios(order, counts))


def _needs_every_term(order: Cell, counts: Counts) -> bool:
    terms = sympy.Add.make_args(inside_order(order))
    return not any(_bounds(inside_order(order) - term, counts) for term in terms)


def _grown(sizes: Sizes) -> list[Sizes]:
    """Both n and h alone, d alone, and d with r, each grown or not; narrow heads keep h at most d."""
    grown = [
        replace(sizes, n=n, h=h, d=d, r=r)
        for n, h, (d, r) in product((1, SCALE), (1, SCALE), ((1, 1), (SCALE, 1), (SCALE, SCALE)))
    ]
    return [one for one in grown if sizes.reading != NARROW or one.h <= one.d]


def _time_by_reading(sizes: Sizes, device: str) -> list[Row]:
    rows: list[Row] = []
    for reading in READINGS:
        if reading == NARROW and sizes.d % sizes.h:
            rows.append(((), (None,)))
            continue
        seen = observe("MHA", "LoRA", replace(sizes, reading=reading), device)
        rows.append(((seen.multiply_adds_of([-1]), seen.multiply_adds), (seen.multiply_adds,)))
    return rows


def _space_by_reading(sizes: Sizes, device: str) -> list[Row]:
    rows: list[Row] = []
    for reading in READINGS:
        if reading == NARROW and sizes.d % sizes.h:
            rows.append(((), (None, None)))
            continue
        seen = observe("MHA", "QLoRA", replace(sizes, reading=reading), device)
        counts = (seen.operations["dequantize W"], seen.trainable_values)
        rows.append((counts, counts))
    return rows
