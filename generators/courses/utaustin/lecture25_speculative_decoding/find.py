"""Finds speculative decoding again by decoding with the target alone, adding up every draft and fate, and sampling.

From the lecture's sources: a draft proposes γ tokens; greedily, those stay that the target would have chosen; sampled, a
token x stays with probability min(1, p(x)/q(x)) and is otherwise drawn again from what p has beyond q.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise, product, takewhile

from generators.cells import Cell
from generators.courses.utaustin.lecture25_speculative_decoding.enumeration import (
    Models,
    Rows,
    chance,
    enumerated,
    redrawn,
)
from generators.courses.utaustin.lecture25_speculative_decoding.params import SpeculativeParams
from generators.found import Found, Proof, Route

SHEET = Route("the lecture and the parameters, read again", restates=True)
ADDED_UP = Route("enumeration: every draft and fate")
BY_TARGET = Route("the target alone, greedily")
REPLAYED = Route("replay: the same numbers")
RECURSION = Route("recursion: over the draft, token by token")
PATTERNS = Route("enumeration: every pattern of fits and misfits")
SAMPLED = Route("torch, chi-square of seeded runs")
UNLIKELY, SURELY_WRONG = 1e-3, 1e-6
VISIBLE = 200
"""The least n(2b)², below which n runs may not show a total variation distance of b; it bounds χ² beyond its mean from below."""
NAMES = {"x": "x", "p": "p(x)", "q": "q(x)"}


def find(params: SpeculativeParams) -> Iterator[Found | Proof]:
    """Everything that is published of both models, of rounds followed and added up, and of the gain."""
    target, draft = (tuple(tuple(rows[word]) for word in params.vocabulary) for rows in (params.target, params.draft))
    models = Models(tuple(params.vocabulary), target, draft)
    yield from _given(params, models)
    yield from _greedy(params, models)
    yield from _trace(params, models)
    yield from _distribution(params, models)
    yield from _gain(params, models)


def _given(params: SpeculativeParams, models: Models) -> Iterator[Found]:
    words, n = models.vocabulary, params.n_drafted
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", first=params.first, seed=params.sampling.seed, decimals=params.sampling.decimals)
    yield from SHEET.letters("sheet", gamma=n, c=params.gain.cost_ratio)
    yield from SHEET.values("sheet", one_drafted=n == 1, several_drafted=n > 1)
    rows: dict[str, dict[str, Cell]] = {}
    headings = {}
    for number, before in enumerate(words, 1):
        row = rows[f"token_{number}"] = {"after": before}
        for name, held in (("target", models.target), ("draft", models.draft)):
            for place, word in enumerate(words, 1):
                row[f"{name}_{place}"] = held[before][word]
                headings[f"{name}_{place}"] = f"{name}: {word}"
    yield from SHEET.table("sheet", "models", rows, headings=headings)


def greedily(rows: Rows, first: str, length: int) -> list[str]:
    """Decode `length` tokens after `first`, one by one; of equals the first in the vocabulary."""
    found = [first]
    for _ in range(length):
        found.append(max(rows[found[-1]], key=rows[found[-1]].__getitem__))
    return found[1:]


def _greedy(params: SpeculativeParams, models: Models) -> Iterator[Found]:
    """Cut the target's own text into calls: each ends with the first token that the draft gets wrong, or after all of them."""
    n, calls = params.n_drafted, params.n_greedy_calls
    alone = greedily(models.target, params.first, calls * (n + 1))
    rows: dict[str, dict[str, Cell]] = {}
    places: dict[str, dict[str, Cell]] = {}
    done, before = 0, params.first
    for call in range(1, calls + 1):
        drafted = greedily(models.draft, before, n)
        right = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(drafted, alone[done:], strict=False))))
        choices = [greedily(models.target, token, 1)[0] for token in (before, *drafted)]
        emitted = alone[done : done + right + 1]
        said = {"drafted": ", ".join(drafted), "choices": ", ".join(choices), "accepted": right, "emitted": ", ".join(emitted)}
        rows[f"call_{call}"] = {"call": call, "after": before, **said, "tokens": right + 1}
        fates = ["kept"] * right + ["own"] + ["unused"] * (n - right)
        for place, (one, choice, fate) in enumerate(zip([*drafted, None], choices, fates, strict=True), 1):
            places[f"call_{call}.{place}"] = {"call": call, "drafted": one, "choice": choice, "fate": fate}
        done, before = done + right + 1, emitted[-1]
    yield from SHEET.part("1", "Greedy")
    yield from BY_TARGET.table("1", "rounds", rows, headings={"choices": "Target's choices"})
    yield from BY_TARGET.table("1", "places", places)
    yield from BY_TARGET.values(
        "1", calls=calls, tokens=done, tokens_per_call=Fraction(done, calls), text=", ".join(alone[:done])
    )


def _ends(row: Mapping[str, Fraction]) -> list[Fraction]:
    return list(accumulate(row.values()))


def _pick(row: Mapping[str, Fraction], number: Fraction) -> str:
    return list(row)[bisect_right(_ends(row), number)]


@lru_cache(maxsize=8)
def _numbers(seed: int, decimals: int, count: int) -> tuple[Fraction, ...]:
    import numpy

    return tuple(Fraction(int(n), 10**decimals) for n in numpy.random.default_rng(seed).integers(10**decimals, size=count))


def _trace(params: SpeculativeParams, models: Models) -> Iterator[Found]:
    """Try each token as r·q(x) < p(x), without the ratio that is published."""
    target, draft, n = models.target, models.draft, params.n_drafted
    numbers = _numbers(params.sampling.seed, params.sampling.decimals, 2 * n + 1)
    words = [params.first]
    for number in numbers[:n]:
        words.append(_pick(draft[words[-1]], number))
    rows: dict[str, dict[str, Cell]] = {}
    kept = 0
    for i, (before, x) in enumerate(pairwise(words)):
        p, q = target[before][x], draft[before][x]
        tried = numbers[n + i] if kept == i else None
        fate = "dropped unread" if tried is None else "kept" if tried * q < p else "rejected"
        kept += fate == "kept"
        drawn: dict[str, Cell] = {"number": i + 1, "after": before, "r_drafting": numbers[i], "x": x, "p": p, "q": q}
        rows[f"drafted_{i + 1}"] = {**drawn, "keep": p / max(p, q), "r_trying": tried, "fate": fate}
    headings = {**NAMES, "number": "No.", "r_drafting": "r drafting", "keep": "min(1, p/q)", "r_trying": "r trying"}
    yield from SHEET.part("2", "With rejection and resampling")
    yield from REPLAYED.table("2", "trace", rows, headings=headings)
    number = numbers[n + min(kept + 1, n)]
    yield from REPLAYED.values("2", last_draw=number, symbols={"last_draw": "r"})
    yield from REPLAYED.values("2", accepted=kept, rejected=kept < n, all_kept=kept == n, last_after=words[kept])
    if kept < n:
        yield from REPLAYED.values("2", rejected_token=words[kept + 1])
    yield from _last(models, words[: kept + 1], number, all_kept=kept == n)


def _last(models: Models, so_far: Sequence[str], number: Fraction, *, all_kept: bool) -> Iterator[Found]:
    """The token behind those that were kept."""
    p, q = models.target[so_far[-1]], models.draft[so_far[-1]]
    shares = p if all_kept else redrawn(p, q)
    chosen = _pick(shares, number)
    rows: dict[str, dict[str, Cell]] = {}
    for place, (x, end) in enumerate(zip(p, _ends(shares), strict=True), 1):
        beyond: dict[str, Cell] = {"q": q[x], "excess": p[x] - min(p[x], q[x]), "drawn_with": shares[x]}
        result = "drawn" if x == chosen else ""
        rows[f"token_{place}"] = {"x": x, "p": p[x], **({} if all_kept else beyond), "share_ends_at": end, "result": result}
    headings = {"x": "x", "p": "p(x)"} if all_kept else {**NAMES, "excess": "max(0, p - q)"}
    yield from REPLAYED.table("2", "last", rows, headings=headings)
    yield from REPLAYED.values("2", last_token=chosen, text=", ".join([*so_far[1:], chosen]))


def _distribution(params: SpeculativeParams, models: Models) -> Iterator[Found | Proof]:
    """Add up the fates of one drafted token, and of whole rounds; every token must come out as the target alone gives it."""
    p, q = models.target[params.first], models.draft[params.first]
    kept = {x: q[x] * min(Fraction(1), p[x] / q[x]) if q[x] else Fraction(0) for x in p}
    lost = sum((q[x] - kept[x] for x in p), Fraction(0))
    again = redrawn(p, q) if lost else p
    rows: dict[str, dict[str, Cell]] = {}
    for place, x in enumerate(p, 1):
        fates = {"drafted_and_kept": kept[x], "drawn_again": lost * again[x], "emitted": kept[x] + lost * again[x]}
        rows[f"token_{place}"] = {"x": x, "p": p[x], "q": q[x], **fates, "if_drawn_again_from_p": kept[x] + lost * p[x]}
    yield from SHEET.part("3", "The distribution is unchanged")
    yield from ADDED_UP.table("3", "one_token", rows, headings=NAMES)
    yield from BY_TARGET.cells("3", "one_token", {row: {"emitted": share} for row, share in zip(rows, p.values(), strict=True)})
    bias = sum((max(Fraction(0), kept[x] + lost * p[x] - p[x]) for x in p), Fraction(0))
    found = enumerated(models, params.first, params.n_drafted)
    yield from ADDED_UP.values("3", acceptance_rate=1 - lost, symbols={"acceptance_rate": "beta"})
    yield from ADDED_UP.values("3", bias=bias, symbols={"bias": "d"})
    yield from ADDED_UP.values("3", length=params.n_drafted + 1, sequences=found.possible, equal=found.equal)
    yield from ADDED_UP.proof("sequences that are not as likely as from the target alone", found.possible - found.equal)
    yield from _samples(params, models, bias)


def _samples(params: SpeculativeParams, models: Models, bias: Fraction) -> Iterator[Proof]:
    """Many seeded rounds must fit the target's distribution; drawing again from p must not, where that shows."""
    import torch

    from generators.courses.utaustin.lecture25_speculative_decoding.sampling import chi_square_tail, counted_pairs

    words, simulation = models.vocabulary, params.simulation
    first = [chance(models.target, (params.first, x)) for x in words]
    shares = [[float(p * models.target[x][y]) for y in words] for x, p in zip(words, first, strict=True)]
    for wrong in (False, True):
        if wrong and simulation.n_sequences * (2 * bias) ** 2 < VISIBLE:
            continue
        counts = counted_pairs(
            models, params.first, params.n_drafted, simulation.n_sequences, simulation.seed, again_from_target=wrong
        )
        tail = chi_square_tail(counts, torch.tensor(shares))
        what = f"first two tokens of {simulation.n_sequences} runs, seed {simulation.seed}"
        if wrong:
            yield from SAMPLED.proof(f"{what}, when drawn again from p, are unlike the target's", max(0.0, tail - SURELY_WRONG))
        else:
            yield from SAMPLED.proof(f"{what}, are like the target's", max(0.0, UNLIKELY - tail))


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


def _gain(params: SpeculativeParams, models: Models) -> Iterator[Found]:
    gain, n = params.gain, params.n_drafted
    rate, cost = gain.acceptance_rates[-1], gain.cost_ratio
    yield from SHEET.part("4", "Tokens a call and walltime gain")
    yield from SHEET.letters("4", alpha=rate)
    for route, tokens in ((RECURSION, recursive_tokens(rate, n)), (PATTERNS, counted_tokens(rate, n))):
        yield from route.values("4", tokens=tokens, gain=tokens / (1 + n * cost))
    yield from SHEET.values("4", {}, symbols={"tokens": r"\mathbb{E}[T]", "gain": "G"})
    yield from ADDED_UP.values("4", mean=enumerated(models, params.first, n).mean)
    alike = sum(map(min, models.target[params.first].values(), models.draft[params.first].values()), Fraction(0))
    yield from ADDED_UP.values("4", some_rejected=alike != 1)
    if alike != 1:
        yield from RECURSION.values("4", mean_by_formula=recursive_tokens(alike, n))
    yield from _by_length(params)
    yield from _by_rate(params)


def _by_length(params: SpeculativeParams) -> Iterator[Found]:
    gain, n = params.gain, params.n_drafted
    rates = {f"alpha_{place}": rate for place, rate in enumerate(gain.acceptance_rates, 1)}
    tokens: dict[str, dict[str, Cell]] = {}
    gains: dict[str, dict[str, Cell]] = {}
    best: dict[str, dict[str, Cell]] = {}
    for k in range(1, gain.longest_draft + 1):
        found = {key: recursive_tokens(rate, k) for key, rate in rates.items()}
        tokens[f"gamma_{k}"] = {"gamma": k, **found}
        in_time = {key: one / (1 + k * gain.cost_ratio) for key, one in found.items()}
        gains[f"gamma_{k}"] = {"gamma": k, **in_time}
        for key, one in in_time.items():
            if key not in best or one > best[key]["gain"]:  # type: ignore[operator]
                at_gamma = recursive_tokens(rates[key], n) / (1 + n * gain.cost_ratio)
                best[key] = {"alpha": rates[key], "at_gamma": at_gamma, "best_gamma": k, "tokens": found[key], "gain": one}
    headings = {"alpha": "α", "at_gamma": f"Gain at γ = {n}", "best_gamma": "Best γ", "tokens": "Tokens a call there",
                "gain": "Gain there"}  # fmt: skip
    yield from RECURSION.table("4", "best", best, headings=headings)
    named = {"gamma": "γ", **{key: f"α = {float(rate):g}" for key, rate in rates.items()}}
    yield from RECURSION.table("4", "tokens_by_length", tokens, headings=named)
    yield from RECURSION.table("4", "gain_by_length", gains, headings=named)


def _by_rate(params: SpeculativeParams) -> Iterator[Found]:
    """At rates from 0 to 1, for one draft, for as many as are drafted and twice as many, and for the longest draft."""
    lengths = sorted({1, params.n_drafted, params.n_drafted + params.n_drafted, params.gain.longest_draft})
    rates = [Fraction(2 * step, 100) for step in range(51)]
    rows: dict[str, dict[str, Cell]] = {
        f"step_{step}": {"alpha": rate, **{f"gamma_{n}": recursive_tokens(rate, n) for n in lengths}}
        for step, rate in enumerate(rates)
    }
    headings = {"alpha": "acceptance rate α", **{f"gamma_{n}": f"γ = {n}" for n in lengths}}
    yield from RECURSION.table("4", "tokens_by_rate", rows, headings=headings)
