"""Which of LoRA and QLoRA each module gets: all assignments with what they take, and the fastest within a memory limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TypeAlias

from generators.answer import Cell
from generators.steps import Table
from generators.topics.low_rank import METHODS, Method


@dataclass(frozen=True)
class Cost:
    """Bytes stored while fine-tuning, and operations of one pass at inference."""

    stored_bytes: Fraction
    operations: Fraction


Costs: TypeAlias = Mapping[str, Mapping[Method, Cost]]
"""Of each module by name, under each method."""


@dataclass(frozen=True)
class Assignment:
    """A method for each module by name, and what all modules take together."""

    methods: Mapping[str, Method]
    cost: Cost


def assignments(costs: Costs) -> list[Assignment]:
    """Every combination of methods, from the costs of each module under each method."""
    found = []
    for methods in product(METHODS, repeat=len(costs)):
        held = [costs[name][method] for name, method in zip(costs, methods, strict=True)]
        cost = Cost(Fraction(sum(one.stored_bytes for one in held)), Fraction(sum(one.operations for one in held)))
        found.append(Assignment(dict(zip(costs, methods, strict=True)), cost))
    return found


def smallest(choices: Sequence[Assignment]) -> Assignment:
    """The one that stores the least; the faster one of equals."""
    return min(choices, key=lambda one: (one.cost.stored_bytes, one.cost.operations))


def fastest(choices: Sequence[Assignment], limit_bytes: Fraction | None = None) -> Assignment:
    """The one with the fewest operations among those within the limit."""
    return min((one for one in choices if limit_bytes is None or one.cost.stored_bytes <= limit_bytes), key=_by_speed)


def limit_between(choices: Sequence[Assignment], headroom: Fraction) -> Fraction:
    """A limit in bytes, from that of the smallest choice (headroom 0) to that of the largest (headroom 1)."""
    least, *_, most = sorted(one.cost.stored_bytes for one in choices)
    return least + headroom * (most - least)


def best_until(choice: Assignment, choices: Sequence[Assignment]) -> Fraction | None:
    """The limit in bytes from which a faster assignment fits as well; None if there is none."""
    faster = [one.cost.stored_bytes for one in choices if _by_speed(one) < _by_speed(choice)]
    return min(faster, default=None)


def _by_speed(one: Assignment) -> tuple[Fraction, Fraction]:
    """Fewer operations first; the smaller one of equals."""
    return one.cost.operations, one.cost.stored_bytes


def modules_table(costs: Costs) -> Table:
    """What each module stores and computes under both methods."""
    rows = []
    for name, cost in costs.items():
        lora, qlora = (cost[method] for method in METHODS)
        saved, slower = lora.stored_bytes - qlora.stored_bytes, qlora.operations / lora.operations - 1
        numbers = (lora.stored_bytes, qlora.stored_bytes, saved, lora.operations, qlora.operations, slower)
        rows.append((name, *map(reduced, numbers)))
    header = ("Module", "LoRA stores", "QLoRA stores", "QLoRA saves", "LoRA computes", "QLoRA computes", "QLoRA computes more by")
    return Table(header=header, rows=tuple(rows))


def assignments_table(choices: Sequence[Assignment], limit_bytes: Fraction) -> Table:
    """Every assignment, and between which limits, as shares of the first one's bytes, it is the fastest that fits."""
    whole = choices[0].cost.stored_bytes
    rows: list[tuple[Cell, ...]] = []
    for one in choices:
        stored, until = one.cost.stored_bytes, best_until(one, choices)
        best = until is None or until > stored
        limits = (stored / whole if best else None, until / whole if best and until else None)
        numbers = [None if share is None else reduced(share) for share in limits]
        fits = "yes" if stored <= limit_bytes else "no"
        rows.append((*one.methods.values(), reduced(stored), reduced(one.cost.operations), fits, *numbers))
    header = (*choices[0].methods, "Stored", "Operations", "Within the limit", "Fastest from", "Fastest below")
    return Table(header=header, rows=tuple(rows))


def reduced(number: Fraction) -> int | Fraction:
    """A whole number as int."""
    return number.numerator if number.denominator == 1 else number
