"""Adds up every weight, compares all pairs of keys, merges with torch's scattered means, and attends with torch.

The seminar shows a similarity matrix of evicted tokens (rows) and conserved ones (columns) with each row's maximum marked,
and averaged, pivotal and weighted merging; LOOK-M's equations 9 to 12 say how each merges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy

from generators.cells import Math
from generators.courses.sydney.seminar2_kv_merging.params import Eviction, MergingParams
from generators.found import Found, Route

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import Cache

SHEET = Route("the seminar and the parameters, read again", restates=True)
ADDED = Route("every weight of the matrix, added up")
LISTED = Route("every pair of keys, squares in fractions")
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
    rows: dict[str, dict[str, Any]] = {}
    for token, key in enumerate(merging.keys, 1):
        fate = "conserved" if token in conserved else "evicted"
        rows[f"token_{token}"] = {"token": token, "fate": fate, **{f"component_{j}": x for j, x in enumerate(key, 1)}}
    yield from SHEET.table("sheet", "keys", rows)


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
    ends = [fates(numbers, eviction.n_recent, eviction.n_top) for numbers in (scores, sums)]
    rows: dict[str, dict[str, Any]] = {}
    weights: dict[str, dict[str, Any]] = {}
    for j, token in enumerate(tokens):
        named = {"token": token.name, "kind": token.kind, "self": received[j, True], "cross": received[j, False]}
        rows[f"token_{j + 1}"] = {**named, "sum": sums[j], "score": scores[j], "fate": ends[0][j], "by_the_sum": ends[1][j]}
        padded = [*eviction.attention[j], *[None] * (len(tokens) - j - 1)]
        weights[f"token_{j + 1}"] = {"query": token.name, **{f"on_{i}": weight for i, weight in enumerate(padded, 1)}}
    yield from SHEET.part("1", "Which tokens are evicted")
    out = [token.name for token, fate in zip(tokens, ends[0], strict=True) if fate == "evicted"]
    stay = [token.name for token, fate in zip(tokens, ends[0], strict=True) if fate in {"recent", "top"}]
    yield from ADDED.values("1", kept=", ".join(stay), evicted=", ".join(out))
    yield from ADDED.values("1", largest=largest, symbols={"largest": r"\max_j A_j"})
    yield from SHEET.table("1", "attention", weights)
    yield from ADDED.table("1", "scores", rows)


def _similarity(cache: Cache) -> Iterator[Found]:
    """Each cosine from its square, exactly, and by torch."""
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import signed_square, similarities

    rows: dict[str, dict[str, Any]] = {}
    for i, home in zip(cache.evicted, cache.homes, strict=True):
        squares = {j: signed_square(cache.keys[i], cache.keys[j]) for j in cache.conserved}
        cosines = {f"conserved_{j + 1}": _root(square) for j, square in squares.items()}
        rows[f"token_{i + 1}"] = {"evicted": i + 1, **cosines, "goes_to": home + 1}
    yield from SHEET.part("2", "Similarity")
    yield from LISTED.table("2", "matrix", rows)
    floats = dict(zip(cache.evicted, similarities(cache).tolist(), strict=True))
    names = [f"conserved_{j + 1}" for j in cache.conserved]
    yield from COSINE.cells("2", "matrix", {f"token_{i + 1}": dict(zip(names, row, strict=True)) for i, row in floats.items()})
    yield from COSINE.cells("2", "matrix", {f"token_{i + 1}": {"goes_to": _first(cache, row)} for i, row in floats.items()})


def _first(cache: Cache, cosines: Sequence[float]) -> int:
    """The first conserved token whose cosine is the largest, up to rounding."""
    return 1 + next(j for j, cosine in zip(cache.conserved, cosines, strict=True) if cosine > max(cosines) - 1e-12)


def _root(square: Fraction) -> Any:
    """The cosine whose square has this size and sign."""
    root = sympy.sqrt(sympy.Rational(abs(square).numerator, square.denominator)) * (1 if square > 0 else -1)
    return Fraction(int(root.p), int(root.q)) if root.is_Rational else root


def _merged(cache: Cache) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import merged

    yield from SHEET.part("3", "The merged cache")
    for which in ("keys", "values"):
        found = {rule: merged(cache, rule, which).tolist() for rule in RULES}
        rows: dict[str, dict[str, Any]] = {}
        for place, home in enumerate(cache.conserved):
            cells = {f"{rule}_{which[0]}{j}": x for rule in RULES for j, x in enumerate(found[rule][place], 1)}
            rows[f"token_{home + 1}"] = {"token": home + 1, "merged": cache.homes.count(home), **cells}
        yield from SCATTERED.table("3", which, rows, headings={"merged": Math("L")})


def _rules(cache: Cache) -> Iterator[Found]:
    """Each rule at other numbers, in fractions, and its value by torch."""
    from generators.courses.sydney.seminar2_kv_merging.torch_merging import merged

    counts = [cache.homes.count(home) for home in cache.conserved]
    place = counts.index(max(counts))
    home = cache.conserved[place]
    others = [i for i, goes_to in zip(cache.evicted, cache.homes, strict=True) if goes_to == home]
    yield from LISTED.values("3", widest=home + 1)
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
            value = float(merged(cache, key.removesuffix("_value"), "keys")[place, 0])
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

    queries, overall = attended(cache, tuple(map(tuple, params.queries)))
    yield from SHEET.part("4", "The error that is left")
    rows = {name: {"method": name, "relative_error": error} for name, error in overall.items()}
    yield from SDPA.table("4", "overall", rows)
    headings = {f"o{j}": Math(f"o_{{{j}}}") for j in range(1, len(cache.values[0]) + 1)}
    yield from SDPA.table("4", "queries", queries, headings=headings)
