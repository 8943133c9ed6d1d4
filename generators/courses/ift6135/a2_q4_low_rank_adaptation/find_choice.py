"""Finds the choice between LoRA and QLoRA for each module again: every combination counted, every limit scanned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Entry
from generators.found import Found, Route

COMBINED = Route("torch modules, every combination")
METHODS = ("LoRA", "QLoRA")
NAMES = {"mha": "MHA", "lffn": "LFFN"}


class Takes(NamedTuple):
    """Operations of a pass at inference and bytes stored while fine-tuning; smaller is better in this order."""

    operations: Fraction
    stored: Fraction


Pair = tuple[str, str]
"""Methods of MHA and of LFFN."""


def find_choice(entry: Entry, headroom: Fraction) -> Iterator[Found]:
    """The costs of both modules and of all combinations, the limit, the three choices and what they follow from."""
    mha, lffn = ({method: _takes(name, method, entry) for method in METHODS} for name in NAMES.values())
    pairs = product(METHODS, repeat=2)
    both = {(a, b): Takes(mha[a].operations + lffn[b].operations, mha[a].stored + lffn[b].stored) for a, b in pairs}
    stored = [one.stored for one in both.values()]
    limit = headroom * max(stored) + (1 - headroom) * min(stored)
    yield from COMBINED.values("4.4b", unit="B", limit=limit, symbols={"limit": r"M_{\text{max}}"})
    yield from _modules({"mha": mha, "lffn": lffn})
    yield from _combinations(both)
    chosen = _best(both, limit)
    rows = {
        "memory_limit": ("Memory limit", *min(both, key=lambda pair: both[pair][::-1])),
        "faster_inference": ("Faster inference", *_best(both, max(stored))),
        "both": ("Both", *chosen),
    }
    yield from COMBINED.table("4.4b", "choices", rows, headings=NAMES, columns=("condition", *NAMES))
    frees = {key: held["QLoRA"].stored < held["LoRA"].stored for key, held in (("mha", mha), ("lffn", lffn))}
    for key, method in zip(NAMES, chosen, strict=True):
        reasons = {
            f"{key}_must_be_quantized": method == "QLoRA",
            f"{key}_fits_as_it_is": method == "LoRA" and frees[key],
            f"{key}_saves_nothing": method == "LoRA" and not frees[key],
        }
        yield from COMBINED.values("4.4b", reasons)
    frees_all = all(frees.values())
    yield from COMBINED.values("4.4b", quantizing_frees=frees_all, quantizing_frees_nothing=not frees_all)


def _takes(module: str, method: str, entry: Entry) -> Takes:
    """LoRA is served merged, QLoRA beside its codes."""
    seen, merged = entry.seen(module, method), entry.seen(module, method, "merged")
    operations = sum(entry.work(merged if method == "LoRA" else seen), Fraction(0))
    return Takes(operations, entry.bytes_at(seen.frozen_bits + seen.trainable_bits))


def _best(both: Mapping[Pair, Takes], limit: Fraction) -> Pair:
    return min((pair for pair in both if both[pair].stored <= limit), key=both.__getitem__)


def _modules(modules: Mapping[str, Mapping[str, Takes]]) -> Iterator[Found]:
    rows = {}
    for key, held in modules.items():
        lora, qlora = held["LoRA"], held["QLoRA"]
        more = 100 * (qlora.operations - lora.operations) / lora.operations
        saved = lora.stored - qlora.stored
        rows[key] = (NAMES[key], lora.stored, qlora.stored, saved, lora.operations, qlora.operations, more)
    headings = {"lora_stores": "LoRA stores", "qlora_stores": "QLoRA stores", "qlora_saves": "QLoRA saves",
                "lora_computes": "LoRA computes", "qlora_computes": "QLoRA computes",
                "qlora_computes_more_by": "QLoRA computes more by"}  # fmt: skip
    units = {"lora_stores": "B", "qlora_stores": "B", "qlora_saves": "B", "qlora_computes_more_by": "%"}
    yield from COMBINED.table("4.4b", "modules", rows, units=units, headings=headings, columns=("module", *headings))


def _combinations(both: Mapping[Pair, Takes]) -> Iterator[Found]:
    """From the first limit at which a combination is the fastest that fits, to the next at which another is."""
    whole, limits = both["LoRA", "LoRA"].stored, sorted({one.stored for one in both.values()})
    best = [_best(both, limit) for limit in limits]
    rows = {}
    for (mha, lffn), one in both.items():
        shares = [100 * limit / whole for limit, winner in zip(limits, best, strict=True) if winner == (mha, lffn)]
        after = [100 * limit / whole for limit in limits if shares and 100 * limit / whole > shares[-1]]
        first, until = next(iter(shares), None), next(iter(after), None)
        rows[f"{mha}-{lffn}".lower()] = (mha, lffn, one.stored, one.operations, first, until)
    units = {"stored": "B", "fastest_from": "%", "fastest_below": "%"}
    columns = (*NAMES, "stored", "operations", "fastest_from", "fastest_below")
    yield from COMBINED.table("4.4b", "combinations", rows, units=units, headings=NAMES, columns=columns)
