"""Follows each policy query by query, counts its memory, and compares its outputs with dense attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from generators.answer import Answer, Part, answer, formula, letter, number, part, text
from generators.cells import Math, exact, rational
from generators.courses.sydney.seminar2_cache_policies.params import PolicyParams
from generators.courses.sydney.seminar2_cache_policies.policies import (
    BUDGET,
    ENTRIES,
    Eviction,
    Kept,
    attention_based,
    cached_values,
    dense,
    initial_and_window,
    seeded_attention,
    window,
)
from generators.table import Table, column, table
from generators.topics.attention import Attention, relative_error
from generators.topics.batching import CONTEXT, N_HEAD, N_LAYER, D

MIB = 2**20
NAMES = {
    "dense": "Dense",
    "window": "Window",
    "initial_and_window": "Initial and window",
    "attention_based": "Attention-based",
}
SHORT = {"window": "Window", "initial_and_window": "Initial", "attention_based": "Attention"}
"""The policies that have a budget, as narrow columns name them."""


def solve(params: PolicyParams) -> Answer:
    """What stays, the memory it takes, and the error it makes."""
    n, sheet, attention = params.attention.n_tokens, _sheet(params), seeded_attention(params.attention)
    by_attention, evictions = attention_based(attention, params.budget, params.n_recent)
    kept = {
        "dense": dense(n),
        "window": window(n, params.budget),
        "initial_and_window": initial_and_window(n, params.budget, params.n_initial),
        "attention_based": by_attention,
    }
    return answer(sheet, _kept(params, kept, evictions), _memory(params, sheet), _errors(params, attention, kept))


def _sheet(params: PolicyParams) -> Part:
    head, memory = params.attention, params.memory
    pulls = {f"pull_{place}": pull for place, pull in enumerate(head.pulls, 1)}
    scores = {key: (pull.token, exact(pull.score)) for key, pull in pulls.items()}
    scales = {key: (pull.token, exact(pull.value_scale)) for key, pull in pulls.items() if pull.value_scale != 1}
    return part(
        "sheet",
        "Given",
        number("n_tokens", head.n_tokens, "tokens of the head"),
        number("head_width", head.head_width, symbol="d"),
        number("budget", params.budget, "tokens a query attends to, its own among them"),
        number("n_recent", params.n_recent, "recent tokens of the attention-based policy"),
        table("pulls", ["token", "score"], scores),
        table("scales", ["token", "scale"], scales),
        letter(CONTEXT, memory.seq_len, "tokens so far"),
        letter(BUDGET, memory.budget, "budget of the model"),
        letter(N_LAYER, memory.n_layers, "layers"),
        letter(D, memory.d_model, "model width"),
        letter(N_HEAD, memory.n_heads, "heads"),
    )


def ranges(positions: Sequence[int]) -> str:
    """Positions from 0 as numbers from 1, runs of three and more by their ends: 1, 2, 5–8."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][-1] == position:
            runs[-1].append(position + 1)
        else:
            runs.append([position + 1])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def _some(count: int, which: str) -> str:
    """So many tokens at one end: "the last token", "the first 2 tokens"."""
    return f"the {which} token" if count == 1 else f"the {which} {count} tokens"


def _kept(params: PolicyParams, kept: Mapping[str, Sequence[Kept]], evictions: Sequence[Eviction]) -> Part:
    rows = {f"query_{i}": (i, *map(ranges, by_policy)) for i, by_policy in enumerate(zip(*kept.values(), strict=True), 1)}
    left = {
        f"query_{query + 1}": (query + 1, out + 1, float(least), stays + 1, float(more))
        for query, ((out, least), (stays, more), *_) in evictions
    }
    in_window = params.budget - params.n_initial
    initial = _some(params.n_initial, "first")
    return part(
        "1",
        "Which tokens stay",
        text("in_window", _some(in_window, "last")),
        text("initial", f"{initial} {'stays' if params.n_initial == 1 else 'stay'}"),
        text("recent", _some(params.n_recent, "last")),
        text("window_rule", Math(f"i - j < {params.budget}")),
        text("initial_rule", Math(rf"j \le {params.n_initial}")),
        text("rest_rule", Math(f"i - j < {in_window}")),
        table("kept", ["query", *(column(key, name) for key, name in NAMES.items())], rows, asked=True),
        *_masks(kept),
        table("evictions", ["query", "leaves", "its_sum", "next", "sum_of_the_next"], left),
    )


def _masks(kept: Mapping[str, Sequence[Kept]]) -> Iterator[Table]:
    """For each policy a row a query: 1 for a token it attends to, 0 for one it does not, nothing for those to come."""
    for name, by_query in kept.items():
        places = range(len(by_query))
        rows = {f"query_{i + 1}": [int(j in ones) if j <= i else None for j in places] for i, ones in enumerate(by_query)}
        yield table(f"mask_{name}", [f"token_{j + 1}" for j in places], rows, drawn=True)


def _memory(params: PolicyParams, sheet: Part) -> Part:
    conventions, memory = params.conventions, params.memory
    whole = conventions.bytes_per_element * cached_values(CONTEXT)
    cut = conventions.bytes_per_element * cached_values(ENTRIES)
    sums = conventions.bytes_per_sum * N_LAYER * N_HEAD * ENTRIES
    rows = {}
    for place, length in enumerate(memory.seq_lens, 1):
        at = {N_LAYER: memory.n_layers, D: memory.d_model, N_HEAD: memory.n_heads, BUDGET: memory.budget, CONTEXT: length}
        rows[f"length_{place}"] = (length, exact(ENTRIES.subs(at)), *(exact(one.subs(at) / MIB) for one in (whole, cut, sums)))
    columns = [column(key, unit="MiB") for key in ("dense", "budget", "running_sums")]
    items = [
        formula("entries", ENTRIES, "tokens kept", r"n_{\text{kept}}"),
        formula("dense", whole, "cache of dense attention", r"M_{\text{dense}}", "B", asked=True),
        formula("cut", cut, "cache of a policy with a budget", r"M_{\text{budget}}", "B", asked=True),
        formula("sums", sums, "running sums of the attention-based policy", r"M_{\text{sums}}", "B", asked=True),
    ]
    made = part("2", "", *items, within=sheet)
    share = 100 * Fraction(rational(made["cut"].value), rational(made["dense"].value))
    return part(
        "2",
        "Memory",
        *items,
        number("share", share, "cache with the budget over the dense one", unit="%", asked=True),
        table("lengths", ["tokens", "kept", *columns], rows),
        within=sheet,
    )


def _errors(params: PolicyParams, attention: Attention, kept: Mapping[str, Sequence[Kept]]) -> Part:
    context = attention.context
    true = [attention.output(i, ones) for i, ones in enumerate(kept["dense"])]
    found = {name: [attention.output(i, ones) for i, ones in enumerate(kept[name])] for name in SHORT}
    rows = {}
    for i in range(params.budget, params.attention.n_tokens):
        whole = attention.weights(i, kept["dense"][i])
        weights = (float(context.fsum(whole[j] for j in kept[name][i])) for name in SHORT)
        errors = (float(relative_error(context, [outputs[i]], [true[i]])) for outputs in found.values())
        rows[f"query_{i + 1}"] = (i + 1, *weights, *errors)
    overall = {name: (NAMES[name], float(relative_error(context, outputs, true))) for name, outputs in found.items()}
    columns = [column(f"{key}_{kind}", f"{name}, {kind}") for kind in ("weight", "error") for key, name in SHORT.items()]
    return part(
        "3",
        "Error",
        table("overall", ["policy", "relative_error"], overall, asked=True),
        table("queries", ["query", *columns], rows),
    )
