"""Scores and evicts, compares keys, merges by each rule, and attends to what is left."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, pstdev

import sympy

from generators.answer import Answer, Part, answer, number, part, text
from generators.cells import Cell, Math, Rounded, exact, significant
from generators.courses.sydney.seminar2_kv_merging.merging import (
    RULES,
    GoesTo,
    Rows,
    assignment,
    cosine,
    errors,
    exact_root,
    merged,
    token_scores,
)
from generators.courses.sydney.seminar2_kv_merging.params import Eviction, Merging, MergingParams
from generators.table import Column, Table, column, table
from generators.topics.attention import seeded_matrices

METHODS = ("eviction", *RULES)
SAID = {"eviction": "eviction alone"}
SAME = 1e-9  # errors in one cache that differ by less are equal


def solve(params: MergingParams) -> Answer:
    """Eviction, similarity, the merged cache, and its errors."""
    merging = params.merging
    goes_to = assignment(merging.keys, [token - 1 for token in merging.conserved], exact_root)
    return answer(
        _sheet(params), _eviction(params.eviction), _similarity(merging, goes_to), _merged(merging, goes_to), _errors(params)
    )


def _evicted(merging: Merging) -> list[int]:
    return [token for token in range(1, len(merging.keys) + 1) if token not in merging.conserved]


def _components(name: str, width: int) -> list[Column]:
    return [column(f"{name}{j}", Math(rf"{name}^{{({j})}}")) for j in range(1, width + 1)]


def _sheet(params: MergingParams) -> Part:
    merging, eviction = params.merging, params.eviction
    evicted = _evicted(merging)
    pairs = zip(merging.keys, merging.values, strict=True)
    rows = {
        f"token_{i}": (i, "evicted" if i in evicted else "conserved", *map(exact, (*key, *value)))
        for i, (key, value) in enumerate(pairs, 1)
    }
    components = [*_components("k", len(merging.keys[0])), *_components("v", len(merging.values[0]))]
    queries = {f"query_{i}": (i, *map(exact, query)) for i, query in enumerate(params.queries, 1)}
    return part(
        "sheet",
        "Given",
        text("recent", "the last token" if eviction.n_recent == 1 else f"the last {eviction.n_recent} tokens"),
        text("top", "the token" if eviction.n_top == 1 else f"the {eviction.n_top} tokens"),
        text("conserved", _set("K_c", merging.conserved)),
        text("evicted", _set("K_e", evicted)),
        number("n_tokens", len(merging.keys), "tokens of the cache"),
        number("n_queries", len(params.queries), "queries"),
        number("n_seeds", params.trials.n_seeds, "random caches"),
        table("cache", ["token", "fate", *components], rows),
        table("queries", ["query", *_components("q", len(merging.keys[0]))], queries),
    )


def _set(name: str, tokens: Sequence[int]) -> Math:
    return Math(rf"{name} = \{{ {', '.join(map(str, tokens))} \}}")


def _eviction(eviction: Eviction) -> Part:
    names, count = [token.name for token in eviction.tokens], len(eviction.tokens)
    is_text = [token.kind == "text" for token in eviction.tokens]
    found = token_scores(eviction.attention, is_text, eviction.n_recent, eviction.n_top)
    rows: dict[str, tuple[Cell, ...]] = {}
    weights: dict[str, tuple[Cell, ...]] = {}
    for place, (token, one) in enumerate(zip(eviction.tokens, found, strict=True), 1):
        rows[f"token_{place}"] = (token.name, one.fate, exact(one.score), exact(one.column_sum), token.kind)
        weights[f"token_{place}"] = (token.name, *map(exact, eviction.attention[place - 1]), *[None] * (count - place))
    return part(
        "1",
        "Which tokens are evicted",
        text("evicted", ", ".join(name for name, one in zip(names, found, strict=True) if one.fate == "evicted")),
        table("attention", ["query", *(column(f"on_{j}", name) for j, name in enumerate(names, 1))], weights),
        table("scores", ["token", "fate", "score", "sum", "kind"], rows, asked=True),
    )


def _similarity(merging: Merging, goes_to: GoesTo) -> Part:
    home = {one.token + 1: kept + 1 for kept, others in goes_to.items() for one in others}
    rows = {}
    for token in _evicted(merging):
        key = merging.keys[token - 1]
        found = (exact(cosine(key, merging.keys[kept - 1], exact_root)) for kept in merging.conserved)
        rows[f"token_{token}"] = (token, home[token], *found)
    columns = ["evicted", "goes_to", *(f"with_{kept}" for kept in merging.conserved)]
    return part("2", "Similarity", table("matrix", columns, rows, asked=True))


def _merged(merging: Merging, goes_to: GoesTo) -> Part:
    tables = (_by_rule("keys", merging.keys, goes_to), _by_rule("values", merging.values, goes_to))
    return part("3", "The merged cache", *tables)


def _by_rule(name: str, vectors: Rows, goes_to: GoesTo) -> Table:
    """What the conserved keys or values are after merging, a row for each token and rule."""
    after = {rule: merged(vectors, goes_to, rule) for rule in RULES}
    rows = {
        f"token_{kept + 1}_{rule}": (kept + 1, rule, *(exact(sympy.expand(x)) for x in after[rule][place]))
        for place, kept in enumerate(goes_to)
        for rule in RULES
    }
    return table(name, ["token", "rule", *_components(name[0], len(vectors[0]))], rows, asked=True)


def _errors(params: MergingParams) -> Part:
    """In the cache of the entry, and over random ones: mean, standard deviation, and in how many no method errs less."""
    merging, trials = params.merging, params.trials
    conserved, size = [token - 1 for token in merging.conserved], len(merging.keys)
    own = errors(params.queries, merging.keys, merging.values, conserved)
    drawn = (seeded_matrices(seed, size, len(merging.keys[0])) for seed in range(trials.seed, trials.seed + trials.n_seeds))
    by_cache = [errors(q, k, v, conserved) for q, k, v in drawn]
    ours = {name: Rounded(own[name], 2) for name in METHODS}
    most = max(pstdev([one[name] for one in by_cache]) for name in METHODS)
    rows: dict[str, tuple[Cell, ...]] = {}
    for name in METHODS:
        found = [one[name] for one in by_cache]
        best = sum(one[name] <= min(one.values()) + SAME for one in by_cache)
        rows[name] = (name, Rounded(fmean(found), 2), Rounded(pstdev(found), 2), best, ours[name])
    least = [SAID.get(name, f"{name} merging") for name in METHODS if ours[name] == min(ours.values())]
    return part(
        "4",
        "The error that is left",
        number("standard_error", significant(most / sqrt(trials.n_seeds), 1), "largest standard error of a mean", asked=True),
        text("least_in_ours", " and of ".join(least)),
        table("errors", ["method", "mean_error", column("deviation", "±"), "best_in", "our_cache"], rows, asked=True),
    )
