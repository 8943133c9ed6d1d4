"""Finds speculative decoding again by decoding with the target alone, adding up every draft and fate, and sampling."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise, product, takewhile
from typing import TYPE_CHECKING

import torch

from generators.answer import Cell, rational
from generators.oracles.compare import same, same_formulas, same_letters, same_rows
from generators.oracles.speculative_rounds import (
    Models,
    Rows,
    chance,
    chi_square_tail,
    counted_pairs,
    enumerated,
    redrawn,
)
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_speculative_decoding import SpeculativeParams

ADDED_UP = "enumeration: every draft and fate"
BY_TARGET = "the target alone, greedily"
REPLAYED = "replay: the same numbers"
RECURSION = "recursion: over the draft, token by token"
OTHER_DRAFT = 5
OTHER_SIZES = {"alpha": Fraction(2, 7), "gamma": Fraction(OTHER_DRAFT), "c": Fraction(1, 9)}
UNLIKELY, SURELY_WRONG = 1e-3, 1e-6
VISIBLE = 200
"""The least n(2b)², below which n runs may not show a total variation distance of b; it bounds χ² beyond its mean from below."""


def verify_speculative(params: SpeculativeParams, answer: Answer) -> Iterator[Check]:
    """Check rounds, the traced draws, the distribution, and the expected gain."""
    target, draft = (tuple(tuple(rows[word]) for word in params.vocabulary) for rows in (params.target, params.draft))
    models = Models(tuple(params.vocabulary), target, draft)
    yield from _check_greedy(params, models, answer["1"])
    yield from _check_trace(params, models, answer["2"])
    yield from _check_distribution(params, models, answer["3"])
    yield from _check_samples(params, models, answer["3"])
    yield from _check_gain(params, models, answer["4"])


def greedily(rows: Rows, first: str, length: int) -> list[str]:
    """Decode `length` tokens after `first`, one by one; of equals the first in the vocabulary."""
    found = [first]
    for _ in range(length):
        found.append(max(rows[found[-1]], key=rows[found[-1]].__getitem__))
    return found[1:]


def _check_greedy(params: SpeculativeParams, models: Models, part: Part) -> Iterator[Check]:
    """Cut the target's own text into calls: each ends with the first token that the draft gets wrong, or after all of them."""
    n, table = params.n_drafted, part.tables["rounds"]
    alone = greedily(models.target, params.first, params.n_greedy_calls * (n + 1))
    rows: list[tuple[Cell, ...]] = []
    done, before = 0, params.first
    for number in range(1, params.n_greedy_calls + 1):
        drafted = greedily(models.draft, before, n)
        right = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(drafted, alone[done:], strict=False))))
        choices = [greedily(models.target, token, 1)[0] for token in (before, *drafted)]
        emitted = alone[done : done + right + 1]
        rows.append((number, before, ", ".join(drafted), ", ".join(choices), right, ", ".join(emitted), right + 1))
        done, before = done + right + 1, emitted[-1]
    given = [(x, *models.target[x].values(), *models.draft[x].values()) for x in models.vocabulary]
    yield same_rows("1, the two models", part.tables["models"], given, "the parameters")
    yield same_rows("1, every call", table, rows, BY_TARGET)
    yield same("1, text of all calls", ", ".join(map(str, table.column("Emitted"))), ", ".join(alone[:done]), BY_TARGET)
    yield same("1, tokens", part["tokens"].value, done, BY_TARGET)
    yield same("1, tokens a call", part["tokens_per_call"].value, Fraction(done, params.n_greedy_calls), BY_TARGET)


def _ends(row: Mapping[str, Fraction]) -> list[Fraction]:
    return list(accumulate(row.values()))


def _pick(row: Mapping[str, Fraction], number: Fraction) -> str:
    return list(row)[bisect_right(_ends(row), number)]


@lru_cache(maxsize=8)
def _numbers(seed: int, decimals: int, count: int) -> tuple[Fraction, ...]:
    import numpy

    return tuple(Fraction(int(n), 10**decimals) for n in numpy.random.default_rng(seed).integers(10**decimals, size=count))


def _check_trace(params: SpeculativeParams, models: Models, part: Part) -> Iterator[Check]:
    """Try each token as r·q(x) < p(x), without the ratio that is published."""
    target, draft, n = models.target, models.draft, params.n_drafted
    numbers = _numbers(params.sampling.seed, params.sampling.decimals, 2 * n + 1)
    words = [params.first]
    for number in numbers[:n]:
        words.append(_pick(draft[words[-1]], number))
    rows: list[tuple[Cell, ...]] = []
    kept = 0
    for i, (before, x) in enumerate(pairwise(words)):
        p, q = target[before][x], draft[before][x]
        tried = numbers[n + i] if kept == i else None
        fate = "dropped unread" if tried is None else "kept" if tried * q < p else "rejected"
        kept += fate == "kept"
        rows.append((i + 1, before, numbers[i], x, p, q, p / max(p, q), tried, fate))
    yield same_rows("2, every drafted token", part.tables["trace"], rows, REPLAYED)
    yield same("2, tokens kept", part["accepted"].value, kept, REPLAYED)
    last_draw = numbers[n + min(kept + 1, n)]
    yield same("2, number of the last token", part["last_draw"].value, last_draw, REPLAYED)
    found = _last(models, words[kept], last_draw, all_kept=kept == n)
    yield same_rows("2, the last token", part.tables["last"], found, REPLAYED)


def _last(models: Models, before: str, number: Fraction, *, all_kept: bool) -> list[tuple[Cell, ...]]:
    p = models.target[before]
    q = None if all_kept else models.draft[before]
    shares = p if q is None else redrawn(p, q)
    chosen = _pick(shares, number)
    rows: list[tuple[Cell, ...]] = []
    for x, end in zip(p, _ends(shares), strict=True):
        compared = (None, None) if q is None else (q[x], p[x] - min(p[x], q[x]))
        rows.append((before, x, p[x], *compared, shares[x], end, "drawn" if x == chosen else ""))
    return rows


def _check_distribution(params: SpeculativeParams, models: Models, part: Part) -> Iterator[Check]:
    """Add up the fates of one drafted token, and of whole rounds."""
    p, q = models.target[params.first], models.draft[params.first]
    kept = {x: q[x] * min(Fraction(1), p[x] / q[x]) if q[x] else Fraction(0) for x in p}
    lost = sum((q[x] - kept[x] for x in p), Fraction(0))
    again = redrawn(p, q) if lost else p
    rows = [(x, p[x], q[x], kept[x], lost * again[x], kept[x] + lost * again[x], kept[x] + lost * p[x]) for x in p]
    table = part.tables["one_token"]
    yield same_rows("3, fates of the first drafted token", table, rows, ADDED_UP)
    yield same(
        "3, emitted like the target's", str(table.column("Emitted")), str(tuple(p.values())), "the target alone, its own row"
    )
    yield same("3, acceptance rate", part["acceptance_rate"].value, 1 - lost, ADDED_UP)
    biased = sum((max(Fraction(0), row[-1] - row[1]) for row in rows), Fraction(0))
    yield same("3, distance when drawn again from p", part["bias"].value, biased, ADDED_UP)
    found = enumerated(models, params.first, params.n_drafted)
    yield same("3, possible sequences", part["sequences"].value, found.possible, ADDED_UP)
    yield same("3, equally likely sequences", part["equal"].value, found.equal, ADDED_UP)
    yield same("3, all sequences are equally likely", part["equal"].value, found.possible, ADDED_UP)


def _check_samples(params: SpeculativeParams, models: Models, part: Part) -> Iterator[Check]:
    """Many seeded rounds must fit the published distribution; drawing again from p must not, where that shows."""
    shares = _pair_shares(models, part.tables["one_token"])
    simulation, n = params.simulation, params.n_drafted
    by = f"torch, version {torch.__version__.split('+')[0]}, chi-square on {simulation.n_sequences} runs, seed {simulation.seed}"
    for wrong in (False, True):
        if wrong and simulation.n_sequences * (2 * rational(part["bias"].value)) ** 2 < VISIBLE:
            continue
        counts = counted_pairs(models, params.first, n, simulation.n_sequences, simulation.seed, again_from_target=wrong)
        tail = chi_square_tail(counts, shares)
        yield Check(
            what=f"3, first two tokens {'when drawn again from p, which is wrong' if wrong else 'as sampled'}",
            published=f"tail probability {f'below {SURELY_WRONG:g}' if wrong else f'above {UNLIKELY:g}'}",
            found=f"{tail:.3g}",
            by=by,
            passed=tail < SURELY_WRONG if wrong else tail > UNLIKELY,
        )


def _pair_shares(models: Models, table: Table) -> torch.Tensor:
    """Shares of the first two tokens: the first as published, the second by the target."""
    emitted = dict(zip(map(str, table.column("x")), map(rational, table.column("Emitted")), strict=True))
    words = models.vocabulary
    return torch.tensor([[float(emitted[x]) * float(chance(models.target, (x, y))) for y in words] for x in words])


def recursive_tokens(rate: Fraction, n: int) -> Fraction:
    """Tokens of a round: one, and with the next token kept all those of a round with one draft less."""
    return Fraction(1) if n == 0 else 1 + rate * recursive_tokens(rate, n - 1)


def counted_tokens(rate: Fraction, n: int) -> Fraction:
    """The same from every pattern of fits and misfits."""
    mean = Fraction(0)
    for fits in product((True, False), repeat=n):
        weight = Fraction(1)
        for fit in fits:
            weight *= rate if fit else 1 - rate
        mean += weight * (1 + len(list(takewhile(bool, fits))))
    return mean


def _check_gain(params: SpeculativeParams, models: Models, part: Part) -> Iterator[Check]:
    gain, n = params.gain, params.n_drafted
    rate, cost = gain.acceptance_rates[-1], gain.cost_ratio
    by = RECURSION
    yield same("4, expected tokens", part["tokens"].value, recursive_tokens(rate, n), by)
    yield same("4, gain", part["gain"].value, recursive_tokens(rate, n) / (1 + n * cost), by)
    yield same("4, mean of the two models", part["mean"].value, enumerated(models, params.first, n).mean, ADDED_UP)
    counted = counted_tokens(OTHER_SIZES["alpha"], OTHER_DRAFT)
    in_time = counted / (1 + OTHER_DRAFT * OTHER_SIZES["c"])
    triples = [("tokens", part["tokens"].formula, counted), ("gain", part["gain"].formula, in_time)]
    alike = sum(map(min, models.target[params.first].values(), models.draft[params.first].values()), Fraction(0))
    letters = {"alpha": rate, "gamma": n, "c": cost}
    yield same_letters("4, numbers put in", part.steps, letters, {"mean_by_formula": {"alpha": alike}})
    if "mean_by_formula" in part.steps:
        yield same("4, the formula at the first rate", part["mean_by_formula"].value, recursive_tokens(alike, n), by)
        triples.append(("tokens at the first rate", part["mean_by_formula"].formula, counted))
    yield same_formulas("4, formulas", triples, OTHER_SIZES, "enumeration: every pattern of fits and misfits")
    lengths = range(1, gain.longest_draft + 1)
    tokens = {(a, k): recursive_tokens(a, k) for a in gain.acceptance_rates for k in lengths}
    rows = [(k, *(tokens[a, k] for a in gain.acceptance_rates)) for k in lengths]
    yield same_rows("4, tokens a call by draft length", part.tables["tokens"], rows, by)
    best: list[tuple[Cell, ...]] = []
    for a in gain.acceptance_rates:
        gains = [tokens[a, k] / (1 + k * cost) for k in lengths]
        k = 1 + gains.index(max(gains))
        best.append((a, recursive_tokens(a, n) / (1 + n * cost), k, tokens[a, k], max(gains)))
    yield same_rows("4, best draft length", part.tables["best"], best, by)
