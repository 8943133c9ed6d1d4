"""Decides position by position, attends with torch under each mask, and fills caches without storage.

The seminar shows dense attention, window attention and initial token attention as static policies, and attention-based
eviction as a dynamic one. A query attends to at most the budget, its own token included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from generators.cells import Math
from generators.courses.sydney.seminar2_cache_policies.params import PolicyParams
from generators.found import Found, Route

if TYPE_CHECKING:
    import torch

    from generators.courses.sydney.seminar2_cache_policies.masks import Evictions, Head

SHEET = Route("the seminar and the parameters, read again", restates=True)
PAIRS = Route("a rule for each pair of positions")
GREEDY = Route("torch, float64, masks filled query by query", tolerance=1e-9)
SDPA = Route("torch, scaled_dot_product_attention under each mask, float64", tolerance=1e-9)
HELD = Route("DynamicCache of transformers, meta tensors")
PUSHED = Route("tokens pushed out one by one")
SUMS = Route("torch, bytes of a meta tensor of running sums")

NAMES = {"dense": "Dense", "window": "Window", "initial_and_window": "Initial and window", "attention_based": "Attention-based"}
SHORT = {"window": "Window", "initial_and_window": "Initial", "attention_based": "Attention"}


def find(params: PolicyParams) -> Iterator[Found]:
    """Everything that is published about the policies."""
    from generators.courses.sydney.seminar2_cache_policies.masks import policies, seeded_head

    head = seeded_head(params.attention)
    masks, evictions = policies(params, head)
    yield from _given(params)
    yield from _rules(params)
    yield from _kept(masks, evictions)
    yield from _memory(params)
    yield from _errors(params, head, masks)


def _given(params: PolicyParams) -> Iterator[Found]:
    head, memory = params.attention, params.memory
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_tokens=head.n_tokens, head_width=head.head_width, symbols={"head_width": "d"})
    yield from SHEET.values("sheet", budget=params.budget, n_recent=params.n_recent)
    pulls = {f"pull_{place}": pull for place, pull in enumerate(head.pulls, 1)}
    scores = {key: (pull.token, pull.score) for key, pull in pulls.items()}
    scales = {key: (pull.token, pull.value_scale) for key, pull in pulls.items() if pull.value_scale != 1}
    yield from SHEET.table("sheet", "pulls", scores, columns=["token", "score"])
    yield from SHEET.table("sheet", "scales", scales, columns=["token", "scale"])
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
    rules = {"window_rule": f"i - j < {params.budget}", "initial_rule": rf"j \le {params.n_initial}",
             "rest_rule": f"i - j < {rest}"}  # fmt: skip
    yield from SHEET.values("1", {key: Math(rule) for key, rule in rules.items()})


def _kept(masks: Mapping[str, torch.Tensor], evictions: Evictions) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_cache_policies.masks import listed

    queries = range(len(masks["dense"]))
    kept = {f"query_{i + 1}": (i + 1, *(listed(mask[i]) for mask in masks.values())) for i in queries}
    yield from PAIRS.table("1", "kept", kept, headings=NAMES, columns=["query", *NAMES])
    for key, mask in masks.items():
        route = GREEDY if key == "attention_based" else PAIRS
        cells = {f"query_{i + 1}": [int(mask[i, j]) if j <= i else None for j in queries] for i in queries}
        yield from route.table("1", f"mask_{key}", cells, columns=[f"token_{j + 1}" for j in queries])
    columns = ["query", "leaves", "its_sum", "next", "sum_of_the_next"]
    yield from GREEDY.table("1", "evictions", evictions, columns=columns)


def _memory(params: PolicyParams) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_cache_policies.masks import held, sums

    memory, element, of_sum = params.memory, params.conventions.bytes_per_element, params.conventions.bytes_per_sum

    def at(length: int) -> tuple[int, int, int, int]:
        """Each token beyond the budget has pushed one out."""
        kept = length - len(range(memory.budget, length))
        return kept, held(memory, length, element), held(memory, kept, element), sums(memory, kept, of_sum)

    entries, dense, cut, running = at(memory.seq_len)
    yield from SHEET.part("2", "Memory")
    yield from PUSHED.values("2", entries=entries, symbols={"entries": r"n_{\text{kept}}"})
    symbols = {"dense": r"M_{\text{dense}}", "cut": r"M_{\text{budget}}"}
    yield from HELD.values("2", dense=dense, cut=cut, unit="B", symbols=symbols)
    yield from SUMS.values("2", sums=running, unit="B", symbols={"sums": r"M_{\text{sums}}"})
    yield from HELD.values("2", unit="%", share=Fraction(100 * cut, dense))
    rows = {}
    for place, length in enumerate(memory.seq_lens, 1):
        kept, *weighed = at(length)
        rows[f"length_{place}"] = (length, kept, *(Fraction(one, 2**20) for one in weighed))
    units = dict.fromkeys(("dense", "budget", "running_sums"), "MiB")
    yield from HELD.table("2", "lengths", rows, units=units, columns=["tokens", "kept", *units])


def _errors(params: PolicyParams, head: Head, masks: Mapping[str, torch.Tensor]) -> Iterator[Found]:
    whole, true = head.weights(masks["dense"]), head.outputs(masks["dense"])
    outputs = {key: head.outputs(masks[key]) for key in SHORT}
    yield from SHEET.part("3", "Error")
    overall = {key: (NAMES[key], float((ours - true).norm() / true.norm())) for key, ours in outputs.items()}
    yield from SDPA.table("3", "overall", overall, columns=["policy", "relative_error"])
    rows = {}
    for i in range(params.budget, len(true)):
        shares = (float(whole[i][masks[key][i]].sum()) for key in SHORT)
        rows[f"query_{i + 1}"] = (
            i + 1,
            *shares,
            *(float((ours[i] - true[i]).norm() / true[i].norm()) for ours in outputs.values()),
        )
    headings = {f"{key}_{kind}": f"{name}, {kind}" for kind in ("weight", "error") for key, name in SHORT.items()}
    yield from SDPA.table("3", "queries", rows, headings=headings, columns=["query", *headings])
