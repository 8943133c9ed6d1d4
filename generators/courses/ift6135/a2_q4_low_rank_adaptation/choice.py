"""Part 4.4 (b): which of LoRA and QLoRA each module gets: the smallest, the fastest, and the fastest within a memory limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import NamedTuple, TypeAlias

import sympy

from generators.answer import Claim, Item, Part, claim, formula, number, part, value_at
from generators.cells import exact, rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.layer import METHODS, Method, Module
from generators.depending import either, greatest, holds_now, least, one_if
from generators.table import Column, Table, column, table


class Cost(NamedTuple):
    """Bytes stored while fine-tuning, and operations of one pass at inference."""

    stored: Fraction
    operations: Fraction


Costs: TypeAlias = Mapping[Method, Cost]
Pair: TypeAlias = tuple[Method, Method]
Pairs: TypeAlias = Mapping[Pair, Cost]
"""What both modules take together, by the methods of MHA and of LFFN."""
MODULES = (column("mha", "MHA"), column("lffn", "LFFN"))


def choice(mha: Module, lffn: Module, size: int, headroom: Fraction, sheet: Part) -> Part:
    """Fill the sheet's table from what every combination stores and computes."""
    costs = [_costs(one, size, sheet) for one in (mha, lffn)]
    pairs = {
        (one, other): Cost(ours.stored + theirs.stored, ours.operations + theirs.operations)
        for (one, ours), (other, theirs) in product(*(cost.items() for cost in costs))
    }
    stored = [one.stored for one in pairs.values()]
    limit = least(*stored) + headroom * (greatest(*stored) - least(*stored))
    both = _fastest_within(pairs, limit)
    smaller, faster = ([_before(one["QLoRA"][::step], one["LoRA"][::step]) for one in costs] for step in (1, -1))
    chosen = [sum(both[pair] for pair in pairs if pair[place] == "QLoRA") for place in (0, 1)]
    rows = {
        "memory_limit": ("Memory limit", *map(_method, smaller)),
        "faster_inference": ("Faster inference", *map(_method, faster)),
        "both": ("Both", *map(_method, chosen)),
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


def _method(quantized: int) -> str:
    return either(quantized > 0, "QLoRA", "LoRA")


def _before(one: Sequence[Fraction], other: Sequence[Fraction]) -> int:
    """1 if the first number is less than the other's, or the same and the second one less; else 0."""
    number: int = one_if(one[0] < other[0]) + one_if(one[0] == other[0]) * one_if(one[1] < other[1])
    return number


def _fastest_within(pairs: Pairs, limit: Fraction) -> Mapping[Pair, int]:
    """1 for the fastest pair that the limit holds, of equally fast ones that which stores least, of equals the first; else 0."""
    fits, order = {one: one_if(cost.stored <= limit) for one, cost in pairs.items()}, list(pairs)

    def beats(one: Pair, other: Pair) -> int:
        ours, theirs = pairs[one][::-1], pairs[other][::-1]
        wins = 1 - _before(theirs, ours) if order.index(one) < order.index(other) else _before(ours, theirs)
        both: int = fits[one] * wins
        return both

    return {one: fits[one] * prod(1 - beats(other, one) for other in pairs if other != one) for one in pairs}


def _limits(pairs: Pairs, both: Mapping[Pair, int]) -> Iterator[Item]:
    """The limits at which this combination is chosen: it fits, and nothing faster does."""
    own = [sum((both[one] * cost[place] for one, cost in pairs.items()), Fraction(0)) for place in (1, 0)]
    faster = {one: _before(cost[::-1], own) for one, cost in pairs.items()}
    yield number("holds_from", exact(own[1]), "least limit at which this is chosen", unit="B", asked=True)
    some = sum(faster.values()) > 0
    yield claim("holds_no_further", some, "a faster combination fits from some limit on")
    if holds_now(some):
        beyond = greatest(*(cost.stored for cost in pairs.values()))
        first = least(*(beyond - is_faster * (beyond - pairs[one].stored) for one, is_faster in faster.items()))
        yield number("holds_below", exact(first), "limit from which a faster combination fits", unit="B", asked=True)


def _combinations(pairs: Pairs, limit: Fraction) -> Table:
    """Every combination, with what it computes beyond the first one, LoRA on both."""
    columns: list[Column | str] = [*MODULES, column("stored", unit="B"), "fits", column("computes_more", unit="%")]
    fastest = next(iter(pairs.values())).operations
    rows = {
        "-".join(methods).lower(): (
            *methods,
            exact(cost.stored),
            either(cost.stored <= limit, "yes", "no"),
            exact(100 * (cost.operations / fastest - 1)),
        )
        for methods, cost in pairs.items()
    }
    return table("combinations", columns, rows)


def _reasons(both: Mapping[Pair, int]) -> Iterator[Claim]:
    """What the third row of the sheet's table rests on."""
    yield claim("nothing_is_quantized", both["LoRA", "LoRA"] > 0, "all fits unquantized")
    yield claim("lffn_alone", both["LoRA", "QLoRA"] > 0, "to quantize LFFN alone is enough")
    yield claim("mha_alone", both["QLoRA", "LoRA"] > 0, "to quantize MHA alone is enough, LFFN alone is not")
    yield claim("all_is_quantized", both["QLoRA", "QLoRA"] > 0, "neither alone is enough")
