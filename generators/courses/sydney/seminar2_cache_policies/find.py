"""Decides position by position, attends with torch under each mask, and fills caches without storage.

The seminar shows dense attention, window attention and initial token attention as static policies, and attention-based
eviction as a dynamic one. A query attends to at most the budget, its own token included.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.courses.sydney.seminar2_cache_policies.params import PolicyParams
from generators.found import Found, Route

if TYPE_CHECKING:
    import torch

SHEET = Route("the seminar and the parameters, read again", restates=True)
PAIRS = Route("a rule for each pair of positions")
GREEDY = Route("torch, float64, masks filled query by query", tolerance=1e-9)
SDPA = Route("torch, scaled_dot_product_attention under each mask, float64", tolerance=1e-9)
HELD = Route("DynamicCache of transformers, meta tensors")
PUSHED = Route("tokens pushed out one by one")
SUMS = Route("torch, bytes of a meta tensor of running sums")
GIVEN = dict.fromkeys(("policy",), SHEET)

POLICIES = {"window": "Window", "initial_and_window": "Initial and window", "attention_based": "Attention-based"}
COLUMNS = ("policy", "mean_error", "deviation", "best_in")
NEAR = 1e-9  # errors of one head that differ by less are equal


def find(params: PolicyParams) -> Iterator[Found]:
    """Everything that is published about the policies."""
    yield from _given(params)
    yield from _rules(params)
    yield from _kept(params)
    yield from _memory(params)
    yield from _errors(params)


def _given(params: PolicyParams) -> Iterator[Found]:
    head, memory = params.attention, params.memory
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_tokens=head.n_tokens, head_width=head.head_width)
    yield from SHEET.values("sheet", budget=params.budget, n_seeds=head.n_seeds)
    yield from SHEET.values("sheet", pulled=len(head.pulls) > 0)
    held = params.conventions
    yield from SHEET.values("sheet", bytes=held.bytes_per_element, bytes_of_sum=held.bytes_per_sum)
    pulls = {f"pull_{place}": (pull.token, pull.score, pull.value_scale) for place, pull in enumerate(head.pulls, 1)}
    yield from SHEET.table("sheet", "pulls", pulls, columns=["token", "added_to_its_scores", "its_value_times"])
    yield from SHEET.letters("sheet", n=memory.seq_len, n_max=memory.budget, N_layer=memory.n_layers)
    width = Fraction(memory.d_model, memory.n_heads) if memory.head_dim is None else memory.head_dim
    yield from SHEET.letters("sheet", n_KV=memory.n_heads if memory.n_kv_heads is None else memory.n_kv_heads, H=width)


def _rules(params: PolicyParams) -> Iterator[Found]:
    yield from SHEET.part("1", "Which tokens stay")
    said = {
        "in_window": ("last", params.budget - params.n_initial),
        "initial": ("first", params.n_initial),
        "recent": ("last", params.n_recent),
    }
    for key, (which, count) in said.items():
        yield from SHEET.values("1", {key: f"the {which} token" if count == 1 else f"the {which} {count} tokens"})


def _kept(params: PolicyParams) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_cache_policies.torch_masks import greedy, seeded_heads, static_masks

    for key, mask in static_masks(params).items():
        yield from _mask(PAIRS, key, mask)
    masks, evictions = greedy(seeded_heads(params.attention), params.budget, params.n_recent)
    yield from _mask(GREEDY, "attention_based", masks[0])
    columns = ["query", "leaves", "its_sum", "next", "sum_of_the_next"]
    yield from GREEDY.table("1", "evictions", evictions, columns=columns)


def _mask(route: Route, key: str, mask: torch.Tensor) -> Iterator[Found]:
    places = range(len(mask))
    cells = {f"query_{i + 1}": [int(mask[i, j]) if j <= i else None for j in places] for i in places}
    yield from route.table("1", f"mask_{key}", cells, columns=[f"token_{j + 1}" for j in places])


def _memory(params: PolicyParams) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_cache_policies.torch_masks import kept_bytes, sums_bytes

    memory, element = params.memory, params.conventions.bytes_per_element
    kept = memory.seq_len - len(range(memory.budget, memory.seq_len))  # each token beyond the budget has pushed one out
    dense, cut = (kept_bytes(memory, tokens, element) for tokens in (memory.seq_len, kept))
    yield from SHEET.part("2", "Memory")
    yield from PUSHED.values("2", entries=kept, symbols={"entries": r"n_{\text{kept}}"})
    symbols = {"dense": r"M_{\text{dense}}", "cut": r"M_{\text{budget}}"}
    yield from HELD.values("2", dense=dense, cut=cut, unit="B", symbols=symbols)
    running = sums_bytes(memory, kept, params.conventions.bytes_per_sum)
    yield from SUMS.values("2", sums=running, unit="B", symbols={"sums": r"M_{\text{sums}}"})
    yield from HELD.values("2", unit="%", share=Fraction(100 * cut, dense))


def _errors(params: PolicyParams) -> Iterator[Found]:
    yield from SHEET.part("3", "Error")
    for key, pulled in (("pulled", True), ("plain", False)):
        if params.attention.pulls or not pulled:
            rows = _rows(params, pulled=pulled)
            yield from SDPA.table("3", key, rows, headings={"deviation": "±"}, columns=COLUMNS, given=GIVEN)
    yield from SDPA.values("3", none_is_best=all(row[-1] <= params.attention.n_seeds / 2 for row in rows.values()))


def _rows(params: PolicyParams, *, pulled: bool) -> dict[str, tuple[str, float, float, int]]:
    from generators.courses.sydney.seminar2_cache_policies.torch_masks import error_rows

    errors = error_rows(params, pulled=pulled)
    best = (errors - errors.min(dim=1, keepdim=True).values < NEAR).sum(0).tolist()
    means, deviations = errors.mean(0).tolist(), errors.std(0, correction=0).tolist()
    cells = zip(POLICIES.items(), means, deviations, best, strict=True)
    return {key: (name, round(mean, 2), round(deviation, 2), times) for (key, name), mean, deviation, times in cells}
