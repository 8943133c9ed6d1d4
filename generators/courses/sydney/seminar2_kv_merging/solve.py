"""Scores and evicts, compares keys, merges by each rule, and attends to what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import sympy

from generators.answer import Answer, Derivation, Line, Part, answer, claim, derivation, line, number, part, text
from generators.cells import Cell, Math, exact
from generators.courses.sydney.seminar2_kv_merging.merging import (
    RULES,
    Assigned,
    assignment,
    attention_over,
    cosine,
    merged,
    merged_entry,
    token_scores,
)
from generators.courses.sydney.seminar2_kv_merging.params import Eviction, Merging, MergingParams
from generators.table import Table, column, table
from generators.topics.attention import relative_error

GoesTo = Mapping[int, Sequence[Assigned]]
"""For each conserved token, counted from 0, the evicted ones that go to it."""
Rows = Sequence[Sequence[sympy.Rational]]


def solve(params: MergingParams) -> Answer:
    """Eviction, similarity, the merged cache, and its errors."""
    merging = params.merging
    goes_to = assignment(merging.keys, [token - 1 for token in merging.conserved])
    parts = (_similarity(merging, goes_to), _merged(merging, goes_to), _errors(params, goes_to))
    return answer(_sheet(params), _eviction(params.eviction), *parts)


def _exactly(rows: Sequence[Sequence[Fraction]]) -> Rows:
    return [[sympy.sympify(x) for x in row] for row in rows]


def _evicted(merging: Merging) -> list[int]:
    return [token for token in range(1, len(merging.keys) + 1) if token not in merging.conserved]


def _sheet(params: MergingParams) -> Part:
    merging, eviction = params.merging, params.eviction
    width, evicted = len(merging.keys[0]), _evicted(merging)
    rows = {
        f"token_{token}": (token, "evicted" if token in evicted else "conserved", *map(exact, key))
        for token, key in enumerate(merging.keys, 1)
    }
    return part(
        "sheet",
        "Given",
        text("recent", "the last token" if eviction.n_recent == 1 else f"the last {eviction.n_recent} tokens"),
        text("top", "the token" if eviction.n_top == 1 else f"the {eviction.n_top} tokens"),
        text("conserved", _set("K_c", merging.conserved)),
        text("evicted", _set("K_e", evicted)),
        number("n_tokens", len(merging.keys), "tokens of the cache"),
        number("n_queries", len(params.queries), "queries"),
        claim("plane", width == 2, "keys have two components"),
        table("keys", ["token", "fate", *(f"component_{j}" for j in range(1, width + 1))], rows),
    )


def _set(name: str, tokens: Sequence[int]) -> Math:
    return Math(rf"{name} = \{{ {', '.join(map(str, tokens))} \}}")


def _eviction(eviction: Eviction) -> Part:
    names = [token.name for token in eviction.tokens]
    is_text = [token.kind == "text" for token in eviction.tokens]
    found = token_scores(eviction.attention, is_text, eviction.n_recent, eviction.n_top)
    rows: dict[str, tuple[Cell, ...]] = {}
    weights: dict[str, tuple[Cell, ...]] = {}
    for place, (token, one) in enumerate(zip(eviction.tokens, found, strict=True), 1):
        sums = map(exact, (one.of_same_kind, one.of_other_kind, one.column_sum, one.score))
        rows[f"token_{place}"] = (token.name, token.kind, *sums, one.fate, one.fate_unraised)
        weights[f"token_{place}"] = (token.name, *map(exact, eviction.attention[place - 1]), *[None] * (len(names) - place))
    columns = ["token", "kind", "self", "cross", "sum", "score", "fate", "by_the_sum"]
    gone = [one.fate == "evicted" for one in found]
    return part(
        "1",
        "Which tokens are evicted",
        text("kept", ", ".join(name for name, out in zip(names, gone, strict=True) if not out)),
        text("evicted", ", ".join(name for name, out in zip(names, gone, strict=True) if out)),
        number("largest", exact(max(one.column_sum for one in found)), "largest column sum", r"\max_j A_j"),
        table("attention", ["query", *(f"on_{j}" for j in range(1, len(names) + 1))], weights),
        table("scores", columns, rows, asked=True),
    )


def _similarity(merging: Merging, goes_to: GoesTo) -> Part:
    home = {one.token + 1: kept + 1 for kept, others in goes_to.items() for one in others}
    rows = {
        f"token_{token}": (
            token, *(exact(cosine(merging.keys[token - 1], merging.keys[kept - 1])) for kept in merging.conserved), home[token],
        )
        for token in _evicted(merging)
    }  # fmt: skip
    columns = ["evicted", *(f"conserved_{kept}" for kept in merging.conserved), "goes_to"]
    return part("2", "Similarity", table("matrix", columns, rows, asked=True))


def _merged(merging: Merging, goes_to: GoesTo) -> Part:
    widest = max(goes_to, key=lambda kept: (len(goes_to[kept]), -kept))
    return part(
        "3",
        "The merged cache",
        _by_rule("keys", _exactly(merging.keys), goes_to, asked=True),
        number("widest", widest + 1, "conserved token to which most go, the first of equals"),
        _rules(merging, widest, goes_to[widest]),
        _by_rule("values", _exactly(merging.values), goes_to),
    )


def _by_rule(name: str, vectors: Rows, goes_to: GoesTo, *, asked: bool = False) -> Table:
    """The conserved keys or values after merging by each rule."""
    after = [merged(vectors, goes_to, rule) for rule in RULES]
    rows = {
        f"token_{kept + 1}": (kept + 1, len(others), *(exact(sympy.expand(x)) for rows in after for x in rows[place]))
        for place, (kept, others) in enumerate(goes_to.items())
    }
    names = [f"{rule}_{name[0]}{j}" for rule in RULES for j in range(1, len(vectors[0]) + 1)]
    return table(name, ["token", column("merged", Math("L")), *names], rows, asked=asked)


def _rules(merging: Merging, widest: int, others: Sequence[Assigned]) -> Derivation:
    """The first component of that token's key by each rule, in letters and as a number."""
    letters = {token: sympy.Symbol(f"k_{token + 1}") for token in (widest, *(one.token for one in others))}
    numbers = {token: sympy.sympify(merging.keys[token][0]) for token in letters}
    lines: dict[str, Line] = {}
    for rule in RULES:
        symbol = rf"k_{{\text{{{rule}}}}}"
        pairs = [(letters[one.token], sympy.Symbol(f"s_{one.token + 1}")) for one in others]
        lines[rule] = line(symbol, merged_entry(letters[widest], pairs, rule), "by its rule")
        own = merged_entry(numbers[widest], [(numbers[one.token], one.similarity) for one in others], rule)
        lines[f"{rule}_value"] = line(symbol, exact(sympy.expand(own)), "with the numbers put in")
    return derivation("rules", lines)


def _errors(params: MergingParams, goes_to: GoesTo) -> Part:
    merging = params.merging
    q, k, v = (_exactly(rows) for rows in (params.queries, merging.keys, merging.values))
    queries, everything = range(len(q)), tuple(range(len(k)))
    whole = attention_over(q, k, v)
    true = [whole.output(i, everything) for i in queries]
    outputs = {"eviction": [whole.output(i, tuple(goes_to)) for i in queries]}
    for rule in RULES:
        smaller = attention_over(q, merged(k, goes_to, rule), merged(v, goes_to, rule))
        outputs[rule] = [smaller.output(i, tuple(range(len(goes_to)))) for i in queries]
    rows: dict[str, tuple[Cell, ...]] = {}
    for i in queries:
        errors = (float(relative_error(whole.context, [found[i]], [true[i]])) for found in outputs.values())
        rows[f"query_{i + 1}"] = (i + 1, *map(float, true[i]), *errors)
    overall = {name: (name, float(relative_error(whole.context, found, true))) for name, found in outputs.items()}
    components_of = [column(f"o{j}", Math(f"o_{{{j}}}")) for j in range(1, len(v[0]) + 1)]
    return part(
        "4",
        "The error that is left",
        table("overall", ["method", "relative_error"], overall, asked=True),
        table("queries", ["query", *components_of, *outputs], rows),
    )
