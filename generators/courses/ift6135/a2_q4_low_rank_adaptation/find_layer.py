"""Finds 4.4 again: each step of LFFN and MHA from torch modules, and the choice from every combination counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from operator import ge
from typing import NamedTuple

import sympy

from generators.cells import Cell, Math
from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import NARROW, SIZES, Entry, written
from generators.found import Found, Route

MODULES = Route("torch modules, run under recorders")
GROWN = Route("terms of what torch modules counted, compared at grown sizes")
COMBINED = Route("torch modules, every combination")
METHODS = ("LoRA", "QLoRA")
PRODUCTS = {
    "LFFN": {"frozen": "X W^F", "down": "X A^F", "up": r"(X A^F) (B^F)^\top"},
    "MHA": {
        "frozen": "H W",
        "down": "H A",
        "up": r"(H A) B^\top",
        "scores": r"Q K^\top",
        "weighting": r"\text{softmax}(QK^\top / \sqrt{d})\, V",
        "output": r"[\text{head}_1, \dots, \text{head}_h]\, W^O",
    },
}
"""Each row's name."""
HELD = ("module", "pairs", "trainable", "dequantization", "quantization")
STEPS = {
    "branches": "add the two branches",
    "scaling": "divide the scores by √d",
    "softmax": "softmax",
}


def find_complexities(entry: Entry) -> Iterator[Found]:
    """Both modules step by step, their sums, and the orders of growth."""
    steps = {f"{module}.{key}".lower(): row for module in PRODUCTS for key, row in _steps(module, entry)}
    yield from MODULES.table("4.4a", "steps", steps, columns=("module", "step", "operands", "times", "count"))
    softmax = entry.at(entry.seen("MHA", "LoRA").operations["softmax"])
    yield from MODULES.values("4.4a", softmax_row=softmax / (entry.sizes["h"] * entry.sizes["n"]))
    held = {module.lower(): _held(module, entry) for module in PRODUCTS}
    yield from MODULES.table("4.4a", "held", held, columns=HELD)
    yield from _sums(entry)


def _steps(module: str, entry: Entry) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Rows by key: the products that ran, then what ran outside products."""
    seen, ran_as = entry.seen(module, "LoRA"), _ran_as(module, entry)
    for key, name in PRODUCTS[module].items():
        places = [place for place, one in enumerate(ran_as) if one == key]
        ran = [seen.products[place] for place in places]
        a, b, c = ran[0].shape
        operands = Math(rf"({_shape(a, b)})\,({_shape(b, c)})")
        yield key, (module, Math(name), operands, sum(written(one.batch) for one in ran), seen.multiply_adds(places))
    for step, name in STEPS.items():
        if step in seen.operations:
            yield step, (module, name, None, None, seen.operations[step])


def _ran_as(module: str, entry: Entry) -> list[str]:
    """The row of each product that runs, in order."""
    adapted = ["frozen", "down", "up"]
    if module == "LFFN":
        return adapted
    heads = [adapted if one in entry.params.lora_on else ["frozen"] for one in ("query", "key", "value")]
    return [*(key for one in heads for key in one), "scores", "weighting", "output"]


def _shape(rows: int, columns: int) -> str:
    return r" \times ".join(sympy.latex(written(side), fold_short_frac=True) for side in (rows, columns))


def _held(module: str, entry: Entry) -> tuple[Cell, ...]:
    seen, codes = entry.seen(module, "LoRA"), entry.seen(module, "QLoRA")
    return module, seen.pairs, seen.trainable, codes.operations["dequantization"], codes.quantization


def _sums(entry: Entry) -> Iterator[Found]:
    rows = {}
    for module, method in product(PRODUCTS, METHODS):
        seen = entry.seen(module, method)
        products, others = seen.multiply_adds(), seen.others
        orders = [_order(one, entry.params.conventions.output_matrix) for one in (products + others, seen.trainable)]
        rows[f"{module}.{method}".lower()] = (f"{module}, {method}", *orders, products, others)
    columns = ("case", "time", "space", "multiply_adds", "other_operations")
    yield from GROWN.table("4.4a", "sums", rows, headings={"multiply_adds": "Multiply-adds"}, columns=columns)


def _order(count: sympy.Expr, reading: str) -> sympy.Expr:
    """The terms beside which no other is at least as large at all sizes, from 1 up, with r ≤ d and, for narrow heads, h ≤ d."""
    terms, large = [one.as_coeff_Mul()[1] for one in sympy.expand(count).as_ordered_terms()], 2**12
    grown = [at for at in product((1, large, large**2), repeat=4) if at[2] <= at[1] and (reading != NARROW or at[3] <= at[1])]
    values = {one: [*map(sympy.lambdify([*SIZES], one), *zip(*grown, strict=True))] for one in terms}

    def exceeded(one: sympy.Expr) -> bool:
        return any(other != one and all(map(ge, values[other], values[one])) for other in terms)

    return sympy.Function("O")(sympy.Add(*(one for one in terms if not exceeded(one))))


class Takes(NamedTuple):
    """Operations of a pass at inference and bytes stored while fine-tuning; smaller is better in this order."""

    operations: Fraction
    stored: Fraction


Pair = tuple[str, str]
"""Methods of MHA and of LFFN."""


def find_choice(entry: Entry, headroom: Fraction) -> Iterator[Found]:
    """The costs of both modules and of all combinations, the limit, the three choices and what they follow from."""
    mha, lffn = ({method: _takes(name, method, entry) for method in METHODS} for name in ("MHA", "LFFN"))
    pairs = product(METHODS, repeat=2)
    both = {(a, b): Takes(mha[a].operations + lffn[b].operations, mha[a].stored + lffn[b].stored) for a, b in pairs}
    stored = [one.stored for one in both.values()]
    limit = headroom * max(stored) + (1 - headroom) * min(stored)
    yield from COMBINED.values("4.4b", unit="B", limit=limit, symbols={"limit": r"M_{\text{max}}"})
    ours, theirs = (entry.at(entry.seen(module, "LoRA").weights) for module in PRODUCTS)
    yield from COMBINED.values("4.4b", weights_share=theirs / (ours + theirs))
    yield from _combinations(both, limit)
    modules = [(entry.seen(module, "LoRA"), entry.seen(module, "QLoRA")) for module in PRODUCTS]
    bits = 8 * entry.params.conventions.bytes_per_value
    less = [entry.at(bits * codes.trainable + codes.frozen_bits - full.frozen_bits) for full, codes in modules]
    *_, inner, outer = (entry.at(written(side)) for side in modules[1][0].products[-1].shape)
    yield from COMBINED.values("4.4b", unit="B", copy=inner * outer * bits / 8)
    yield from COMBINED.values("4.4b", codes_move_less=sum(less) < 0)
    chosen = _best(both, limit)
    same = [one for one in sorted(stored) if _best(both, one) == chosen]  # what is chosen changes at these limits only
    above = [one for one in sorted(stored) if one > same[-1]]
    ends = {"holds_from": same[0]} | ({"holds_below": above[0]} if above else {})
    yield from COMBINED.values("4.4b", ends, unit="B")
    yield from COMBINED.values("4.4b", holds_no_further=len(above) > 0)
    rows = {
        "memory_limit": ("Memory limit", *min(both, key=lambda pair: both[pair][::-1])),
        "faster_inference": ("Faster inference", *_best(both, max(stored))),
        "both": ("Both", *chosen),
    }
    yield from COMBINED.table("4.4b", "choices", rows, headings=MODULE_HEADINGS, columns=("condition", *MODULE_HEADINGS))
    reasons = ("nothing_is_quantized", "lffn_alone", "mha_alone", "all_is_quantized")
    yield from COMBINED.values("4.4b", {reason: pair == chosen for reason, pair in zip(reasons, both, strict=True)})


MODULE_HEADINGS = {"mha": "MHA", "lffn": "LFFN"}


def _takes(module: str, method: str, entry: Entry) -> Takes:
    """LoRA is served merged, QLoRA beside its codes."""
    seen = entry.seen(module, method)
    served = entry.seen(module, method, "merged") if method == "LoRA" else seen
    return Takes(entry.operations(served), entry.at(seen.frozen_bits + seen.trained_bits) / 8)


def _best(both: Mapping[Pair, Takes], limit: Fraction) -> Pair:
    return min((pair for pair in both if both[pair].stored <= limit), key=both.__getitem__)


def _combinations(both: Mapping[Pair, Takes], limit: Fraction) -> Iterator[Found]:
    fastest = min(one.operations for one in both.values())
    rows = {
        f"{mha}-{lffn}".lower(): (
            mha, lffn, one.stored, "yes" if one.stored <= limit else "no", 100 * (one.operations - fastest) / fastest,
        )
        for (mha, lffn), one in both.items()
    }  # fmt: skip
    units = {"stored": "B", "computes_more": "%"}
    columns = (*MODULE_HEADINGS, "stored", "fits", "computes_more")
    yield from COMBINED.table("4.4b", "combinations", rows, units=units, headings=MODULE_HEADINGS, columns=columns)
