"""Finds what LoRA and QLoRA store and compute again, from torch modules that are run under recorders.

From the sheet: W in full precision or as m-bit integers with one Δ a matrix, dequantized before each product; A and B of
d×r beside the query, key and value of every head and beside W^F, none beside W^O; trainable space is that of A and B.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.found import Found, Route

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Entry, Seen

SHEET = Route("the sheet and the parameters, read again", restates=True)
MODULES = Route("torch modules, run under recorders")
METHODS = ("LoRA", "QLoRA")


def find(params: LowRankParams) -> Iterator[Found]:
    """Everything that is published."""
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.find_layer import find_choice, find_complexities
    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Entry

    entry = Entry(params)
    yield from _given(params)
    yield from _implementation(entry)
    yield from _rank(entry)
    yield from _inference(entry)
    yield from find_complexities(entry)
    yield from find_choice(entry, params.memory_headroom)


def _given(params: LowRankParams) -> Iterator[Found]:
    narrow = params.conventions.output_matrix == "d by d"
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", n=params.context_len, d=params.d_model, r=params.rank)
    yield from SHEET.letters("sheet", h=params.n_heads, m=params.quantized_bits)
    yield from SHEET.values("sheet", full_bits=8 * params.conventions.bytes_per_value)
    yield from SHEET.values("sheet", unit="%", headroom=100 * params.memory_headroom)
    yield from SHEET.values("sheet", narrow_heads=narrow, wide_heads=not narrow, several_heads=params.n_heads > 1)
    on = [one for one in ("query", "key", "value") if one in params.lora_on]
    yield from SHEET.values("sheet", some_adapted=len(on) != 3)
    if len(on) != 3:
        yield from SHEET.values("sheet", lora_on=", ".join(on))
    yield from SHEET.values("sheet", several_tokens=params.context_len > 1)
    for part, title in (
        ("4.1", "How the updates are implemented"),
        ("4.2", "Choice of the rank"),
        ("4.3", "Speed and latency at inference"),
        ("4.4a", "Time and trainable space"),
        ("4.4b", "LoRA or QLoRA for each module"),
    ):
        yield from SHEET.part(part, title)


def _implementation(entry: Entry) -> Iterator[Found]:
    lora, qlora = (entry.seen("LFFN", method) for method in METHODS)
    stored = (entry.at(lora.frozen_bits) / 8, entry.at(qlora.frozen_bits) / 8)
    symbols = {"full": "M_W", "codes": r"M_{\text{codes}}"}
    yield from MODULES.values("4.1", dict(zip(symbols, stored, strict=True)), unit="B", symbols=symbols)
    yield from MODULES.values("4.1", dequantization=entry.at(qlora.operations["dequantization"]))


def _rank(entry: Entry) -> Iterator[Found]:
    lora, qlora = (entry.seen("LFFN", method) for method in METHODS)
    adapter = 8 * entry.params.conventions.bytes_per_value * entry.at(lora.trainable)
    of_w, of_codes = (100 * adapter / entry.at(one.frozen_bits) for one in (lora, qlora))
    by_w, low_rank = (entry.at(lora.multiply_adds(places)) for places in ([0], [1, 2]))
    trained = entry.at(lora.trained_bits) / 8
    yield from MODULES.values("4.2", unit="B", symbols={"trained": r"M_{\text{train}}"}, trained=trained)
    yield from MODULES.values("4.2", unit="%", of_w=of_w, of_the_codes=of_codes)
    yield from MODULES.values("4.2", added=low_rank / by_w)


def _inference(entry: Entry) -> Iterator[Found]:
    merged, lora, qlora = entry.seen("LFFN", "LoRA", "merged"), *(entry.seen("LFFN", method) for method in METHODS)
    yield from MODULES.values("4.3", merging=entry.operations(entry.seen("LFFN", "LoRA", "merging")))
    w, codes = (entry.at(one.frozen_bits) / 8 for one in (lora, qlora))
    adapter = entry.params.conventions.bytes_per_value * entry.at(lora.trainable)
    ways = {
        "merged": ("LoRA, merged", merged, w),
        "beside": ("LoRA, beside W", lora, w + adapter),
        "inside": ("QLoRA, no copy", qlora, codes + adapter),
        "copy": ("QLoRA, copy", qlora, codes + adapter + 2 * w),  # written and read again
    }
    rows = {}
    for key, (way, seen, moved) in ways.items():
        for_n, for_one = (100 * _more(entry, seen, n) for n in (entry.params.context_len, 1))
        rows[key] = {"way": way, "more_for_n": for_n, "more_for_one": for_one, "weights_moved": moved}
    headings = {"more_for_n": "More than merged LoRA, n tokens", "more_for_one": "More than merged LoRA, 1 token"}
    units = {**dict.fromkeys(headings, "%"), "weights_moved": "B"}
    columns = ("way", *headings, "bytes", "weights_moved")
    yield from MODULES.table("4.3", "ways", rows, units=units, headings=headings, columns=columns)
    beside, inside = (_more(entry, seen, entry.params.context_len) for seen in (lora, qlora))
    yield from MODULES.values("4.3", adapter_adds=beside, dequantizing_adds=inside - beside)
    less = codes + adapter < w
    yield from MODULES.values("4.3", codes_move_less=less, codes_move_no_less=not less)


def _more(entry: Entry, seen: Seen, tokens: int) -> Fraction:
    """Operations beyond those of merged LoRA, as a share of them."""
    return entry.operations(seen, n=tokens) / entry.operations(entry.seen("LFFN", "LoRA", "merged"), n=tokens) - 1
