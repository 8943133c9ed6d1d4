"""Part 4.4 (b): which of LoRA and QLoRA each module gets, from all assignments and the fastest within a memory limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import NamedTuple, TypeAlias

from generators.answer import Item, Part, claim, number, part, value_at
from generators.cells import exact, rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.low_rank import METHODS, Method, Module, Reading, lffn, mha
from generators.table import Table, column, table


class Cost(NamedTuple):
    """Bytes stored while fine-tuning, and operations of one pass at inference."""

    stored: Fraction
    operations: Fraction


Costs: TypeAlias = Mapping[str, Mapping[Method, Cost]]
"""Of each module by name, under each method."""
Assignments: TypeAlias = Mapping[tuple[Method, Method], Cost]
"""What both modules take together, by the methods of MHA and of LFFN."""
MODULES = (column("mha", "MHA"), column("lffn", "LFFN"))


def choice(reading: Reading, size: int, flops: int, headroom: Fraction, sheet: Part) -> Part:
    """Fill the sheet's table from what every assignment stores and computes."""

    def cost(module: Module, method: Method) -> Cost:
        counts = (module.stored_bytes(method, size), module.served(method, flops))
        return Cost(*(rational(value_at(one, sheet)) for one in counts))

    costs: Costs = {module.name: {method: cost(module, method) for method in METHODS} for module in (mha(reading), lffn())}
    choices: Assignments = {
        (one, other): Cost(ours.stored + theirs.stored, ours.operations + theirs.operations)
        for (one, ours), (other, theirs) in product(*(cost.items() for cost in costs.values()))
    }
    least, *_, most = sorted(one.stored for one in choices.values())
    limit = least + headroom * (most - least)
    both = min((one for one, cost in choices.items() if cost.stored <= limit), key=lambda one: choices[one][::-1])
    return part(
        "4.4b",
        "LoRA or QLoRA for each module",
        table(
            "choices",
            ["condition", *MODULES],
            {
                "memory_limit": ("Memory limit", *min(choices, key=choices.__getitem__)),
                "faster_inference": ("Faster inference", *min(choices, key=lambda one: choices[one][::-1])),
                "both": ("Both", *both),
            },
            asked=True,
        ),
        number("limit", exact(limit), "memory limit", r"M_{\text{max}}", "B"),
        _modules(costs),
        _combinations(choices),
        *_reasons(costs, both),
        within=sheet,
    )


def _modules(costs: Costs) -> Table:
    """What each module stores and computes under both methods."""
    columns = [
        column("module"),
        column("lora_stores", "LoRA stores", "B"),
        column("qlora_stores", "QLoRA stores", "B"),
        column("qlora_saves", "QLoRA saves", "B"),
        column("lora_computes", "LoRA computes"),
        column("qlora_computes", "QLoRA computes"),
        column("qlora_computes_more_by", "QLoRA computes more by", "%"),
    ]
    rows = {}
    for name, (lora, qlora) in ((name, cost.values()) for name, cost in costs.items()):
        more = 100 * (qlora.operations / lora.operations - 1)
        counts = (lora.stored, qlora.stored, lora.stored - qlora.stored, lora.operations, qlora.operations, more)
        rows[name.lower()] = (name, *map(exact, counts))
    return table("modules", columns, rows)


def _combinations(choices: Assignments) -> Table:
    """Every assignment, and between which limits, as shares of the first one's bytes, it is the fastest that fits."""
    whole = next(iter(choices.values())).stored
    rows = {}
    for methods, cost in choices.items():
        until = min((other.stored for other in choices.values() if other[::-1] < cost[::-1]), default=None)
        best = until is None or until > cost.stored
        first, below = (exact(100 * one / whole) if best and one else None for one in (cost.stored, until))
        rows["-".join(methods).lower()] = (*methods, exact(cost.stored), exact(cost.operations), first, below)
    limits = [column("fastest_from", unit="%"), column("fastest_below", unit="%")]
    return table("combinations", [*MODULES, column("stored", unit="B"), column("operations"), *limits], rows)


def _reasons(costs: Costs, both: Sequence[Method]) -> Iterator[Item]:
    """Why each module gets its method under both conditions, and whether quantizing frees memory at all."""
    saves = {name: cost["LoRA"].stored > cost["QLoRA"].stored for name, cost in costs.items()}
    for name, method in zip(costs, both, strict=True):
        lora, key = method == "LoRA", name.lower()
        yield claim(f"{key}_must_be_quantized", not lora, f"the fastest combination within the limit quantizes {name}")
        yield claim(f"{key}_fits_as_it_is", lora and saves[name], f"the limit is met without quantizing {name}")
        yield claim(f"{key}_saves_nothing", lora and not saves[name], f"quantizing {name} would store no less")
    yield claim("quantizing_frees", all(saves.values()))
    yield claim("quantizing_frees_nothing", not all(saves.values()))
