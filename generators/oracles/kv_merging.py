"""Finds merging of the cache again: weights added up one by one, torch's cosine similarity, scattered means, attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy
import torch

from generators.answer import Cell
from generators.oracles.compare import Formula, close_numbers, close_rows, same, same_formulas, same_rows
from generators.steps import Answer, Check, Part, Step, Table

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_kv_merging import Eviction, Merging, MergingParams

VERSION = torch.__version__.split("+")[0]
ADDED = "enumeration: every weight of the matrix"
LISTED = "enumeration: every pair of keys, squares in fractions"
COSINE = f"torch {VERSION}, cosine_similarity"
SCATTERED = f"torch {VERSION}, scatter_reduce to means"
SDPA = f"torch {VERSION}, scaled_dot_product_attention, float64"
RULES = ("averaged", "pivotal", "weighted")

Rows = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Cache:
    """Keys and values (n, d) as fractions and in float64, conserved and evicted tokens from 0, and where the latter go."""

    keys: Rows
    values: Rows
    conserved: tuple[int, ...]
    evicted: tuple[int, ...]
    homes: tuple[int, ...]

    @property
    def index(self) -> torch.Tensor:
        """For each evicted token the place among the conserved ones to which it goes."""
        return torch.tensor([self.conserved.index(home) for home in self.homes])


def tensor(rows: Rows) -> torch.Tensor:
    """Fractions in float64."""
    return torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float64)


def _ordered(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """The square of the cosine with the cosine's sign."""
    product = sum(a * b for a, b in zip(left, right, strict=True))
    square = Fraction(product * product) / (sum(a * a for a in left) * sum(b * b for b in right))
    return square if product > 0 else -square


@lru_cache(maxsize=8)
def _cache(keys: Rows, values: Rows, conserved: tuple[int, ...]) -> Cache:
    evicted = tuple(i for i in range(len(keys)) if i not in conserved)
    homes = []
    for i in evicted:
        best = conserved[0]
        for j in conserved[1:]:
            if _ordered(keys[i], keys[j]) > _ordered(keys[i], keys[best]):
                best = j
        homes.append(best)
    return Cache(keys, values, conserved, evicted, tuple(homes))


def cache_of(merging: Merging) -> Cache:
    """The cache of the parameters, each evicted token assigned by comparing all pairs."""
    rows = (tuple(map(tuple, merging.keys)), tuple(map(tuple, merging.values)))
    return _cache(*rows, tuple(number - 1 for number in merging.conserved))


@lru_cache(maxsize=32)
def similarities(cache: Cache) -> torch.Tensor:
    """Cosines (evicted, conserved) by torch."""
    keys = tensor(cache.keys)
    left, right = keys[list(cache.evicted)], keys[list(cache.conserved)]
    return torch.nn.functional.cosine_similarity(left[:, None], right[None], dim=-1)


@lru_cache(maxsize=64)
def merged(cache: Cache, rule: str, which: str) -> torch.Tensor:
    """Conserved keys or values after merging: the mean of a token and of all that is scattered to it."""
    rows = tensor(cache.keys if which == "keys" else cache.values)
    own, index = rows[list(cache.conserved)], cache.index
    moved = rows[list(cache.evicted)]
    if rule == "pivotal":
        moved = (moved + own[index]) / 2
    elif rule == "weighted":
        moved = moved * similarities(cache).gather(1, index[:, None])
    return own.scatter_reduce(0, index[:, None].expand_as(moved), moved, "mean", include_self=True)


def verify_merging(params: MergingParams, answer: Answer) -> Iterator[Check]:
    """Check scores of eviction, similarities, merged tokens and errors."""
    cache = cache_of(params.merging)
    yield from _check_eviction(params.eviction, answer["1"])
    yield from _check_similarity(cache, answer["2"].tables["matrix"])
    yield from _check_merged(cache, answer["3"])
    queries, overall = attended(cache, tuple(map(tuple, params.queries)))
    yield close_rows("4, outputs and errors of every query", answer["4"].tables["queries"], queries, SDPA)
    yield close_rows("4, error over all queries", answer["4"].tables["overall"], overall, SDPA)


def _check_eviction(eviction: Eviction, part: Part) -> Iterator[Check]:
    n = len(eviction.tokens)
    received: dict[tuple[int, bool], Fraction] = {}
    for i, row in enumerate(eviction.attention):
        for j, weight in enumerate(row):
            key = j, eviction.tokens[i].kind == eviction.tokens[j].kind
            received[key] = received.get(key, Fraction(0)) + weight
    sums = [received.get((j, True), Fraction(0)) + received.get((j, False), Fraction(0)) for j in range(n)]
    largest = sorted(sums)[-1]
    scores = [sums[j] + largest * (eviction.tokens[j].kind == "text") for j in range(n)]
    fates = [_fates(numbers, eviction.n_recent, eviction.n_top) for numbers in (scores, sums)]
    rows: list[list[Cell]] = []
    for j, token in enumerate(eviction.tokens):
        split = [received.get((j, alike), Fraction(0)) for alike in (True, False)]
        rows.append([token.name, token.kind, *split, sums[j], scores[j], fates[0][j], fates[1][j]])
    yield same_rows("1, scores and fates", part.tables["scores"], rows, ADDED)
    yield same("1, largest column sum", part["largest"].value, largest, ADDED)
    weights: list[list[Cell]] = [
        [token.name, *row, *[None] * (n - len(row))] for token, row in zip(eviction.tokens, eviction.attention, strict=True)
    ]
    yield same_rows("1, weights", part.tables["attention"], weights, "the parameters")


def _fates(scores: list[Fraction], n_recent: int, n_top: int) -> list[str]:
    """A token that is not recent is among the top when fewer than n_top of the others stand before it."""
    old = scores[: len(scores) - n_recent]
    ranks = [sum(other > score or (other == score and i < j) for i, other in enumerate(old)) for j, score in enumerate(old)]
    return ["top" if rank < n_top else "evicted" for rank in ranks] + ["recent"] * n_recent


def _check_similarity(cache: Cache, table: Table) -> Iterator[Check]:
    published = [cell for row in table.rows for cell in row[1:-1]]
    yield close_numbers("2, similarity of every pair", published, similarities(cache).flatten().tolist(), COSINE)
    squares = [_ordered(cache.keys[i], cache.keys[j]) for i in cache.evicted for j in cache.conserved]
    ours = [_signed_square(cell) for cell in published]
    yield same("2, squares of the similarities", ", ".join(map(str, ours)), ", ".join(map(str, squares)), LISTED)
    ends = Table(header=("Evicted", "Goes to"), rows=tuple((row[0], row[-1]) for row in table.rows))
    homes = [(i + 1, home + 1) for i, home in zip(cache.evicted, cache.homes, strict=True)]
    yield same_rows("2, where each evicted token goes", ends, homes, LISTED)


def _signed_square(cell: Cell) -> Cell:
    number = sympy.sympify(cell)
    square = number * abs(number)
    return Fraction(int(square.p), int(square.q)) if square.is_Rational else number


def _check_merged(cache: Cache, part: Part) -> Iterator[Check]:
    sizes = [(home + 1, cache.homes.count(home)) for home in cache.conserved]
    for which in ("keys", "values"):
        table = part.tables[which]
        ends = Table(header=table.header[:2], rows=tuple(row[:2] for row in table.rows))
        yield same_rows(f"3, tokens merged into each, {which}", ends, sizes, LISTED)
        found = torch.cat([merged(cache, rule, which) for rule in RULES], 1).flatten().tolist()
        yield close_numbers(f"3, merged {which}", [cell for row in table.rows for cell in row[2:]], found, SCATTERED)
    most = max(size for _, size in sizes)
    place = [size for _, size in sizes].index(most)
    home = cache.conserved[place]
    others = [i for i, goes_to in zip(cache.evicted, cache.homes, strict=True) if goes_to == home]
    for rule in RULES:
        line = part[rule]
        value = float(merged(cache, rule, "keys")[place, 0])
        yield close_numbers(f"3, {line.what}", [line.value], [value], SCATTERED)
        yield _check_inputs(cache, home, others, rule, line)
    sizes_other = _other_numbers(home, others)
    triples: list[Formula] = [(rule, part[rule].formula, _by_hand(sizes_other, home, others, rule)) for rule in RULES]
    yield same_formulas(f"3, rules for the first component of key {home + 1}", triples, sizes_other, "fractions, term by term")


def _check_inputs(cache: Cache, home: int, others: Sequence[int], rule: str, line: Step) -> Check:
    """The numbers put into a rule are the keys' components and torch's similarities, of the tokens that belong to it."""
    place = cache.conserved.index(home)
    wanted = {f"k_{token + 1}": float(cache.keys[token][0]) for token in (home, *others)}
    if rule == "weighted":
        rows = {token: cache.evicted.index(token) for token in others}
        wanted |= {f"s_{token + 1}": float(similarities(cache)[row, place]) for token, row in rows.items()}
    given = {str(symbol): value for symbol, value in line.at.items()}
    names = sorted(wanted)
    if sorted(given) != names:
        return same(f"3, numbers put into the {rule} rule", ", ".join(sorted(given)), ", ".join(names), LISTED)
    return close_numbers(
        f"3, numbers put into the {rule} rule", [given[name] for name in names], [wanted[name] for name in names], COSINE
    )


def _other_numbers(home: int, others: Sequence[int]) -> dict[str, int | Fraction]:
    numbers: dict[str, int | Fraction] = {f"k_{token + 1}": Fraction(token + 3, 7) for token in (home, *others)}
    return numbers | {f"s_{token + 1}": Fraction(1, token + 2) for token in others}


def _by_hand(numbers: Mapping[str, int | Fraction], home: int, others: Sequence[int], rule: str) -> Fraction:
    total = own = Fraction(numbers[f"k_{home + 1}"])
    for token in others:
        key = Fraction(numbers[f"k_{token + 1}"])
        total += {"averaged": key, "pivotal": (key + own) / 2, "weighted": numbers[f"s_{token + 1}"] * key}[rule]
    return total / (1 + len(others))


@lru_cache(maxsize=8)
def attended(cache: Cache, queries: Rows) -> tuple[list[list[Cell]], list[list[Cell]]]:
    """The outputs of all tokens with each method's relative error, query by query and over all."""
    q, keys, values = tensor(queries), tensor(cache.keys), tensor(cache.values)
    kept = list(cache.conserved)
    true = _output(q, keys, values)
    outputs = {"eviction": _output(q, keys[kept], values[kept])}
    outputs |= {rule: _output(q, merged(cache, rule, "keys"), merged(cache, rule, "values")) for rule in RULES}
    rows: list[list[Cell]] = []
    for i in range(len(q)):
        errors = (float((found[i] - true[i]).norm() / true[i].norm()) for found in outputs.values())
        rows.append([i + 1, *true[i].tolist(), *errors])
    overall: list[list[Cell]] = [[name, float((found - true).norm() / true.norm())] for name, found in outputs.items()]
    return rows, overall


def _output(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]
