"""Part 4.4 (b): which of LoRA and QLoRA each module gets: the smallest, the fastest, and the fastest within a memory limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import NamedTuple, TypeAlias

import sympy

from generators.answer import Claim, Item, Part, claim, formula, number, part, value_at
from generators.cells import exact, rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.layer import METHODS, Method, Module
from generators.table import Column, Table, column, table


class Cost(NamedTuple):
    """Bytes stored while fine-tuning, and operations of one pass at inference."""

    stored: Fraction
    operations: Fraction


Costs: TypeAlias = Mapping[Method, Cost]
Pairs: TypeAlias = Mapping[tuple[Method, Method], Cost]
"""What both modules take together, by the methods of MHA and of LFFN."""
MODULES = (column("mha", "MHA"), column("lffn", "LFFN"))


def choice(mha: Module, lffn: Module, size: int, headroom: Fraction, sheet: Part) -> Part:
    """Fill the sheet's table from what every combination stores and computes."""
    costs = [_costs(one, size, sheet) for one in (mha, lffn)]
    pairs = {
        (one, other): Cost(ours.stored + theirs.stored, ours.operations + theirs.operations)
        for (one, ours), (other, theirs) in product(*(cost.items() for cost in costs))
    }
    least, *_, most = sorted(one.stored for one in pairs.values())
    limit = least + headroom * (most - least)
    both = min((one for one, cost in pairs.items() if cost.stored <= limit), key=lambda one: pairs[one][::-1])
    rows = {
        "memory_limit": ("Memory limit", *min(pairs, key=pairs.__getitem__)),
        "faster_inference": ("Faster inference", *min(pairs, key=lambda one: pairs[one][::-1])),
        "both": ("Both", *both),
    }
    (output,) = (one for one in mha.steps if one.key == "output")
    less = sum(one.frozen_bytes("LoRA", size) - one.frozen_bytes("QLoRA", size) - size * one.trainable for one in (mha, lffn))
    return part(
        "4.4b",
        "LoRA or QLoRA for each module",
        table("choices", ["condition", *MODULES], rows, asked=True),
        number("limit", exact(limit), "memory limit", r"M_{\text{max}}", "B", asked=True),
        *_limits(pairs, both),
        formula("weights_share", sympy.cancel(mha.weights / (mha.weights + lffn.weights)), "share of all weights", asked=True),
        _combinations(pairs, limit),
        *_reasons(both),
        formula("copy", size * sympy.prod(output.shape[1:]), "the dequantized output matrix", unit="B"),
        claim("codes_move_less", rational(value_at(less, sheet)) > 0, "QLoRA reads fewer bytes of both modules than merged LoRA"),
        within=sheet,
    )


def _costs(module: Module, size: int, sheet: Part) -> Costs:
    """LoRA is served merged into its weights, QLoRA beside its codes."""
    counts = {one: (module.stored_bytes(one, size), module.operations(one, adapters=one == "QLoRA")) for one in METHODS}
    return {one: Cost(*(rational(value_at(count, sheet)) for count in pair)) for one, pair in counts.items()}


def _limits(pairs: Pairs, both: tuple[Method, Method]) -> Iterator[Item]:
    """The limits at which this combination is chosen: it fits, and nothing faster does."""
    faster = [cost.stored for cost in pairs.values() if cost[::-1] < pairs[both][::-1]]
    yield number("holds_from", exact(pairs[both].stored), "least limit at which this is chosen", unit="B", asked=True)
    yield claim("holds_no_further", bool(faster), "a faster combination fits from some limit on")
    if faster:
        yield number("holds_below", exact(min(faster)), "limit from which a faster combination fits", unit="B", asked=True)


def _combinations(pairs: Pairs, limit: Fraction) -> Table:
    """Every combination, with what it computes beyond the first one, LoRA on both."""
    columns: list[Column | str] = [*MODULES, column("stored", unit="B"), "fits", column("computes_more", unit="%")]
    fastest = next(iter(pairs.values())).operations
    rows = {
        "-".join(methods).lower(): (
            *methods,
            exact(cost.stored),
            "yes" if cost.stored <= limit else "no",
            exact(100 * (cost.operations / fastest - 1)),
        )
        for methods, cost in pairs.items()
    }
    return table("combinations", columns, rows)


def _reasons(both: tuple[Method, Method]) -> Iterator[Claim]:
    """What the third row of the sheet's table rests on."""
    yield claim("nothing_is_quantized", both == ("LoRA", "LoRA"), "all fits unquantized")
    yield claim("lffn_alone", both == ("LoRA", "QLoRA"), "to quantize LFFN alone is enough")
    yield claim("mha_alone", both == ("QLoRA", "LoRA"), "to quantize MHA alone is enough, LFFN alone is not")
    yield claim("all_is_quantized", both == ("QLoRA", "QLoRA"), "neither alone is enough")
