"""Finds speculative decoding again by decoding with the target alone, and by adding up every draft and outcome.

From the lecture's sources: a draft proposes γ tokens; greedily, those stay that the target would have chosen; sampled, a
token x stays with probability min(1, p(x)/q(x)), and in place of a rejected one stands a draw from what p has beyond q.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise, product, takewhile

from generators.cells import Cell
from generators.courses.utaustin.lecture25_speculative_decoding.params import SpeculativeParams
from generators.found import Found, Proof, Route

SHEET = Route("the lecture and the parameters, read again", restates=True)
ADDED_UP = Route("enumeration of every draft and every outcome")
BY_TARGET = Route("the target alone, greedily")
REPLAYED = Route("replay with the same random numbers")
RECURSION = Route("recursion: over the draft, token by token")
GIVEN = dict.fromkeys(("x", "p", "q", "alpha", "gamma"), SHEET)
NAMES = {"x": "x", "p": "p(x)", "q": "q(x)"}

Rows = Mapping[str, Mapping[str, Fraction]]
"""The probability of each next token, by the token before."""
Words = tuple[str, ...]


def find(params: SpeculativeParams) -> Iterator[Found | Proof]:
    """Everything that is published of both models, of rounds followed and added up, and of the gain."""
    words = params.vocabulary
    target, draft = ({before: dict(zip(words, rows[before], strict=True)) for before in words}
                     for rows in (params.target, params.draft))  # fmt: skip
    yield from _given(params)
    yield from _greedy(params, target, draft)
    yield from _trace(params, target, draft)
    yield from _distribution(params, target, draft)
    yield from _gain(params)


def _given(params: SpeculativeParams) -> Iterator[Found]:
    words, n = params.vocabulary, params.n_drafted
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", first=params.first, seed=params.sampling.seed, decimals=params.sampling.decimals)
    yield from SHEET.letters("sheet", gamma=n, c=params.gain.cost_ratio)
    rows = {f"token_{place}": (word, *params.target[word], *params.draft[word]) for place, word in enumerate(words, 1)}
    headings = {f"{name}_{place}": f"{name}: {word}" for name in ("target", "draft") for place, word in enumerate(words, 1)}
    yield from SHEET.table("sheet", "models", rows, headings=headings, columns=["after", *headings])


def greedily(rows: Rows, first: str, length: int) -> list[str]:
    """Decode `length` tokens after `first`, one by one; of equals the first in the vocabulary."""
    found = [first]
    for _ in range(length):
        found.append(max(rows[found[-1]], key=rows[found[-1]].__getitem__))
    return found[1:]


def _greedy(params: SpeculativeParams, target: Rows, draft: Rows) -> Iterator[Found]:
    """Cut the target's own text into calls: each ends with the first token that the draft gets wrong, or after all of them."""
    n, calls = params.n_drafted, params.n_greedy_calls
    alone = greedily(target, params.first, calls * (n + 1))
    rows: dict[str, tuple[Cell, ...]] = {}
    done, before = 0, params.first
    for call in range(1, calls + 1):
        drafted = greedily(draft, before, n)
        right = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(drafted, alone[done:], strict=False))))
        choices = [greedily(target, token, 1)[0] for token in (before, *drafted)]
        emitted = alone[done : done + right + 1]
        rows[f"call_{call}"] = (call, *map(" ".join, (drafted, choices, emitted)), right)
        done, before = done + right + 1, emitted[-1]
    yield from SHEET.part("1", "Greedy")
    columns = ["call", "drafted", "choices", "emitted", "kept"]
    yield from BY_TARGET.table("1", "rounds", rows, headings={"choices": "Target's choices"}, columns=columns)
    found = {"calls": calls, "tokens": done, "tokens_per_call": Fraction(done, calls), "text": " ".join(alone[:done])}
    yield from BY_TARGET.values("1", found)


def _pick(row: Mapping[str, Fraction], number: Fraction) -> str:
    return list(row)[bisect_right(list(accumulate(row.values())), number)]


def _trace(params: SpeculativeParams, target: Rows, draft: Rows) -> Iterator[Found]:
    """Try each token as r·q(x) < p(x), without the ratio that is published."""
    import numpy

    n, scale = params.n_drafted, 10**params.sampling.decimals
    drawn = numpy.random.default_rng(params.sampling.seed).integers(scale, size=2 * n + 1)
    numbers = [Fraction(int(one), scale) for one in drawn]
    words = [params.first]
    for number in numbers[:n]:
        words.append(_pick(draft[words[-1]], number))
    rows: dict[str, tuple[Cell, ...]] = {}
    kept = 0
    for i, (before, x) in enumerate(pairwise(words)):
        p, q = target[before][x], draft[before][x]
        tried = numbers[n + i] if kept == i else None
        fate = "not tried" if tried is None else "kept" if tried * q < p else "rejected"
        kept += fate == "kept"
        rows[f"drafted_{i + 1}"] = (before, numbers[i], x, p, q, p / max(p, q), tried, fate)
    headings = {"r_drafting": "r drafting", **NAMES, "keep": "min(1, p/q)", "r_trying": "r trying"}
    yield from SHEET.part("2", "With rejection and resampling")
    yield from REPLAYED.table("2", "trace", rows, headings=headings, columns=["after", *headings, "fate"])
    number = numbers[n + min(kept + 1, n)]
    yield from REPLAYED.values("2", last_draw=number, symbols={"last_draw": "r"})
    yield from REPLAYED.values("2", accepted=kept, rejected=kept < n, all_kept=kept == n, last_after=words[kept])
    if kept < n:
        yield from REPLAYED.values("2", rejected_token=words[kept + 1])
    p_of, q_of = target[words[kept]], draft[words[kept]]
    shares = p_of if kept == n else redrawn(p_of, q_of)
    chosen, ends = _pick(shares, number), accumulate(shares.values())
    last = {f"token_{place}": cells for place, cells in enumerate(zip(shares, shares.values(), ends, strict=True), 1)}
    yield from REPLAYED.table("2", "last", last, headings={"x": "x"}, columns=["x", "drawn_with", "sum_so_far"], given=GIVEN)
    yield from REPLAYED.values("2", last_token=chosen, text=" ".join([*words[1 : kept + 1], chosen]))


def redrawn(p: Mapping[str, Fraction], q: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """What p has beyond q, scaled to sum to 1."""
    over = {x: p[x] - min(p[x], q[x]) for x in p}
    return {x: share / sum(over.values()) for x, share in over.items()}


def one_round(target: Rows, draft: Rows, first: str, n: int) -> dict[Words, Fraction]:
    """Add up the probability of every draft of n tokens, every place of the first rejection, and every last token."""
    found: dict[Words, Fraction] = defaultdict(Fraction)
    for drafted in product(target, repeat=n):
        befores = (first, *drafted)
        weight = chance(draft, befores)
        for kept, before in enumerate(befores):
            p, q = target[before], draft[before]
            ending = weight if kept == n or not weight else weight * max(Fraction(0), 1 - p[drafted[kept]] / q[drafted[kept]])
            for last, share in (p if kept == n else redrawn(p, q) if ending else {}).items():
                found[(*drafted[:kept], last)] += ending * share
            weight -= ending
    return {sequence: share for sequence, share in found.items() if share}


def chance(rows: Rows, sequence: Sequence[str]) -> Fraction:
    """The probability of all tokens but the first, each after the one before."""
    share = Fraction(1)
    for before, x in pairwise(sequence):
        share *= rows[before][x]
    return share


def equally_likely(target: Rows, emitted: Mapping[Words, Fraction], first: str, n: int) -> tuple[int, int]:
    """Complete what a round emitted to n + 1 tokens by the target, from the front of each sequence.

    Returns how many sequences the target alone can emit, and how many of them are equally likely both ways.
    """
    alone = {(first, *sequence): chance(target, (first, *sequence)) for sequence in product(target, repeat=n + 1)}
    possible = {sequence: share for sequence, share in alone.items() if share}
    both = 0
    for sequence, share in possible.items():
        ends = range(2, len(sequence) + 1)
        both += share == sum(emitted.get(sequence[1:end], 0) * chance(target, sequence[end - 1 :]) for end in ends)
    return len(possible), both


def _distribution(params: SpeculativeParams, target: Rows, draft: Rows) -> Iterator[Found | Proof]:
    """Add up the fates of one drafted token, and of a whole round; every token must come out as the target alone gives it."""
    p, q = target[params.first], draft[params.first]
    kept = {x: q[x] * min(Fraction(1), p[x] / q[x]) if q[x] else Fraction(0) for x in p}
    lost = sum((q[x] - kept[x] for x in p), Fraction(0))
    again = redrawn(p, q) if lost else p
    rows = {
        f"token_{place}": (x, p[x], q[x], kept[x], lost * again[x], kept[x] + lost * again[x]) for place, x in enumerate(p, 1)
    }
    yield from SHEET.part("3", "The distribution is unchanged")
    columns = [*NAMES, "drafted_and_kept", "drawn_instead", "emitted"]
    yield from ADDED_UP.table("3", "one_token", rows, headings=NAMES, columns=columns, given=GIVEN)
    yield from BY_TARGET.cells("3", "one_token", {row: {"emitted": share} for row, share in zip(rows, p.values(), strict=True)})
    emitted = one_round(target, draft, params.first, params.n_drafted)
    possible, equal = equally_likely(target, emitted, params.first, params.n_drafted)
    yield from ADDED_UP.values("3", acceptance_rate=1 - lost, symbols={"acceptance_rate": "alpha_1"})
    yield from ADDED_UP.values("3", length=params.n_drafted + 1, sequences=possible, equal=equal)
    yield from ADDED_UP.proof("every possible sequence is as likely as from the target alone", possible - equal)


def recursive_tokens(rate: Fraction, n: int) -> Fraction:
    """Tokens of a round: one, and with the next token kept all those of a round with one draft less."""
    return Fraction(1) if n == 0 else 1 + rate * recursive_tokens(rate, n - 1)


def _gain(params: SpeculativeParams) -> Iterator[Found]:
    """Tokens and gain at the last rate, and the largest gain of each rate over all lengths, one more than are tried."""
    gain, n, rate = params.gain, params.n_drafted, params.gain.acceptance_rates[-1]
    yield from SHEET.part("4", "Tokens a call and walltime gain")
    yield from SHEET.letters("4", alpha=rate)
    yield from SHEET.values("4", longest=gain.longest_draft)
    symbols = {"tokens": r"\mathbb{E}[T]", "gain": "G"}
    at_last = recursive_tokens(rate, n)
    yield from RECURSION.values("4", tokens=at_last, gain=at_last / (1 + n * gain.cost_ratio), symbols=symbols)
    lengths, best = range(gain.longest_draft + 2), {}
    gains = {
        f"alpha_{place}": [recursive_tokens(rate, k) / (1 + k * gain.cost_ratio) for k in lengths]
        for place, rate in enumerate(gain.acceptance_rates, 1)
    }
    for (key, found), rate in zip(gains.items(), gain.acceptance_rates, strict=True):
        top = found.index(max(found))
        best[key] = (rate, *((top, found[top]) if top <= gain.longest_draft else (None, None)))
    yield from RECURSION.values("4", some_beyond=any(one[1] is None for one in best.values()))
    headings = {"alpha": "α", "best": "Best γ", "gain": "Gain there"}
    yield from RECURSION.table("4", "best", best, headings=headings, columns=list(headings), given=GIVEN)
    rows = {f"gamma_{k}": {"gamma": k, **{key: found[k] for key, found in gains.items()}} for k in lengths[:-1]}
    yield from RECURSION.table("4", "gain_by_length", rows, headings={"gamma": "γ"}, given=GIVEN)
