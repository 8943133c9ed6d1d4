"""Adds up every weight, compares keys and merges with torch's scattered means, and attends with torch.

The seminar shows a similarity matrix of evicted tokens (rows) and conserved ones (columns) with each row's maximum marked,
and averaged, pivotal and weighted merging; LOOK-M's equations 9 to 12 say how each merges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from generators.cells import Math, Row
from generators.courses.sydney.seminar2_kv_merging.params import Eviction, MergingParams
from generators.found import Found, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import Cache

SHEET = Route("the seminar and the parameters, read again", restates=True)
ADDED = Route("every weight of the matrix, added up")
COSINE = Route("torch, cosine_similarity", tolerance=1e-12, absolute=1e-12)
SCATTERED = Route("torch, scatter_reduce to means", tolerance=1e-12, absolute=1e-12)
SDPA = Route("torch, scaled_dot_product_attention, float64", tolerance=1e-9, absolute=1e-12)
GIVEN = dict.fromkeys(("token", "kind", "rule", "method", "evicted"), SHEET)
RULES = ("averaged", "pivotal", "weighted")
NEAR = 1e-9  # errors in one cache that differ by less are equal


def find(params: MergingParams) -> Iterator[Found]:
    """Everything that is published about merging."""
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import cache_of, tensor

    merging = params.merging
    cache = cache_of(tensor(merging.keys), tensor(merging.values), merging.conserved)
    yield from _given(params)
    yield from _tokens(params)
    yield from _eviction(params.eviction)
    yield from _similarity(cache)
    yield from _merged(cache)
    yield from _errors(params, cache)


def _given(params: MergingParams) -> Iterator[Found]:
    merging, eviction = params.merging, params.eviction
    conserved, count = merging.conserved, len(merging.keys)
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", recent=_some("the last", eviction.n_recent), top=_some("the", eviction.n_top))
    inside = (sorted(conserved), sorted({*range(1, count + 1)} - {*conserved}))
    said = [", ".join(map(str, tokens)) for tokens in inside]
    yield from SHEET.values("sheet", conserved=Math(rf"K_c = \{{ {said[0]} \}}"), evicted=Math(rf"K_e = \{{ {said[1]} \}}"))
    yield from SHEET.values("sheet", n_tokens=count, n_queries=len(params.queries), n_seeds=params.trials.n_seeds)


def _tokens(params: MergingParams) -> Iterator[Found]:
    merging = params.merging
    rows: dict[str, Row] = {}
    for number, key in enumerate(merging.keys, 1):
        fate = "conserved" if number in merging.conserved else "evicted"
        rows[f"token_{number}"] = (number, fate, *key, *merging.values[number - 1])
    names = _names("k", merging.keys) | _names("v", merging.values)
    yield from SHEET.table("sheet", "cache", rows, headings=names, columns=["token", "fate", *names])
    queries = {f"query_{number}": (number, *query) for number, query in enumerate(params.queries, 1)}
    names = _names("q", params.queries)
    yield from SHEET.table("sheet", "queries", queries, headings=names, columns=["query", *names])


def _some(words: str, count: int) -> str:
    return f"{words} token" if count == 1 else f"{words} {count} tokens"


def _names(letter: str, rows: Sequence[Sequence[Any]]) -> dict[str, str | Math]:
    return {f"{letter}{j}": Math(rf"{letter}^{{({j})}}") for j, _ in enumerate(rows[0], 1)}


def _eviction(eviction: Eviction) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import fates

    tokens = eviction.tokens
    sums = [Fraction(0) for _ in tokens]
    for row in eviction.attention:
        for j, weight in enumerate(row):
            sums[j] += weight
    largest = sorted(sums)[-1]
    scores = [one + largest if token.kind == "text" else one for one, token in zip(sums, tokens, strict=True)]
    ends = fates(scores, eviction.n_recent, eviction.n_top)
    rows: dict[str, Row] = {}
    weights: dict[str, Row] = {}
    for j, token in enumerate(tokens):
        rows[f"token_{j + 1}"] = (token.name, ends[j], scores[j], sums[j], token.kind)
        weights[f"token_{j + 1}"] = (token.name, *eviction.attention[j], *[None] * (len(tokens) - j - 1))
    yield from SHEET.part("1", "Which tokens are evicted")
    out = ", ".join(token.name for token, fate in zip(tokens, ends, strict=True) if fate == "evicted")
    yield from ADDED.values("1", evicted=out)
    names: dict[str, str | Math] = {f"on_{i}": token.name for i, token in enumerate(tokens, 1)}
    yield from SHEET.table("1", "attention", weights, headings=names, columns=["query", *names])
    yield from ADDED.table("1", "scores", rows, columns=["token", "fate", "score", "sum", "kind"], given=GIVEN)


def _similarity(cache: Cache) -> Iterator[Found]:
    cells = zip(cache.evicted, cache.cosines.tolist(), cache.places, strict=True)
    rows = {f"token_{token + 1}": (token + 1, cache.conserved[place] + 1, *cosines) for token, cosines, place in cells}
    columns = ["evicted", "goes_to", *(f"with_{j + 1}" for j in cache.conserved)]
    yield from SHEET.part("2", "Similarity")
    yield from COSINE.table("2", "matrix", rows, columns=columns, given=GIVEN)


def _merged(cache: Cache) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import merged

    yield from SHEET.part("3", "The merged cache")
    for key, vectors in (("keys", cache.keys), ("values", cache.values)):
        rows = {}
        for place, home in enumerate(cache.conserved):
            for rule in RULES:
                rows[f"token_{home + 1}_{rule}"] = (home + 1, rule, *merged(cache, rule, vectors)[place].tolist())
        names = _names(key[0], vectors.tolist())
        yield from SCATTERED.table("3", key, rows, headings=names, columns=["token", "rule", *names], given=GIVEN)


def _errors(params: MergingParams, cache: Cache) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import errors, random_errors, tensor

    found = random_errors(params)
    own, means, deviations = errors(cache, tensor(params.queries)), found.mean(0), found.std(0, correction=0)
    best = (found - found.min(dim=1, keepdim=True).values < NEAR).sum(0).tolist()
    rounded = [[round(x, 2) for x in numbers.tolist()] for numbers in (means, deviations, own)]
    rows = {name: (name, mean, deviation, times, ours)
            for name, mean, deviation, ours, times in zip(("eviction", *RULES), *rounded, best, strict=True)}  # fmt: skip
    columns = ["method", "mean_error", "deviation", "best_in", "our_cache"]
    yield from SHEET.part("4", "The error that is left")
    said = ("eviction alone", "averaged merging", "pivotal merging", "weighted merging")
    least = " and of ".join(name for name, ours in zip(said, rounded[2], strict=True) if ours <= sorted(rounded[2])[0])
    error = float((deviations.max() / params.trials.n_seeds**0.5).item())
    yield from SDPA.values("4", least_in_ours=least, standard_error=float(f"{error:.0e}"))
    yield from SDPA.table("4", "errors", rows, headings={"deviation": "±"}, columns=columns, given=GIVEN)
