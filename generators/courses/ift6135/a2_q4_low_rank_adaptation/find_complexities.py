"""Finds time and trainable space of LFFN and MHA again, from torch modules run under recorders."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from operator import ge

import sympy

from generators.cells import Math
from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import NARROW, SIZES, SUMMED, TALL, Entry, written
from generators.found import Found, Route

MODULES = Route("torch modules, run under recorders")
GROWN = Route("terms of what torch modules counted, compared at grown sizes")
METHODS = ("LoRA", "QLoRA")
TITLES = {
    TALL: ("heads of width d side by side, taller output matrix", r"hd \times d"),
    SUMMED: ("heads of width d added up, output matrix as stated", r"d \times d"),
    NARROW: ("heads of width d/h side by side, output matrix as stated", r"d \times d"),
}
"""Of each reading, with the shape of its W^O."""
OUTPUT = (r"[\text{head}_1, \dots, \text{head}_h]\, W^O", r"\textstyle\sum_i \text{head}_i\, W^O")
"""The last product, of heads side by side or added up."""
PRODUCTS: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {
    "LFFN": {"frozen": ("X W^F", (0,)), "down": ("X A^F", (1,)), "up": ("(X A^F) (B^F)^T", (2,))},
    "MHA": {
        "frozen": ("H W", (0, 3, 6)),
        "down": ("H A", (1, 4, 7)),
        "up": ("(H A) B^T", (2, 5, 8)),
        "scores": ("Q K^T", (9,)),
        "weighting": (r"\text{softmax}(QK^T / \sqrt{d})\, V", (10,)),
        "output": ("", (11,)),
    },
}
"""Each row's name, and which of the products that run, in order, it stands for."""
TRAINABLE = {"LFFN": ("A^F", "B^F"), "MHA": ("A^Q, A^K, A^V", "B^Q, B^K, B^V")}
STEPS = {
    "dequantize W": "dequantization",
    "add the two branches": "branches",
    "divide the scores by √d": "scaling",
    "softmax": "softmax",
    "add up the heads": "joining",
}


def find_complexities(entry: Entry) -> Iterator[Found]:
    """Tables and sums of both modules, the orders of growth, and every reading of W^O."""
    for module in ("LFFN", "MHA"):
        yield from _sums(module, entry)
        yield from _products(module, entry)
        yield from _elementwise(module, entry)
        yield from _trainable(module, entry)
    softmax = entry.at(entry.seen("MHA", "LoRA").operations["softmax"])
    yield from MODULES.values("4.4a", softmax_row=softmax / (entry.sizes["h"] * entry.sizes["n"]))
    yield from _growth(entry)
    yield from _readings(entry)


def _sums(module: str, entry: Entry) -> Iterator[Found]:
    key, low_rank = module.lower(), [*PRODUCTS[module]["down"][1], *PRODUCTS[module]["up"][1]]
    lora, qlora, other = entry.seen(module, "LoRA"), entry.seen(module, "QLoRA"), entry.seen(module, "LoRA", "X(AB)")
    in_order, other_order = (entry.at(one.multiply_adds(low_rank)) for one in (lora, other))
    found = {
        "multiply_adds": (entry.at(qlora.multiply_adds()), "P"),
        "operations_lora": (entry.at(lora.elementwise), r"E_{\text{LoRA}}"),
        "operations_qlora": (entry.at(qlora.elementwise), r"E_{\text{QLoRA}}"),
        "quantization": (entry.at(qlora.quantization), r"E_{\text{quant}}"),
        "trainable": (entry.at(qlora.trainable_values), "S"),
        "trainable_bytes": (entry.bytes_at(lora.trainable_bits), "M"),
        "other_order": (other_order, "P_{X(AB^T)}"),
    }
    for name, (value, symbol) in found.items():
        one, unit = f"{key}_{name}", "B" if name == "trainable_bytes" else ""
        yield from MODULES.values("4.4a", {one: value}, unit=unit, symbols={one: rf"{symbol}^{{\text{{{module}}}}}"})
    yield from MODULES.values("4.4a", {f"{key}_in_order": in_order, f"{key}_order_ratio": other_order / in_order})


def _products(module: str, entry: Entry) -> Iterator[Found]:
    seen, rows = entry.seen(module, "QLoRA"), {}
    for key, (name, places) in PRODUCTS[module].items():
        ran = [seen.products[place] for place in places]
        a, b, c = ran[0].shape
        rows[key] = {
            "product": Math(name or OUTPUT[entry.params.conventions.output_matrix == SUMMED]),
            "operands": Math(rf"({_shape(a, b)})\,({_shape(b, c)})"),
            "times": sum(written(one.batch) for one in ran),
            "value": entry.at(seen.multiply_adds(places)),
        }
    columns = ("product", "operands", "times", "multiply_adds", "value")
    headings = {"multiply_adds": "Multiply-adds"}
    yield from MODULES.table("4.4a", f"{module.lower()}_products", rows, headings=headings, columns=columns)


def _shape(rows: int, columns: int) -> str:
    return r" \times ".join(sympy.latex(written(side), fold_short_frac=True) for side in (rows, columns))


def _elementwise(module: str, entry: Entry) -> Iterator[Found]:
    lora, qlora = entry.seen(module, "LoRA").operations, entry.seen(module, "QLoRA")
    quantization = {"step": "quantize W (once)", "lora": None, "qlora": entry.at(qlora.quantization)}
    steps = {
        STEPS[step]: {"step": step, "lora": entry.at(lora[step]) if step in lora else None, "qlora": entry.at(count)}
        for step, count in sorted(qlora.operations.items(), key=lambda pair: list(STEPS).index(pair[0]))
    }
    headings, columns = {"lora": "LoRA", "qlora": "QLoRA"}, ("step", "operations", "lora", "qlora")
    rows = {"quantization": quantization, **steps}
    yield from MODULES.table("4.4a", f"{module.lower()}_elementwise", rows, headings=headings, columns=columns)


def _trainable(module: str, entry: Entry) -> Iterator[Found]:
    seen = entry.seen(module, "LoRA")
    _, down, up = (one.shape for one in seen.products[:3])
    rows = {
        key: {"trainable": Math(name), "shape": Math(_shape(*sides)), "number": count, "value": entry.at(values)}
        for key, name, sides, (count, values) in zip("ab", TRAINABLE[module], (down[1:], up[:0:-1]), seen.trainable, strict=True)
    }
    columns = ("trainable", "shape", "number", "values", "value")
    yield from MODULES.table("4.4a", f"{module.lower()}_matrices", rows, columns=columns)


def _growth(entry: Entry) -> Iterator[Found]:
    """Of every operation, quantizing included, and of trainable values: the terms that no other exceeds at grown sizes."""
    rows = {}
    for module, method in product(("LFFN", "MHA"), METHODS):
        seen = entry.seen(module, method)
        time = seen.multiply_adds() + seen.elementwise + seen.quantization
        orders = [_order(count, entry.params.conventions.output_matrix) for count in (time, seen.trainable_values)]
        rows[f"{module}.{method}".lower()] = (module, method, *orders)
    yield from GROWN.table("4.4a", "growth", rows, columns=("module", "method", "time", "trainable_space"))


def _order(count: sympy.Expr, reading: str) -> sympy.Expr:
    """The terms beside which no other is at least as large at all sizes, from 1 up, with r ≤ d and, for narrow heads, h ≤ d."""
    terms, large = [one.as_coeff_Mul()[1] for one in sympy.expand(count).as_ordered_terms()], 2**12
    grown = [at for at in product((1, large, large**2), repeat=4) if at[2] <= at[1] and (reading != NARROW or at[3] <= at[1])]
    values = {one: [*map(sympy.lambdify([*SIZES], one), *zip(*grown, strict=True))] for one in terms}

    def exceeded(one: sympy.Expr) -> bool:
        return any(other != one and all(map(ge, values[other], values[one])) for other in terms)

    return sympy.Function("O")(sympy.Add(*(one for one in terms if not exceeded(one))))


def _readings(entry: Entry) -> Iterator[Found]:
    time, space = {}, {}
    for reading, (title, shape) in TITLES.items():
        seen = entry.seen("MHA", "QLoRA", reading=reading)
        counts = (seen.multiply_adds(), seen.operations["dequantize W"], seen.trainable_values)
        possible = reading != NARROW or entry.sizes["d"] % entry.sizes["h"] == 0
        values = [entry.at(one) if possible else None for one in counts]
        used = "yes" if reading == entry.params.conventions.output_matrix else "no"
        time[reading] = (title, used, Math(shape), seen.multiply_adds([-1]), counts[0], values[0])
        space[reading] = (title, *counts[1:], *values[1:])
    columns: tuple[str, ...] = ("reading", "used_here", "shape", "last_product", "all_products", "value")
    yield from MODULES.table("4.4a", "readings_time", time, columns=columns)
    columns = ("reading", "dequantized", "trainable", "values_dequantized", "values_trained")
    yield from MODULES.table("4.4a", "readings_space", space, columns=columns)
