"""Runs greedy rounds, traces a sampled one, adds up all that may happen, and evaluates the expected gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_speculative_decoding import rounds
from generators.courses.utaustin.lecture25_speculative_decoding.params import SpeculativeParams
from generators.courses.utaustin.lecture25_speculative_decoding.rounds import Model, SampledRound
from generators.depending import count, greatest, while_holds
from generators.table import Column, Table, column, table
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, expected_tokens, walltime_gain
from generators.traced import alone

ALPHA_1 = sympy.Symbol("alpha_1", positive=True)
X, OF_TARGET, OF_DRAFT = column("x", "x"), column("p", "p(x)"), column("q", "q(x)")


def solve(params: SpeculativeParams) -> Answer:
    """Both models, the rules at work, and what they gain."""
    words = params.vocabulary
    target, draft = (
        {before: dict(zip(words, rows[before], strict=True)) for before in words} for rows in (params.target, params.draft)
    )
    sheet = _sheet(params)
    own = (_greedy(params, target, draft), _sampled(params, target, draft), _unchanged(params, target, draft))
    return answer(sheet, *own, _gain(params, sheet))


def _sheet(params: SpeculativeParams) -> Part:
    words = params.vocabulary
    columns = [column(f"{name}_{place}", f"{name}: {x}") for name in ("target", "draft") for place, x in enumerate(words, 1)]
    rows = {f"token_{place}": (x, *params.target[x], *params.draft[x]) for place, x in enumerate(words, 1)}
    return part(
        "sheet",
        "Given",
        text("first", params.first),
        table("models", ["after", *columns], rows),
        letter(GAMMA, params.n_drafted, "drafted tokens"),
        letter(COST_RATIO, params.gain.cost_ratio, "time of a draft call over time of a target call"),
        number("seed", params.sampling.seed),
        number("decimals", params.sampling.decimals),
    )


@alone
def _greedy(params: SpeculativeParams, target: Model, draft: Model) -> Part:
    """One round after the other, each from where the one before ended."""
    words, rows = [params.first], {}
    for call in range(1, params.n_greedy_calls + 1):
        drafted, choices, accepted = rounds.greedy_round(target, draft, words[-1], params.n_drafted)
        emitted = choices[: accepted + 1]
        rows[f"call_{call}"] = (call, *map(" ".join, (drafted, choices, emitted)), accepted)
        words += emitted
    tokens = len(words) - 1
    columns: list[Column | str] = ["call", "drafted", column("choices", "Target's choices"), "emitted", "kept"]
    return part(
        "1",
        "Greedy",
        number("calls", params.n_greedy_calls),
        number("tokens", tokens, "tokens of all calls", asked=True),
        number("tokens_per_call", exact(Fraction(tokens, params.n_greedy_calls)), "tokens a call"),
        text("text", " ".join(words[1:])),
        table("rounds", columns, rows),
    )


@alone
def _sampled(params: SpeculativeParams, target: Model, draft: Model) -> Part:
    """The round that is traced, with the seeded numbers."""
    import numpy

    scale = 10**params.sampling.decimals
    numbers = numpy.random.default_rng(params.sampling.seed).integers(scale, size=2 * params.n_drafted + 1)
    one = rounds.sampled_round(target, draft, params.first, params.n_drafted, (Fraction(int(r), scale) for r in numbers))
    rejected = one.tokens[one.accepted + 1 :][:1]
    shares = zip(one.last_from, one.last_from.values(), accumulate(one.last_from.values()), strict=True)
    return part(
        "2",
        "With rejection and resampling",
        number("accepted", one.accepted, "drafted tokens kept", asked=True),
        claim("rejected", bool(rejected), "a drafted token is rejected"),
        claim("all_kept", not rejected, "all drafted tokens are kept"),
        *(text("rejected_token", x) for x in rejected),
        text("last_after", one.tokens[one.accepted]),
        text("last_token", one.last),
        number("last_draw", one.last_draw, "random number of the last token", "r"),
        text("text", " ".join([*one.tokens[1 : one.accepted + 1], one.last])),
        _trace(target, draft, one),
        table("last", [X, "drawn_with", "sum_so_far"], {f"token_{place}": row for place, row in enumerate(shares, 1)}),
    )


def _trace(target: Model, draft: Model, one: SampledRound) -> Table:
    """Every drafted token: the numbers r that drew and tried it, and what became of it."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for place, (before, x) in enumerate(pairwise(one.tokens)):
        p, q = target[before][x], draft[before][x]
        tried_with = one.tries[place] if place < len(one.tries) else None
        fate = "not tried" if tried_with is None else "kept" if place < one.accepted else "rejected"
        rows[f"drafted_{place + 1}"] = (before, one.draws[place], x, p, q, min(Fraction(1), p / q), tried_with, fate)
    drawn, tried = column("r_drafting", "r drafting"), column("r_trying", "r trying")
    return table("trace", ["after", drawn, X, OF_TARGET, OF_DRAFT, column("keep", "min(1, p/q)"), tried, "fate"], rows)


@alone
def _unchanged(params: SpeculativeParams, target: Model, draft: Model) -> Part:
    """What one token and one round come to, all drafts and trials added up."""
    p, q, length = target[params.first], draft[params.first], params.n_drafted + 1
    kept, again = rounds.kept(p, q), rounds.residual(p, q)
    rate = sum(kept.values())
    rows = {
        f"token_{place}": (x, p[x], q[x], kept[x], (1 - rate) * again[x], kept[x] + (1 - rate) * again[x])
        for place, x in enumerate(p, 1)
    }
    alone, together = (
        rounds.completed(rounds.round_outcomes(target, draft, params.first, n), target, length) for n in (0, params.n_drafted)
    )
    return part(
        "3",
        "The distribution is unchanged",
        number("acceptance_rate", exact(rate), "probability that the first drafted token is kept", ALPHA_1, asked=True),
        number("length", length, "tokens of each sequence that was added up"),
        number("sequences", len(alone), "sequences that the target can emit"),
        number("equal", sum(together.get(one) == share for one, share in alone.items()), "of them equally likely both ways"),
        table("one_token", [X, OF_TARGET, OF_DRAFT, "drafted_and_kept", "drawn_instead", "emitted"], rows),
    )


def _gain(params: SpeculativeParams, sheet: Part) -> Part:
    lengths = range(params.gain.longest_draft + 2)
    gains = {
        f"alpha_{place}": [walltime_gain(alpha, n, params.gain.cost_ratio) for n in lengths]
        for place, alpha in enumerate(params.gain.acceptance_rates, 1)
    }
    best = {key: _best_length(found) for key, found in gains.items()}
    beyond = count(one > params.gain.longest_draft for one in best.values()) > 0
    return part(
        "4",
        "Tokens a call and walltime gain",
        letter(ALPHA, params.gain.acceptance_rates[-1], "acceptance rate"),
        formula("tokens", expected_tokens(ALPHA, GAMMA), "expected tokens a call", r"\mathbb{E}[T]", asked=True),
        formula("gain", walltime_gain(ALPHA, GAMMA, COST_RATIO), "expected walltime gain", "G", asked=True),
        number("longest", params.gain.longest_draft, "longest draft that was tried"),
        claim("some_beyond", beyond, "some gain still rises at the longest draft"),
        _best(params, gains, best),
        _by_length(params, gains),
        within=sheet,
    )


def _best_length(gains: Sequence[Fraction]) -> int:
    """The draft length with the largest gain, of equals the shortest; one more than the longest, where gains still rise.

    Tokens are concave in the length and time is linear, so once the gain falls, it keeps falling.
    """
    best: int = count(longer > one for one, longer in pairwise(gains))
    return best


def _best(params: SpeculativeParams, gains: Mapping[str, Sequence[Fraction]], best: Mapping[str, int]) -> Table:
    """For each rate the best length and its gain, where the gain has stopped rising."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for (key, found), rate in zip(gains.items(), params.gain.acceptance_rates, strict=True):
        known = best[key] <= params.gain.longest_draft
        rows[key] = (rate, while_holds(known, best[key]), while_holds(known, greatest(*found)))
    return table("best", [column("alpha", "α"), column("best", "Best γ"), column("gain", "Gain there")], rows, asked=True)


def _by_length(params: SpeculativeParams, gains: Mapping[str, Sequence[Fraction]]) -> Table:
    """The gain at every draft length, from none to the longest that is tried."""
    rows = {f"gamma_{n}": (n, *(found[n] for found in gains.values())) for n in range(params.gain.longest_draft + 1)}
    return table("gain_by_length", [column("gamma", "γ"), *gains], rows, drawn=True)
