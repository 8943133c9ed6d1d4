"""Follows each policy query by query, counts its memory, and compares its outputs with dense attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from generators.answer import Answer, Part, answer, formula, letter, number, part, text
from generators.cells import Cell, Math, exact, rational
from generators.courses.sydney.seminar2_cache_policies.params import PolicyParams
from generators.courses.sydney.seminar2_cache_policies.policies import (
    BUDGET,
    Eviction,
    Kept,
    Pull,
    attention_based,
    cached_values,
    dense,
    entries,
    initial_and_window,
    kept_sums,
    seeded_attention,
    window,
)
from generators.table import Column, Table, column, table
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


@dataclass(frozen=True)
class Tried:
    """The head, what each policy keeps for each query, and what the attention-based one evicts."""

    attention: Attention
    kept: Mapping[str, Sequence[Kept]]
    evictions: Sequence[Eviction]


def solve(params: PolicyParams) -> Answer:
    """What stays, the memory it takes, and the error it makes."""
    sheet, tried = _sheet(params), _tried(params)
    return answer(sheet, _kept(params, tried), _memory(params, sheet), _errors(params, tried))


def _tried(params: PolicyParams) -> Tried:
    head = params.attention
    pulled = {pull.token - 1: Pull(pull.score, pull.value_scale) for pull in head.pulls}
    attention = seeded_attention(head.seed, head.n_tokens, head.head_width, pulled)
    by_attention, evictions = attention_based(attention, params.budget, params.n_recent)
    kept = {
        "dense": dense(head.n_tokens),
        "window": window(head.n_tokens, params.budget),
        "initial_and_window": initial_and_window(head.n_tokens, params.budget, params.n_initial),
        "attention_based": by_attention,
    }
    return Tried(attention, kept, evictions)


def _sheet(params: PolicyParams) -> Part:
    head, memory = params.attention, params.memory
    pulls = {f"pull_{place}": pull for place, pull in enumerate(head.pulls, 1)}
    scores = {key: {"token": pull.token, "score": exact(pull.score)} for key, pull in pulls.items()}
    scales = {key: {"token": one.token, "scale": exact(one.value_scale)} for key, one in pulls.items() if one.value_scale != 1}
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
        if runs and runs[-1][-1] == position - 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return ", ".join(_run(run) for run in runs)


def _run(run: list[int]) -> str:
    return f"{run[0] + 1}–{run[-1] + 1}" if len(run) > 2 else ", ".join(str(position + 1) for position in run)


def _some(count: int, which: str) -> str:
    """So many tokens at one end: "the last token", "the first 2 tokens"."""
    return f"the {which} token" if count == 1 else f"the {which} {count} tokens"


def _kept(params: PolicyParams, tried: Tried) -> Part:
    rows: dict[str, Mapping[str, Cell]] = {}
    for i in range(params.attention.n_tokens):
        rows[f"query_{i + 1}"] = {"query": i + 1, **{name: ranges(kept[i]) for name, kept in tried.kept.items()}}
    left: dict[str, Mapping[str, Cell]] = {}
    for eviction in tried.evictions:
        (out, least), (stays, more) = eviction.candidates[:2]
        sums = {"its_sum": float(least), "sum_of_the_next": float(more)}
        left[f"query_{eviction.query + 1}"] = {"query": eviction.query + 1, "leaves": out + 1, "next": stays + 1, **sums}
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
        *_masks(tried),
        table("evictions", ["query", "leaves", "its_sum", "next", "sum_of_the_next"], left),
    )


def _masks(tried: Tried) -> Iterator[Table]:
    """For each policy a row a query: 1 for a token it attends to, 0 for one it does not, nothing for those to come."""
    for name, kept in tried.kept.items():
        rows = {
            f"query_{i + 1}": {f"token_{j + 1}": int(j in ones) if j <= i else None for j in range(len(kept))}
            for i, ones in enumerate(kept)
        }
        yield table(f"mask_{name}", list(rows["query_1"]), rows, drawn=True)


def _memory(params: PolicyParams, sheet: Part) -> Part:
    conventions, memory = params.conventions, params.memory
    whole = conventions.bytes_per_element * cached_values(CONTEXT)
    cut = conventions.bytes_per_element * cached_values(entries())
    sums = conventions.bytes_per_sum * kept_sums(entries())
    rows: dict[str, Mapping[str, Cell]] = {}
    for place, length in enumerate(memory.seq_lens, 1):
        at = {N_LAYER: memory.n_layers, D: memory.d_model, N_HEAD: memory.n_heads, BUDGET: memory.budget, CONTEXT: length}
        held = {key: exact(one.subs(at) / MIB) for key, one in (("dense", whole), ("budget", cut), ("running_sums", sums))}
        rows[f"length_{place}"] = {"tokens": length, "kept": exact(entries().subs(at)), **held}
    columns: list[Column | str] = [
        "tokens", "kept", *(column(key, unit="MiB") for key in ("dense", "budget", "running_sums"))
    ]  # fmt: skip
    items = [
        formula("entries", entries(), "tokens kept", r"n_{\text{kept}}"),
        formula("dense", whole, "cache of dense attention", r"M_{\text{dense}}", "B", asked=True),
        formula("cut", cut, "cache of a policy with a budget", r"M_{\text{budget}}", "B", asked=True),
        formula("sums", sums, "running sums of the attention-based policy", r"M_{\text{sums}}", "B", asked=True),
    ]
    made = part("2", "", *items, within=sheet)
    share = 100 * Fraction(rational(made["cut"].value), rational(made["dense"].value))
    what = "cache with the budget over the dense one"
    return part(
        "2",
        "Memory",
        *items,
        number("share", share, what, unit="%", asked=True),
        table("lengths", columns, rows),
        within=sheet,
    )


def _errors(params: PolicyParams, tried: Tried) -> Part:
    attention, context = tried.attention, tried.attention.context
    true = [attention.output(i, kept) for i, kept in enumerate(tried.kept["dense"])]
    found = {name: [attention.output(i, kept) for i, kept in enumerate(tried.kept[name])] for name in SHORT}
    rows: dict[str, Mapping[str, Cell]] = {}
    for i in range(params.budget, params.attention.n_tokens):
        whole = attention.weights(i, tried.kept["dense"][i])
        weights = {f"{name}_weight": float(context.fsum(whole[j] for j in tried.kept[name][i])) for name in SHORT}
        errors = {f"{name}_error": float(relative_error(context, [found[name][i]], [true[i]])) for name in SHORT}
        rows[f"query_{i + 1}"] = {"query": i + 1, **weights, **errors}
    overall = {
        name: {"policy": NAMES[name], "relative_error": float(relative_error(context, outputs, true))}
        for name, outputs in found.items()
    }
    columns = [column(f"{key}_{kind}", f"{name}, {kind}") for kind in ("weight", "error") for key, name in SHORT.items()]
    return part(
        "3",
        "Error",
        table("overall", ["policy", "relative_error"], overall, asked=True),
        table("queries", ["query", *columns], rows),
    )
