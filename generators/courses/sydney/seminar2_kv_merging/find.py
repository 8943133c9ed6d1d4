"""Adds up every weight, compares keys and merges with torch's scattered means, and attends with torch.

The seminar shows a similarity matrix of evicted tokens (rows) and conserved ones (columns) with each row's maximum marked,
and averaged, pivotal and weighted merging; LOOK-M's equations 9 to 12 say how each merges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from generators.cells import Cell, Math
from generators.courses.sydney.seminar2_kv_merging.params import Eviction, MergingParams
from generators.found import Found, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import Cache

SHEET = Route("the seminar and the parameters, read again", restates=True)
ADDED = Route("every weight of the matrix, added up")
COSINE = Route("torch, cosine_similarity", tolerance=1e-12, absolute=1e-12)
SCATTERED = Route("torch, scatter_reduce to means", tolerance=1e-12, absolute=1e-12)
BY_HAND = Route("other numbers merged in fractions, term by term")
SDPA = Route("torch, scaled_dot_product_attention, float64", tolerance=1e-9, absolute=1e-12)
RULES = ("averaged", "pivotal", "weighted")


def find(params: MergingParams) -> Iterator[Found]:
    """Everything that is published about merging."""
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import cache_of

    cache = cache_of(params.merging)
    yield from _given(params)
    yield from _eviction(params.eviction)
    yield from _similarity(cache)
    yield from _merged(cache)
    yield from _rules(cache)
    yield from _errors(params, cache)


def _given(params: MergingParams) -> Iterator[Found]:
    merging, eviction = params.merging, params.eviction
    conserved, count = set(merging.conserved), len(merging.keys)
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", recent=_some("the last", eviction.n_recent), top=_some("the", eviction.n_top))
    inside = (sorted(conserved), sorted(set(range(1, count + 1)) - conserved))
    said = [", ".join(map(str, tokens)) for tokens in inside]
    yield from SHEET.values("sheet", conserved=Math(rf"K_c = \{{ {said[0]} \}}"), evicted=Math(rf"K_e = \{{ {said[1]} \}}"))
    yield from SHEET.values("sheet", n_tokens=count, n_queries=len(params.queries), plane=len(merging.keys[0]) == 2)
    fates = ["conserved" if token in conserved else "evicted" for token in range(1, count + 1)]
    rows = {f"token_{token}": (token, fate, *key) for token, (fate, key) in enumerate(zip(fates, merging.keys, strict=True), 1)}
    columns = ["token", "fate", *(f"component_{j}" for j, _ in enumerate(merging.keys[0], 1))]
    yield from SHEET.table("sheet", "keys", rows, columns=columns)


def _some(words: str, count: int) -> str:
    return f"{words} token" if count == 1 else f"{words} {count} tokens"


def _eviction(eviction: Eviction) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import fates

    tokens = eviction.tokens
    received = {(j, alike): Fraction(0) for j in range(len(tokens)) for alike in (True, False)}
    for i, row in enumerate(eviction.attention):
        for j, weight in enumerate(row):
            received[j, tokens[i].kind == tokens[j].kind] += weight
    sums = [received[j, True] + received[j, False] for j in range(len(tokens))]
    largest = sorted(sums)[-1]
    scores = [one + largest * (token.kind == "text") for one, token in zip(sums, tokens, strict=True)]
    ends, by_the_sum = (fates(numbers, eviction.n_recent, eviction.n_top) for numbers in (scores, sums))
    rows: dict[str, tuple[Cell, ...]] = {}
    weights: dict[str, tuple[Cell, ...]] = {}
    for j, token in enumerate(tokens):
        added = (received[j, True], received[j, False], sums[j], scores[j])
        rows[f"token_{j + 1}"] = (token.name, token.kind, *added, ends[j], by_the_sum[j])
        weights[f"token_{j + 1}"] = (token.name, *eviction.attention[j], *[None] * (len(tokens) - j - 1))
    yield from SHEET.part("1", "Which tokens are evicted")
    out = [token.name for token, fate in zip(tokens, ends, strict=True) if fate == "evicted"]
    stay = [token.name for token, fate in zip(tokens, ends, strict=True) if fate in {"recent", "top"}]
    yield from ADDED.values("1", kept=", ".join(stay), evicted=", ".join(out))
    yield from ADDED.values("1", largest=largest, symbols={"largest": r"\max_j A_j"})
    yield from SHEET.table("1", "attention", weights, columns=["query", *(f"on_{i}" for i, _ in enumerate(tokens, 1))])
    columns = ["token", "kind", "self", "cross", "sum", "score", "fate", "by_the_sum"]
    yield from ADDED.table("1", "scores", rows, columns=columns)


def _similarity(cache: Cache) -> Iterator[Found]:
    cells = zip(cache.evicted, cache.cosines.tolist(), cache.homes, strict=True)
    rows = {f"token_{token + 1}": (token + 1, *cosines, home + 1) for token, cosines, home in cells}
    columns = ["evicted", *(f"conserved_{j + 1}" for j in cache.conserved), "goes_to"]
    yield from SHEET.part("2", "Similarity")
    yield from COSINE.table("2", "matrix", rows, columns=columns)


def _merged(cache: Cache) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import merged

    yield from SHEET.part("3", "The merged cache")
    for which, vectors in (("keys", cache.keys), ("values", cache.values)):
        found = [merged(cache, rule, vectors).tolist() for rule in RULES]
        rows = {f"token_{home + 1}": (home + 1, cache.homes.count(home), *(x for own in places for x in own))
                for home, *places in zip(cache.conserved, *found, strict=True)}  # fmt: skip
        names = [f"{rule}_{which[0]}{j}" for rule in RULES for j in range(1, vectors.shape[1] + 1)]
        yield from SCATTERED.table("3", which, rows, headings={"merged": Math("L")}, columns=["token", "merged", *names])


def _rules(cache: Cache) -> Iterator[Found]:
    """Each rule at other numbers, in fractions, and its value by torch."""
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import merged

    counts = [cache.homes.count(home) for home in cache.conserved]
    place = counts.index(max(counts))
    home = cache.conserved[place]
    others = [i for i, goes_to in zip(cache.evicted, cache.homes, strict=True) if goes_to == home]
    yield from COSINE.values("3", widest=home + 1)
    lines: dict[str, tuple[str, Any]] = {}
    for rule in RULES:
        symbol = rf"k_{{\text{{{rule}}}}}"
        worlds = [_numbers(home, others, seed) for seed in (3, 8)]
        lines[rule] = (symbol, [(world, _by_hand(world, home, others, rule)) for world in worlds])
        lines[f"{rule}_value"] = (symbol, None)
    yield Found("3/rules@lines", tuple(lines), SHEET)
    for key, (symbol, cases) in lines.items():
        yield Found(f"3/rules/{key}@symbol", symbol, SHEET)
        if cases:
            yield from BY_HAND.worlds(f"3/rules/{key}", cases)
        else:
            value = float(merged(cache, key.removesuffix("_value"), cache.keys)[place, 0])
            yield Found(f"3/rules/{key}", value, SCATTERED)


def _numbers(home: int, others: Sequence[int], seed: int) -> dict[str, Fraction]:
    numbers = {f"k_{token + 1}": Fraction(token + seed, 7) for token in (home, *others)}
    return numbers | {f"s_{token + 1}": Fraction(seed, token + 11) for token in others}


def _by_hand(numbers: Mapping[str, Fraction], home: int, others: Sequence[int], rule: str) -> Fraction:
    total = own = numbers[f"k_{home + 1}"]
    for token in others:
        key = numbers[f"k_{token + 1}"]
        total += {"averaged": key, "pivotal": (key + own) / 2, "weighted": numbers[f"s_{token + 1}"] * key}[rule]
    return total / (1 + len(others))


def _errors(params: MergingParams, cache: Cache) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import attended

    true, outputs = attended(cache, params.queries)
    yield from SHEET.part("4", "The error that is left")
    overall = {name: (name, float((found - true).norm() / true.norm())) for name, found in outputs.items()}
    yield from SDPA.table("4", "overall", overall, columns=["method", "relative_error"])
    headings = {f"o{j}": Math(f"o_{{{j}}}") for j in range(1, true.shape[1] + 1)}
    errors = [((found - true).norm(dim=1) / true.norm(dim=1)).tolist() for found in outputs.values()]
    cells = zip(true.tolist(), *errors, strict=True)
    queries = {f"query_{i}": (i, *components, *of_methods) for i, (components, *of_methods) in enumerate(cells, 1)}
    yield from SDPA.table("4", "queries", queries, headings=headings, columns=["query", *headings, *outputs])
