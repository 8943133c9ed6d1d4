"""Checks the choice between LoRA and QLoRA for each module: every combination counted, every limit scanned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from generators.answer import Cell
from generators.oracles.compare import same, same_rows
from generators.oracles.low_rank_modules import Sizes, observe
from generators.steps import Check, Part

BY = "torch modules, every combination"
METHODS = ("LoRA", "QLoRA")


class Takes(NamedTuple):
    """Operations of a pass at inference and bytes stored while fine-tuning; smaller is better in this order."""

    operations: int
    stored: Fraction


def takes(module: str, method: str, sizes: Sizes, flops: int) -> Takes:
    """LoRA is served merged, QLoRA beside its codes."""
    seen = observe(module, method, sizes)
    served = observe(module, method, sizes, form="merged") if method == "LoRA" else seen
    return Takes(served.work(flops), seen.frozen_bytes + seen.trainable_bytes)


def verify_choice(part: Part, sizes: Sizes, flops: int, headroom: Fraction) -> Iterator[Check]:
    """Check the costs of both modules and of all combinations, the limit, and the three choices."""
    mha, lffn = ({method: takes(module, method, sizes, flops) for method in METHODS} for module in ("MHA", "LFFN"))
    pairs = [(a, b) for a in METHODS for b in METHODS]
    both = {(a, b): Takes(mha[a].operations + lffn[b].operations, mha[a].stored + lffn[b].stored) for a, b in pairs}
    stored = [one.stored for one in both.values()]
    limit = headroom * max(stored) + (1 - headroom) * min(stored)
    yield same("4.4b, the memory limit in bytes", part["limit"].value, limit, BY)
    rows = [_module_row(name, held) for name, held in (("MHA", mha), ("LFFN", lffn))]
    yield same_rows("4.4b, both modules under both methods", part.tables["modules"], rows, BY)
    rows = [_pair_row(pair, one, limit, both) for pair, one in both.items()]
    yield same_rows("4.4b, every combination", part.tables["assignments"], rows, BY)
    fitting = {pair: one for pair, one in both.items() if one.stored <= limit}
    found = {
        "Memory limit": sorted(both, key=lambda pair: both[pair].stored)[0],
        "Faster inference": sorted(both, key=lambda pair: both[pair])[0],
        "Both": sorted(fitting, key=lambda pair: both[pair])[0],
    }
    rows = [(name, *pair) for name, pair in found.items()]
    yield same_rows("4.4b, the choices", part.tables["choices"], rows, BY)


Pair = tuple[str, str]


def best_by_limit(both: Mapping[Pair, Takes]) -> list[tuple[Fraction, Pair]]:
    """Every limit from which another combination fits, with the fastest that then does."""
    found = []
    for limit in sorted({one.stored for one in both.values()}):
        found.append((limit, min((pair for pair in both if both[pair].stored <= limit), key=lambda pair: both[pair])))
    return found


def _module_row(name: str, held: Mapping[str, Takes]) -> tuple[Cell, ...]:
    lora, qlora = held["LoRA"], held["QLoRA"]
    more = Fraction(qlora.operations - lora.operations, lora.operations)
    return name, lora.stored, qlora.stored, lora.stored - qlora.stored, lora.operations, qlora.operations, more


def _pair_row(pair: Pair, one: Takes, limit: Fraction, both: Mapping[Pair, Takes]) -> tuple[Cell, ...]:
    best, whole = best_by_limit(both), both["LoRA", "LoRA"].stored
    held = [place for place, (_, winner) in enumerate(best) if winner == pair]
    first = best[held[0]][0] / whole if held else None
    after = best[held[-1] + 1][0] / whole if held and held[-1] + 1 < len(best) else None
    return *pair, one.stored, one.operations, "yes" if one.stored <= limit else "no", first, after
