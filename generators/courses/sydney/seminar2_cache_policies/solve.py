"""Follows each policy query by query, counts its memory, and compares its outputs with those of dense attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from statistics import fmean, pstdev

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Rounded, exact, rational
from generators.courses.sydney.seminar2_cache_policies.params import Conventions, Memory, PolicyParams
from generators.courses.sydney.seminar2_cache_policies.policies import (
    Kept,
    attention_based,
    errors,
    kept_by,
    seeded_attention,
)
from generators.table import Table, column, table

CONTEXT, BUDGET, N_LAYER, N_KV, WIDTH = sympy.symbols("n n_max N_layer n_KV H", positive=True)
NAMES = {"window": "Window", "initial_and_window": "Initial and window", "attention_based": "Attention-based"}
"""The policies that have a budget."""
SAME = 1e-9  # errors of one head that differ by less are equal


def solve(params: PolicyParams) -> Answer:
    """What stays, the memory it takes, and the error it makes."""
    sheet = _sheet(params)
    return answer(sheet, _kept(params), _memory(params, sheet), _errors(params))


def _sheet(params: PolicyParams) -> Part:
    head = params.attention
    pulls = {f"pull_{i}": (one.token, exact(one.score), exact(one.value_scale)) for i, one in enumerate(head.pulls, 1)}
    return part(
        "sheet",
        "Given",
        number("n_tokens", head.n_tokens, "tokens of a head"),
        number("head_width", head.head_width),
        number("budget", params.budget, "tokens a query attends to, its own among them"),
        number("n_seeds", head.n_seeds, "heads"),
        claim("pulled", bool(pulls), "some tokens pull"),
        table("pulls", ["token", "added_to_its_scores", "its_value_times"], pulls),
        number("bytes", params.conventions.bytes_per_element, "bytes of a cached number"),
        number("bytes_of_sum", params.conventions.bytes_per_sum, "bytes of a running sum"),
        *_model(params.memory),
    )


def _model(memory: Memory) -> Iterator[Item]:
    kv_heads = memory.n_kv_heads or memory.n_heads
    yield letter(CONTEXT, memory.seq_len, "tokens so far")
    yield letter(BUDGET, memory.budget, "budget of the model")
    yield letter(N_LAYER, memory.n_layers, "layers")
    yield letter(N_KV, kv_heads, "heads of keys and values")
    yield letter(WIDTH, memory.head_dim or memory.d_model // memory.n_heads, "width of a head")


def _some(count: int, which: str) -> str:
    """So many tokens at one end: "the last token", "the first 2 tokens"."""
    return f"the {which} token" if count == 1 else f"the {which} {count} tokens"


def _kept(params: PolicyParams) -> Part:
    attention = seeded_attention(params.attention, params.attention.seed)
    left = {
        f"query_{query + 1}": (query + 1, out + 1, Rounded(least, 3), stays + 1, Rounded(more, 3))
        for query, ((out, least), (stays, more), *_) in attention_based(attention, params.budget, params.n_recent)[1]
    }
    return part(
        "1",
        "Which tokens stay",
        text("in_window", _some(params.budget - params.n_initial, "last")),
        text("initial", _some(params.n_initial, "first")),
        text("recent", _some(params.n_recent, "last")),
        *_masks(kept_by(params, attention)),
        table("evictions", ["query", "leaves", "its_sum", "next", "sum_of_the_next"], left),
    )


def _masks(kept: Mapping[str, Sequence[Kept]]) -> Iterator[Table]:
    """For each policy a row a query: 1 for a token it attends to, 0 for one it does not, nothing for those to come."""
    for name, by_query in kept.items():
        places = range(len(by_query))
        rows = {f"query_{i + 1}": [int(j in ones) if j <= i else None for j in places] for i, ones in enumerate(by_query)}
        yield table(f"mask_{name}", [f"token_{j + 1}" for j in places], rows, asked=True, drawn=True)


def _memory(params: PolicyParams, sheet: Part) -> Part:
    entries = sympy.Min(CONTEXT, BUDGET)
    of_token = 2 * params.conventions.bytes_per_element * N_LAYER * N_KV * WIDTH
    dense, cut, sums = of_token * CONTEXT, of_token * entries, params.conventions.bytes_per_sum * N_LAYER * N_KV * entries
    items = [
        formula("entries", entries, "tokens kept", r"n_{\text{kept}}"),
        formula("dense", dense, "cache of dense attention", r"M_{\text{dense}}", "B", asked=True),
        formula("cut", cut, "cache of a policy with a budget", r"M_{\text{budget}}", "B", asked=True),
        formula("sums", sums, "running sums of the attention-based policy", r"M_{\text{sums}}", "B", asked=True),
    ]
    made = part("2", "", *items, within=sheet)
    share = 100 * Fraction(rational(made["cut"].value), rational(made["dense"].value))
    shared = number("share", share, "cache with the budget over the dense one", unit="%", asked=True)
    return part("2", "Memory", *items, shared, within=sheet)


def _errors(params: PolicyParams) -> Part:
    settings = ("pulled", "plain") if params.attention.pulls else ("plain",)
    tables = [_error_table(key, params) for key in settings]
    most = [max(int(cell) for cell in one["best_in"].cells.values()) for one in tables]  # type: ignore[arg-type]
    return part(
        "3", "Error", *tables, claim("none_is_best", 2 * most[-1] <= params.attention.n_seeds, "no policy wins most heads")
    )


@lru_cache(maxsize=8)  # what a value takes changes no error
def _by_head(params: PolicyParams, *, pulled: bool) -> list[dict[str, float]]:
    head = params.attention
    heads = (seeded_attention(head, seed, pulled=pulled) for seed in range(head.seed, head.seed + head.n_seeds))
    return [errors(one, kept_by(params, one)) for one in heads]


def _error_table(key: str, params: PolicyParams) -> Table:
    """Mean error of each policy over the heads, how much it varies, and in how many heads no other errs less."""
    by_head = _by_head(params.model_copy(update={"conventions": Conventions()}), pulled=key == "pulled")
    rows = {}
    for name, shown in NAMES.items():
        own = [one[name] for one in by_head]
        best = sum(one[name] <= min(one.values()) + SAME for one in by_head)
        rows[name] = (shown, Rounded(fmean(own), 2), Rounded(pstdev(own), 2), best)
    return table(key, ["policy", "mean_error", column("deviation", "±"), "best_in"], rows, asked=True)
