"""Finds the choice between LoRA and QLoRA for each module again: every combination counted, every limit scanned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Sizes, observe
from generators.found import Found, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)
COMBINED = Route("torch modules, every combination")
METHODS = ("LoRA", "QLoRA")


class Takes(NamedTuple):
    """Operations of a pass at inference and bytes stored while fine-tuning; smaller is better in this order."""

    operations: int
    stored: Fraction


Pair = tuple[str, str]
"""Methods of MHA and of LFFN."""


def takes(module: str, method: str, sizes: Sizes, flops: int) -> Takes:
    """LoRA is served merged, QLoRA beside its codes."""
    seen = observe(module, method, sizes)
    served = observe(module, method, sizes, form="merged") if method == "LoRA" else seen
    return Takes(served.work(flops), seen.frozen_bytes + seen.trainable_bytes)


def find_choice(sizes: Sizes, flops: int, headroom: Fraction) -> Iterator[Found]:
    """The costs of both modules and of all combinations, the limit, the three choices and what they follow from."""
    mha, lffn = ({method: takes(module, method, sizes, flops) for method in METHODS} for module in ("MHA", "LFFN"))
    pairs = [(a, b) for a in METHODS for b in METHODS]
    both = {(a, b): Takes(mha[a].operations + lffn[b].operations, mha[a].stored + lffn[b].stored) for a, b in pairs}
    stored = [one.stored for one in both.values()]
    limit = headroom * max(stored) + (1 - headroom) * min(stored)
    yield from SHEET.part("4.4b", "LoRA or QLoRA for each module")
    yield from COMBINED.values("4.4b", unit="B", limit=limit, symbols={"limit": r"M_{\text{max}}"})
    yield from _modules({"MHA": mha, "LFFN": lffn})
    yield from _combinations(both)
    fitting = [pair for pair in pairs if both[pair].stored <= limit]
    best = {
        "memory_limit": ("Memory limit", min(pairs, key=lambda pair: both[pair][::-1])),
        "faster_inference": ("Faster inference", min(pairs, key=both.__getitem__)),
        "both": ("Both", min(fitting, key=both.__getitem__)),
    }
    rows: dict[str, dict[str, Any]] = {key: {"condition": name, "mha": a, "lffn": b} for key, (name, (a, b)) in best.items()}
    yield from COMBINED.table("4.4b", "choices", rows, headings={"mha": "MHA", "lffn": "LFFN"})
    for key, method, held in zip(("mha", "lffn"), best["both"][1], (mha, lffn), strict=True):
        less = held["QLoRA"].stored < held["LoRA"].stored
        reasons = {
            f"{key}_must_be_quantized": method == "QLoRA",
            f"{key}_fits_as_it_is": method == "LoRA" and less,
            f"{key}_saves_nothing": method == "LoRA" and not less,
        }
        yield from COMBINED.values("4.4b", reasons)
    kept = [one for one in (mha, lffn) if one["QLoRA"].stored >= one["LoRA"].stored]
    yield from COMBINED.values("4.4b", quantizing_frees=not kept, quantizing_frees_nothing=bool(kept))


def _modules(modules: Mapping[str, Mapping[str, Takes]]) -> Iterator[Found]:
    rows: dict[str, dict[str, Any]] = {}
    for name, held in modules.items():
        lora, qlora = held["LoRA"], held["QLoRA"]
        rows[name.lower()] = {
            "module": name, "lora_stores": lora.stored, "qlora_stores": qlora.stored, "qlora_saves": lora.stored - qlora.stored,
            "lora_computes": lora.operations, "qlora_computes": qlora.operations,
            "qlora_computes_more_by": Fraction(100 * (qlora.operations - lora.operations), lora.operations),
        }  # fmt: skip
    stored = ("lora_stores", "qlora_stores", "qlora_saves")
    headings = {"lora_stores": "LoRA stores", "qlora_stores": "QLoRA stores", "qlora_saves": "QLoRA saves",
                "lora_computes": "LoRA computes", "qlora_computes": "QLoRA computes",
                "qlora_computes_more_by": "QLoRA computes more by"}  # fmt: skip
    units = {**dict.fromkeys(stored, "B"), "qlora_computes_more_by": "%"}
    yield from COMBINED.table("4.4b", "modules", rows, units=units, headings=headings)


def best_by_limit(both: Mapping[Pair, Takes]) -> list[tuple[Fraction, Pair]]:
    """Every limit from which another combination fits, with the fastest that then does."""
    found = []
    for limit in sorted({one.stored for one in both.values()}):
        found.append((limit, min((pair for pair in both if both[pair].stored <= limit), key=both.__getitem__)))
    return found


def _combinations(both: Mapping[Pair, Takes]) -> Iterator[Found]:
    best, whole = best_by_limit(both), both["LoRA", "LoRA"].stored
    rows: dict[str, dict[str, Any]] = {}
    for pair, one in both.items():
        held = [place for place, (_, winner) in enumerate(best) if winner == pair]
        after = best[held[-1] + 1][0] if held and held[-1] + 1 < len(best) else None
        rows[f"{pair[0].lower()}-{pair[1].lower()}"] = {
            "mha": pair[0], "lffn": pair[1], "stored": one.stored, "operations": one.operations,
            "fastest_from": 100 * best[held[0]][0] / whole if held else None,
            "fastest_below": None if after is None else 100 * after / whole,
        }  # fmt: skip
    units = {"stored": "B", "fastest_from": "%", "fastest_below": "%"}
    yield from COMBINED.table("4.4b", "combinations", rows, units=units, headings={"mha": "MHA", "lffn": "LFFN"})
