"""Part 4.4 (b): which of LoRA and QLoRA each module gets, from all assignments and the fastest within a memory limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TypeAlias

from generators.answer import Item, Part, claim, number, part, value_at
from generators.cells import Cell, exact, rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.low_rank import METHODS, Method, Module, Reading, lffn, mha
from generators.table import Table, column, table


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


def choice(reading: Reading, size: int, flops: int, headroom: Fraction, sheet: Part) -> Part:
    """Fill the sheet's table from what every assignment stores and computes."""
    costs = _costs((mha(reading), lffn()), size, flops, sheet)
    choices = assignments(costs)
    limit = limit_between(choices, headroom)
    both = fastest(choices, limit)
    conditions = {
        "memory_limit": ("Memory limit", smallest(choices)),
        "faster_inference": ("Faster inference", fastest(choices)),
        "both": ("Both", both),
    }
    rows: dict[str, dict[str, Cell]] = {
        key: {"condition": name, **{module.lower(): method for module, method in one.methods.items()}}
        for key, (name, one) in conditions.items()
    }
    return part(
        "4.4b",
        "LoRA or QLoRA for each module",
        table("choices", ["condition", column("mha", "MHA"), column("lffn", "LFFN")], rows, asked=True),
        number("limit", exact(limit), "memory limit", r"M_{\text{max}}", "B"),
        _modules(costs),
        _combinations(choices),
        *_reasons(costs, both),
        within=sheet,
    )


def _costs(modules: Sequence[Module], size: int, flops: int, sheet: Part) -> Costs:
    def cost(module: Module, method: Method) -> Cost:
        stored = value_at(module.stored_bytes(method, size), sheet)
        return Cost(rational(stored), rational(value_at(module.served(method, flops), sheet)))

    return {module.name: {method: cost(module, method) for method in METHODS} for module in modules}


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


def best_until(one: Assignment, choices: Sequence[Assignment]) -> Fraction | None:
    """The limit in bytes from which a faster assignment fits as well; None if there is none."""
    faster = [other.cost.stored_bytes for other in choices if _by_speed(other) < _by_speed(one)]
    return min(faster, default=None)


def _by_speed(one: Assignment) -> tuple[Fraction, Fraction]:
    """Fewer operations first; the smaller one of equals."""
    return one.cost.operations, one.cost.stored_bytes


def _modules(costs: Costs) -> Table:
    """What each module stores and computes under both methods."""
    rows: dict[str, dict[str, Cell]] = {}
    for name, cost in costs.items():
        lora, qlora = (cost[method] for method in METHODS)
        rows[name.lower()] = {
            "module": name,
            "lora_stores": exact(lora.stored_bytes),
            "qlora_stores": exact(qlora.stored_bytes),
            "qlora_saves": exact(lora.stored_bytes - qlora.stored_bytes),
            "lora_computes": exact(lora.operations),
            "qlora_computes": exact(qlora.operations),
            "qlora_computes_more_by": exact(100 * (qlora.operations / lora.operations - 1)),
        }
    columns = [
        column("module"),
        column("lora_stores", "LoRA stores", "B"),
        column("qlora_stores", "QLoRA stores", "B"),
        column("qlora_saves", "QLoRA saves", "B"),
        column("lora_computes", "LoRA computes"),
        column("qlora_computes", "QLoRA computes"),
        column("qlora_computes_more_by", "QLoRA computes more by", "%"),
    ]
    return table("modules", columns, rows)


def _combinations(choices: Sequence[Assignment]) -> Table:
    """Every assignment, and between which limits, as shares of the first one's bytes, it is the fastest that fits."""
    whole = choices[0].cost.stored_bytes
    rows: dict[str, dict[str, Cell]] = {}
    for one in choices:
        stored, until = one.cost.stored_bytes, best_until(one, choices)
        best = until is None or until > stored
        rows["-".join(method.lower() for method in one.methods.values())] = {
            **{module.lower(): method for module, method in one.methods.items()},
            "stored": exact(stored),
            "operations": exact(one.cost.operations),
            "fastest_from": exact(100 * stored / whole) if best else None,
            "fastest_below": exact(100 * until / whole) if best and until else None,
        }
    columns = [
        column("mha", "MHA"),
        column("lffn", "LFFN"),
        column("stored", unit="B"),
        column("operations"),
        column("fastest_from", unit="%"),
        column("fastest_below", unit="%"),
    ]
    return table("combinations", columns, rows)


def _reasons(costs: Costs, both: Assignment) -> list[Item]:
    """Why each module gets its method under both conditions, and whether quantizing frees memory at all."""
    saved = {name: cost["LoRA"].stored_bytes - cost["QLoRA"].stored_bytes for name, cost in costs.items()}
    reasons: list[Item] = []
    for name, method in both.methods.items():
        lora, key = method == "LoRA", name.lower()
        reasons += [
            claim(f"{key}_must_be_quantized", not lora, f"the fastest combination within the limit quantizes {name}"),
            claim(f"{key}_fits_as_it_is", lora and saved[name] > 0, f"the limit is met without quantizing {name}"),
            claim(f"{key}_saves_nothing", lora and saved[name] <= 0, f"quantizing {name} would store no less"),
        ]
    frees = all(one > 0 for one in saved.values())
    return [*reasons, claim("quantizing_frees", frees), claim("quantizing_frees_nothing", not frees)]
