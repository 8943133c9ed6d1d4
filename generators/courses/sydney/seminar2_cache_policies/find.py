"""Decides position by position, attends with torch under each mask, and fills caches without storage.

The seminar shows dense attention, window attention and initial token attention as static policies, and attention-based
eviction as a dynamic one. A query attends to at most the budget, its own token included.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from generators.cells import Math
from generators.courses.sydney.seminar2_cache_policies.params import PolicyParams
from generators.found import Found, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_cache_policies.masks import Tried

SHEET = Route("the seminar and the parameters, read again", restates=True)
PAIRS = Route("a rule for each pair of positions")
GREEDY = Route("torch, float64, masks filled query by query", tolerance=1e-9)
SDPA = Route("torch, scaled_dot_product_attention under each mask, float64", tolerance=1e-9)
HELD = Route("DynamicCache of transformers, meta tensors")
PUSHED = Route("tokens pushed out one by one")
SUMS = Route("torch, bytes of a meta tensor of running sums")
SLIDING = Route("sliding window mask of transformers")

NAMES = {"dense": "Dense", "window": "Window", "initial_and_window": "Initial and window", "attention_based": "Attention-based"}
SHORT = {"window": "Window", "initial_and_window": "Initial", "attention_based": "Attention"}


def find(params: PolicyParams) -> Iterator[Found]:
    """Everything that is published about the policies."""
    from generators.courses.sydney.seminar2_cache_policies.masks import found_on

    sizes = params.attention
    pulls = tuple((pull.token, float(pull.score), float(pull.value_scale)) for pull in sizes.pulls)
    drawn = (sizes.seed, sizes.n_tokens, sizes.head_width)
    tried = found_on(drawn, pulls, params.budget, params.n_initial, params.n_recent)
    yield from _given(params)
    yield from _rules(params)
    yield from _kept(params, tried)
    yield from _memory(params)
    yield from _errors(tried)


def _given(params: PolicyParams) -> Iterator[Found]:
    head, memory = params.attention, params.memory
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_tokens=head.n_tokens, head_width=head.head_width, symbols={"head_width": "d"})
    yield from SHEET.values("sheet", budget=params.budget, n_recent=params.n_recent)
    scores: dict[str, dict[str, Any]] = {}
    scales: dict[str, dict[str, Any]] = {}
    for place, pull in enumerate(head.pulls, 1):
        scores[f"pull_{place}"] = {"token": pull.token, "score": pull.score}
        if pull.value_scale != 1:
            scales[f"pull_{place}"] = {"token": pull.token, "scale": pull.value_scale}
    yield from SHEET.table("sheet", "pulls", scores, columns=("token", "score"))
    yield from SHEET.table("sheet", "scales", scales, columns=("token", "scale"))
    yield from SHEET.letters("sheet", n=memory.seq_len, B=memory.budget)
    yield from SHEET.letters("sheet", N_layer=memory.n_layers, D=memory.d_model, n_H=memory.n_heads)


def _rules(params: PolicyParams) -> Iterator[Found]:
    """The rules in words and notation, from the sizes."""
    rest = params.budget - params.n_initial
    yield from SHEET.part("1", "Which tokens stay")
    yield from SHEET.values("1", in_window="the last token" if rest == 1 else f"the last {rest} tokens")
    first = "the first token stays" if params.n_initial == 1 else f"the first {params.n_initial} tokens stay"
    yield from SHEET.values("1", initial=first)
    yield from SHEET.values("1", recent="the last token" if params.n_recent == 1 else f"the last {params.n_recent} tokens")
    rules = {
        "window_rule": f"i - j < {params.budget}",
        "initial_rule": rf"j \le {params.n_initial}",
        "rest_rule": f"i - j < {rest}",
    }
    yield from SHEET.values("1", {key: Math(rule) for key, rule in rules.items()})


def _kept(params: PolicyParams, tried: Tried) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_cache_policies.masks import listed, sliding

    queries = range(params.attention.n_tokens)
    kept = {f"query_{i + 1}": {"query": i + 1, **{key: listed(mask[i]) for key, mask in tried.masks.items()}} for i in queries}
    yield from PAIRS.table("1", "kept", kept, headings=NAMES)
    window = sliding(params.attention.n_tokens, params.budget)
    yield from SLIDING.cells("1", "kept", {f"query_{i + 1}": {"window": listed(window[i])} for i in queries})
    for key, mask in tried.masks.items():
        route = GREEDY if key == "attention_based" else PAIRS
        cells = {f"query_{i + 1}": {f"token_{j + 1}": int(mask[i, j]) if j <= i else None for j in queries} for i in queries}
        yield from route.table("1", f"mask_{key}", cells)
    yield from GREEDY.table("1", "evictions", tried.evictions)


def _memory(params: PolicyParams) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_cache_policies.masks import held, kept_of, sums

    memory, conventions = params.memory, params.conventions

    def at(length: int) -> dict[str, int]:
        kept = kept_of(length, memory.budget)
        model = memory.n_layers, memory.d_model, memory.n_heads
        return {
            "entries": kept,
            "dense": held(*model, length, conventions.bytes_per_element),
            "cut": held(*model, kept, conventions.bytes_per_element),
            "sums": sums(memory.n_layers, memory.n_heads, kept, conventions.bytes_per_sum),
        }

    now = at(memory.seq_len)
    yield from SHEET.part("2", "Memory")
    yield from PUSHED.values("2", entries=now["entries"], symbols={"entries": r"n_{\text{kept}}"})
    symbols = {"dense": r"M_{\text{dense}}", "cut": r"M_{\text{budget}}"}
    yield from HELD.values("2", {key: now[key] for key in symbols}, unit="B", symbols=symbols)
    yield from SUMS.values("2", sums=now["sums"], unit="B", symbols={"sums": r"M_{\text{sums}}"})
    yield from HELD.values("2", unit="%", share=Fraction(100 * now["cut"], now["dense"]))
    lengths = {f"length_{place}": length for place, length in enumerate(memory.seq_lens, 1)}
    found = {row: at(length) for row, length in lengths.items()}

    def mib(**names: str) -> dict[str, dict[str, Any]]:
        return {row: {name: Fraction(one[key], 2**20) for name, key in names.items()} for row, one in found.items()}

    weighed = ("dense", "budget", "running_sums")
    columns, units = ("tokens", "kept", *weighed), dict.fromkeys(weighed, "MiB")
    yield from HELD.table("2", "lengths", mib(dense="dense", budget="cut"), units=units, columns=columns)
    yield from SUMS.cells("2", "lengths", mib(running_sums="sums"))
    yield from PUSHED.cells("2", "lengths", {row: {"kept": one["entries"]} for row, one in found.items()})
    yield from SHEET.cells("2", "lengths", {row: {"tokens": length} for row, length in lengths.items()})


def _errors(tried: Tried) -> Iterator[Found]:
    yield from SHEET.part("3", "Error")
    overall = {key: {"policy": NAMES[key], "relative_error": error} for key, error in tried.overall.items()}
    yield from SDPA.table("3", "overall", overall)
    headings = {f"{key}_{kind}": f"{name}, {kind}" for key, name in SHORT.items() for kind in ("weight", "error")}
    yield from SDPA.table("3", "queries", tried.queries, headings=headings)
