"""Finds time and trainable space of LFFN and MHA again, from torch modules run under recorders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

from generators.cells import Math
from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import NARROW, SUMMED, TALL, Sizes, observe
from generators.found import Found, Proof, Route, Worlds

SHEET = Route("the sheet and the parameters, read again", restates=True)
MODULES = Route("torch modules, run under recorders")
GROWN = Route("polynomials through counts of torch modules, compared at grown sizes")
METHODS = ("LoRA", "QLoRA")
READINGS = (TALL, SUMMED, NARROW)
TITLES = {
    TALL: "heads of width d side by side, taller output matrix",
    SUMMED: "heads of width d added up, output matrix as stated",
    NARROW: "heads of width d/h side by side, output matrix as stated",
}
SHAPES = {TALL: r"hd \times d", SUMMED: r"d \times d", NARROW: r"d \times d"}
"""Of W^O, by reading."""
LETTERS = {"n": 7, "d": 12, "r": 5, "h": 4}
"""Sizes at which every size of a matrix names its letters."""
WORLDS = (LETTERS, {"n": 5, "d": 8, "r": 3, "h": 2}, {"n": 2, "d": 6, "r": 4, "h": 3})
SIDE_BY_SIDE = r"[\text{head}_1, \dots, \text{head}_h]\, W^O"
ADDED_UP = r"\textstyle\sum_i \text{head}_i\, W^O"
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
LOW_RANK = {module: (*rows["down"][1], *rows["up"][1]) for module, rows in PRODUCTS.items()}
TRAINABLE = {"LFFN": ("A^F", "B^F"), "MHA": ("A^Q, A^K, A^V", "B^Q, B^K, B^V")}
STEPS = {
    "quantize W (once)": "quantization",
    "dequantize W": "dequantization",
    "add the two branches": "branches",
    "divide the scores by √d": "scaling",
    "softmax": "softmax",
    "add up the heads": "joining",
}


def find_complexities(sizes: Sizes, device: str) -> Iterator[Found | Proof]:
    """Tables and sums of both modules, the orders of growth, and every reading of W^O."""
    yield from SHEET.part("4.4a", "Time and trainable space")
    for module in ("MHA", "LFFN"):
        yield from _sums(module, sizes, device)
        yield from _products(module, sizes, device)
        yield from _elementwise(module, sizes, device)
        yield from _trainable(module, sizes, device)
    softmax = observe("MHA", "LoRA", sizes, device).operations["softmax"]
    yield from MODULES.values("4.4a", softmax_row=Fraction(softmax, sizes.h * sizes.n))
    yield from _growth(sizes)
    yield from _readings(sizes, device)


def _sums(module: str, sizes: Sizes, device: str) -> Iterator[Found]:
    lora, qlora = (observe(module, method, sizes, device) for method in METHODS)
    in_order = lora.multiply_adds_of(LOW_RANK[module])
    other_order = observe(module, "LoRA", sizes, device, "X(AB)").multiply_adds_of(LOW_RANK[module])
    found = {
        "multiply_adds": (qlora.multiply_adds, "P"),
        "operations_lora": (lora.elementwise, r"E_{\text{LoRA}}"),
        "operations_qlora": (qlora.elementwise, r"E_{\text{QLoRA}}"),
        "quantization": (qlora.quantization, r"E_{\text{quant}}"),
        "trainable": (qlora.trainable_values, "S"),
        "other_order": (other_order, "P_{X(AB^T)}"),
    }
    key = module.lower()
    values = {f"{key}_{name}": value for name, (value, _) in found.items()}
    symbols = {f"{key}_{name}": rf"{symbol}^{{\text{{{module}}}}}" for name, (_, symbol) in found.items()}
    yield from MODULES.values("4.4a", values, symbols=symbols)
    held = f"{key}_trainable_bytes"
    yield from MODULES.values("4.4a", {held: lora.trainable_bytes}, unit="B", symbols={held: rf"M^{{\text{{{module}}}}}"})
    more = {f"{key}_in_order": in_order, f"{key}_order_ratio": Fraction(other_order, in_order)}
    yield from MODULES.values("4.4a", more)


def _small(sizes: Sizes, letters: Mapping[str, int]) -> Sizes:
    return replace(sizes, n=letters["n"], d=letters["d"], r=letters["r"], h=letters["h"])


def _products(module: str, sizes: Sizes, device: str) -> Iterator[Found]:
    seen = observe(module, "QLoRA", sizes, device)
    small = _small(sizes, LETTERS)
    shapes = [one.shape for one in observe(module, "QLoRA", small, "cpu").products]
    rows: dict[str, dict[str, Any]] = {}
    for key, (name, places) in PRODUCTS[module].items():
        a, b, c = shapes[places[0]]
        times = []
        for letters in WORLDS:
            products = observe(module, "QLoRA", _small(sizes, letters), "cpu").products
            times.append((letters, sum(products[place].batch for place in places)))
        rows[key] = {
            "product": Math(name or (ADDED_UP if sizes.reading == SUMMED else SIDE_BY_SIDE)),
            "operands": Math(rf"({_times(small, a, b)})\,({_times(small, b, c)})"),
            "times": Worlds(times),
            "value": seen.multiply_adds_of(places),
        }
    columns = ("product", "operands", "times", "multiply_adds", "value")
    table = f"{module.lower()}_products"
    yield from MODULES.table("4.4a", table, rows, headings={"multiply_adds": "Multiply-adds"}, columns=columns)


def _times(small: Sizes, rows: int, columns: int) -> str:
    letters = {small.d // small.h: "d / h", small.h * small.d: "d h", small.n: "n", small.d: "d", small.r: "r"}
    return rf"{letters[rows]} \times {letters[columns]}"


def _elementwise(module: str, sizes: Sizes, device: str) -> Iterator[Found]:
    lora, qlora = (observe(module, method, sizes, device) for method in METHODS)
    rows: dict[str, dict[str, Any]] = {"quantization": {"step": "quantize W (once)", "lora": None, "qlora": qlora.quantization}}
    for step in dict.fromkeys(("dequantize W", *lora.operations)):
        rows[STEPS[step]] = {"step": step, "lora": lora.operations.get(step), "qlora": qlora.operations[step]}
    headings = {"lora": "LoRA", "qlora": "QLoRA"}
    columns = ("step", "operations", "lora", "qlora")
    yield from MODULES.table("4.4a", f"{module.lower()}_elementwise", rows, headings=headings, columns=columns)


def _trainable(module: str, sizes: Sizes, device: str) -> Iterator[Found]:
    small = _small(sizes, LETTERS)
    narrow = small.reading == NARROW and module == "MHA"
    ends = (small.d, small.d // small.h if narrow else small.d)
    rows: dict[str, dict[str, Any]] = {}
    for place, (key, name, end) in enumerate(zip(("a", "b"), TRAINABLE[module], ends, strict=True)):
        counts = [(letters, observe(module, "LoRA", _small(sizes, letters), "cpu").trainable[place][0]) for letters in WORLDS]
        rows[key] = {
            "trainable": Math(name),
            "shape": Math(_times(small, end, small.r)),
            "number": Worlds(counts),
            "value": observe(module, "LoRA", sizes, device).trainable[place][1],
        }
    columns = ("trainable", "shape", "number", "values", "value")
    yield from MODULES.table("4.4a", f"{module.lower()}_matrices", rows, columns=columns)


Powers = tuple[int, int, int, int]
"""Of n, d, r and h in one term."""
GRID = ((1, 2, 3), (2, 4, 6), (1, 2), (1, 2))
"""Values of n, d, r and h through which polynomials of degree 2, 2, 1 and 1 are laid; every h divides every d."""


def _growth(sizes: Sizes) -> Iterator[Found | Proof]:
    """The terms that no other term exceeds at grown sizes, of polynomials that give what was counted at the sizes in force."""
    rows: dict[str, dict[str, Any]] = {}
    for module, method in product(("LFFN", "MHA"), METHODS):
        key = f"{module}.{method}".lower()
        rows[key] = {"module": module, "method": method}
        for place, column in enumerate(("time", "trainable_space")):
            terms = _polynomial(module, method, sizes.reading, place)
            rows[key][column] = _order([one for one in terms if _is_needed(one, terms, sizes.reading)])
            at = (sizes.n, sizes.d, sizes.r, sizes.h)
            off = sum(factor * _power(at, one) for one, factor in terms.items()) - _count(module, method, sizes)[place]
            yield from GROWN.proof(f"4.4a: {column} of {method} on {module} is the polynomial that was compared", abs(off))
    yield from GROWN.table("4.4a", "growth", rows)


def _count(module: str, method: str, sizes: Sizes) -> tuple[int, int]:
    """Every operation, quantizing included, and trainable values."""
    seen = observe(module, method, sizes)
    return seen.multiply_adds + seen.elementwise + seen.quantization, seen.trainable_values


@lru_cache(maxsize=32)
def _polynomial(module: str, method: str, reading: str, place: int) -> dict[Powers, int]:
    """The coefficients of the polynomial through the counts on the grid."""
    import numpy as np

    counts = []
    for n, d, r, h in product(*GRID):
        counts.append(_count(module, method, Sizes(n=n, d=d, r=r, h=h, m=4, bytes_per_value=4, reading=reading))[place])
    rows: Any = np.ones((1, 1))
    for values in GRID:
        rows = np.kron(rows, np.vander(np.array(values, dtype=float), increasing=True))
    factors = np.rint(np.linalg.solve(rows, np.array(counts, dtype=float))).astype(int).tolist()
    powers = product(*(range(len(values)) for values in GRID))
    return {(a, b, c, e): factor for (a, b, c, e), factor in zip(powers, factors, strict=True) if factor}


def _power(at: Sequence[int], powers: Sequence[int]) -> int:
    n, d, r, h = (size**power for size, power in zip(at, powers, strict=True))
    return int(n * d * r * h)


def _is_needed(one: Powers, terms: Mapping[Powers, int], reading: str) -> bool:
    """Whether no other term is at least as large at all sizes, from 1 up, with r ≤ d and, for narrow heads, h ≤ d."""
    large = 2**12
    grown = [at for at in product((1, large, large**2), repeat=4) if at[2] <= at[1] and (reading != NARROW or at[3] <= at[1])]
    return not any(other != one and all(_power(at, other) >= _power(at, one) for at in grown) for other in terms)


def _order(terms: Sequence[Powers]) -> Any:
    import sympy

    letters = sympy.symbols("n d r h", positive=True)
    kept = [sympy.prod(letter**power for letter, power in zip(letters, one, strict=True)) for one in terms]
    return sympy.Function("O")(sympy.Add(*kept))


def _readings(sizes: Sizes, device: str) -> Iterator[Found]:
    time: dict[str, dict[str, Any]] = {}
    space: dict[str, dict[str, Any]] = {}
    for reading in READINGS:
        held = replace(sizes, reading=reading)
        small = [(letters, observe("MHA", "QLoRA", _small(held, letters), "cpu")) for letters in WORLDS]
        possible = reading != NARROW or sizes.d % sizes.h == 0
        seen = observe("MHA", "QLoRA", held, device) if possible else None
        time[reading] = {
            "reading": TITLES[reading],
            "used_here": "yes" if reading == sizes.reading else "no",
            "shape": Math(SHAPES[reading]),
            "last_product": Worlds([(letters, one.multiply_adds_of([-1])) for letters, one in small]),
            "all_products": Worlds([(letters, one.multiply_adds) for letters, one in small]),
            "value": seen.multiply_adds if seen else None,
        }
        space[reading] = {
            "reading": TITLES[reading],
            "dequantized": Worlds([(letters, one.operations["dequantize W"]) for letters, one in small]),
            "trainable": Worlds([(letters, one.trainable_values) for letters, one in small]),
            "values_dequantized": seen.operations["dequantize W"] if seen else None,
            "values_trained": seen.trainable_values if seen else None,
        }
    yield from MODULES.table("4.4a", "readings_time", time)
    yield from MODULES.table("4.4a", "readings_space", space)
