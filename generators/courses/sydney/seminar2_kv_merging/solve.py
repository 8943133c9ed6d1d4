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
    TokenScore,
    assignment,
    attention_over,
    cosine,
    merged,
    merged_entry,
    rational_number,
    token_scores,
)
from generators.courses.sydney.seminar2_kv_merging.params import Eviction, Merging, MergingParams
from generators.table import Column, Table, column, table
from generators.topics.attention import relative_error

GoesTo = Mapping[int, Sequence[Assigned]]
"""For each conserved token, counted from 0, the evicted ones that go to it."""
Rows = Sequence[Sequence[sympy.Rational]]


def solve(params: MergingParams) -> Answer:
    """Eviction, similarity, the merged cache, and its errors."""
    merging = params.merging
    goes_to = assignment(merging.keys, [token - 1 for token in merging.conserved])
    return answer(
        _sheet(params), _eviction(params.eviction), _similarity(merging, goes_to), _merged(merging, goes_to),
        _errors(params, goes_to),
    )  # fmt: skip


def _exactly(rows: Sequence[Sequence[Fraction]]) -> Rows:
    return [[rational_number(x) for x in row] for row in rows]


def _evicted(merging: Merging) -> list[int]:
    return [token for token in range(1, len(merging.keys) + 1) if token not in merging.conserved]


def _sheet(params: MergingParams) -> Part:
    merging, eviction = params.merging, params.eviction
    width = len(merging.keys[0])
    rows = {
        f"token_{token}": {
            "token": token,
            "fate": "conserved" if token in merging.conserved else "evicted",
            **{f"component_{j}": exact(x) for j, x in enumerate(key, 1)},
        }
        for token, key in enumerate(merging.keys, 1)
    }
    return part(
        "sheet",
        "Given",
        text("recent", "the last token" if eviction.n_recent == 1 else f"the last {eviction.n_recent} tokens"),
        text("top", "the token" if eviction.n_top == 1 else f"the {eviction.n_top} tokens"),
        text("conserved", _set("K_c", merging.conserved)),
        text("evicted", _set("K_e", _evicted(merging))),
        number("n_tokens", len(merging.keys), "tokens of the cache"),
        number("n_queries", len(params.queries), "queries"),
        claim("plane", width == 2, "keys have two components"),
        table("keys", list(rows["token_1"]), rows),
    )


def _set(name: str, tokens: Sequence[int]) -> Math:
    return Math(rf"{name} = \{{ {', '.join(map(str, tokens))} \}}")


def _eviction(eviction: Eviction) -> Part:
    names = [token.name for token in eviction.tokens]
    is_text = [token.kind == "text" for token in eviction.tokens]
    found = token_scores(eviction.attention, is_text, eviction.n_recent, eviction.n_top)
    rows: dict[str, Mapping[str, Cell]] = {}
    weights: dict[str, Mapping[str, Cell]] = {}
    for place, (token, one) in enumerate(zip(eviction.tokens, found, strict=True), 1):
        fates = {"fate": one.fate, "by_the_sum": one.fate_unraised}
        rows[f"token_{place}"] = {"token": token.name, "kind": token.kind, **_sums(one), **fates}
        given = dict(enumerate(map(exact, eviction.attention[place - 1]), 1))
        weights[f"token_{place}"] = {"query": token.name, **{f"on_{j}": given.get(j) for j in range(1, len(names) + 1)}}
    gone = [one.fate == "evicted" for one in found]
    return part(
        "1",
        "Which tokens are evicted",
        text("kept", ", ".join(name for name, out in zip(names, gone, strict=True) if not out)),
        text("evicted", ", ".join(name for name, out in zip(names, gone, strict=True) if out)),
        number("largest", exact(max(one.column_sum for one in found)), "largest column sum", r"\max_j A_j"),
        table("attention", list(weights["token_1"]), weights),
        table("scores", list(rows["token_1"]), rows, asked=True),
    )


def _sums(one: TokenScore) -> dict[str, Cell]:
    sums = {"self": one.of_same_kind, "cross": one.of_other_kind, "sum": one.column_sum, "score": one.score}
    return {key: exact(value) for key, value in sums.items()}


def _similarity(merging: Merging, goes_to: GoesTo) -> Part:
    home = {one.token: kept for kept, others in goes_to.items() for one in others}
    rows: dict[str, Mapping[str, Cell]] = {}
    for token in _evicted(merging):
        key = merging.keys[token - 1]
        cosines = {f"conserved_{kept}": exact(cosine(key, merging.keys[kept - 1])) for kept in merging.conserved}
        rows[f"token_{token}"] = {"evicted": token, **cosines, "goes_to": home[token - 1] + 1}
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
    after = {rule: merged(vectors, goes_to, rule) for rule in RULES}
    rows: dict[str, Mapping[str, Cell]] = {}
    for place, (kept, others) in enumerate(goes_to.items()):
        cells = {
            f"{rule}_{name[0]}{j}": exact(sympy.expand(x))
            for rule in RULES
            for j, x in enumerate(after[rule][place], 1)
        }  # fmt: skip
        rows[f"token_{kept + 1}"] = {"token": kept + 1, "merged": len(others), **cells}
    first = next(iter(rows.values()))
    columns: list[Column | str] = ["token", column("merged", Math("L")), *list(first)[2:]]
    return table(name, columns, rows, asked=asked)


def _rules(merging: Merging, widest: int, others: Sequence[Assigned]) -> Derivation:
    """The first component of that token's key by each rule, in letters and as a number."""
    letters = {token: sympy.Symbol(f"k_{token + 1}") for token in (widest, *(one.token for one in others))}
    numbers = {token: rational_number(merging.keys[token][0]) for token in letters}
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
    rows: dict[str, Mapping[str, Cell]] = {}
    for i in queries:
        components = {f"o{j}": float(x) for j, x in enumerate(true[i], 1)}
        errors = {name: float(relative_error(whole.context, [found[i]], [true[i]])) for name, found in outputs.items()}
        rows[f"query_{i + 1}"] = {"query": i + 1, **components, **errors}
    overall = {
        name: {"method": name, "relative_error": float(relative_error(whole.context, found, true))}
        for name, found in outputs.items()
    }
    components_of = [column(f"o{j}", Math(f"o_{{{j}}}")) for j in range(1, len(v[0]) + 1)]
    return part(
        "4",
        "The error that is left",
        table("overall", ["method", "relative_error"], overall, asked=True),
        table("queries", ["query", *components_of, *outputs], rows),
    )
