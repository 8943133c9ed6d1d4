"""Runs greedy rounds, traces a sampled one, adds up all that may happen, and evaluates the expected gain."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, exact
from generators.courses.utaustin.lecture25_speculative_decoding import tables
from generators.courses.utaustin.lecture25_speculative_decoding.params import SpeculativeParams
from generators.courses.utaustin.lecture25_speculative_decoding.rounds import (
    Model,
    acceptance_rate,
    completed,
    greedy_round,
    round_outcomes,
    sampled_round,
)
from generators.table import Table, column, table
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, expected_tokens, walltime_gain

BETA = sympy.Symbol("beta", positive=True)


def solve(params: SpeculativeParams) -> Answer:
    """Both models, the rules at work, and what they gain."""
    words, start = params.vocabulary, params.vocabulary.index(params.first)
    target, draft = ([tuple(rows[word]) for word in words] for rows in (params.target, params.draft))
    sheet = _sheet(params, target, draft)
    return answer(
        sheet,
        _greedy(params, target, draft, start),
        _sampled(params, target, draft, start),
        _unchanged(params, target, draft, start),
        _gain(params, target, draft, start, sheet),
    )


def _sheet(params: SpeculativeParams, target: Model, draft: Model) -> Part:
    return part(
        "sheet",
        "Given",
        text("first", params.first),
        tables.models(params.vocabulary, target, draft),
        letter(GAMMA, params.n_drafted, "drafted tokens"),
        letter(COST_RATIO, params.gain.cost_ratio, "time of a draft call over time of a target call"),
        number("seed", params.sampling.seed),
        number("decimals", params.sampling.decimals),
    )


def _greedy(params: SpeculativeParams, target: Model, draft: Model, start: int) -> Part:
    """One round after the other, each from where the one before ended."""
    rounds, last = [], start
    for _ in range(params.n_greedy_calls):
        rounds.append(greedy_round(target, draft, last, params.n_drafted))
        last = rounds[-1].emitted[-1]
    emitted = [token for one in rounds for token in one.emitted]
    return part(
        "1",
        "Greedy",
        number("calls", len(rounds)),
        number("tokens", len(emitted), "tokens of all calls", asked=True),
        number("tokens_per_call", exact(Fraction(len(emitted), len(rounds))), "tokens a call"),
        text("text", tables.joined(params.vocabulary, emitted)),
        tables.rounds(params.vocabulary, rounds),
    )


def _sampled(params: SpeculativeParams, target: Model, draft: Model, start: int) -> Part:
    """The round that is traced, with the seeded numbers."""
    import numpy

    scale = 10**params.sampling.decimals
    numbers = numpy.random.default_rng(params.sampling.seed).integers(scale, size=2 * params.n_drafted + 1)
    uniforms = (Fraction(int(number), scale) for number in numbers)
    words, one = params.vocabulary, sampled_round(target, draft, start, params.n_drafted, uniforms)
    kept = one.tokens[1 : one.accepted + 1]
    return part(
        "2",
        "With rejection and resampling",
        number("accepted", one.accepted, "drafted tokens kept", asked=True),
        claim("rejected", one.rejected, "a drafted token is rejected"),
        claim("all_kept", not one.rejected, "all drafted tokens are kept"),
        *([text("rejected_token", words[one.tokens[one.accepted + 1]])] if one.rejected else []),
        text("last_after", words[one.tokens[one.accepted]]),
        text("last_token", words[one.last]),
        number("last_draw", one.last_draw, "random number of the last token", "r"),
        text("text", tables.joined(words, [*kept, one.last])),
        tables.trace(words, target, draft, one),
        tables.last(words, one),
    )


def _unchanged(params: SpeculativeParams, target: Model, draft: Model, start: int) -> Part:
    """What one token and one round come to, all drafts and trials added up."""
    p, q, length = target[start], draft[start], params.n_drafted + 1
    alone = completed(round_outcomes(target, draft, start, 0), target, length)
    together = completed(round_outcomes(target, draft, start, params.n_drafted), target, length)
    kept = "probability that the first drafted token is kept"
    return part(
        "3",
        "The distribution is unchanged",
        number("acceptance_rate", exact(acceptance_rate(p, q)), kept, BETA, asked=True),
        number("length", length, "tokens of each sequence that was added up"),
        number("sequences", len(alone), "sequences that the target can emit"),
        number("equal", sum(together.get(one) == share for one, share in alone.items()), "of them equally likely both ways"),
        tables.fates(params.vocabulary, p, q),
    )


def _gain(params: SpeculativeParams, target: Model, draft: Model, start: int, sheet: Part) -> Part:
    outcomes, rate = round_outcomes(target, draft, start, params.n_drafted), acceptance_rate(target[start], draft[start])
    mean = sum((len(sequence) * share for sequence, share in outcomes.items()), Fraction(0))
    by_rate = sum((rate**k for k in range(params.n_drafted + 1)), Fraction(0))
    best, gains = _best(params), _by_length(params)
    beyond = any(row["best"] is None for row in best.rows.values())
    return part(
        "4",
        "Tokens a call and walltime gain",
        letter(ALPHA, params.gain.acceptance_rates[-1], "acceptance rate"),
        formula("tokens", expected_tokens(ALPHA, GAMMA), "expected tokens a call", r"\mathbb{E}[T]", asked=True),
        formula("gain", walltime_gain(ALPHA, GAMMA, COST_RATIO), "expected walltime gain", "G", asked=True),
        number("longest", params.gain.longest_draft, "longest draft that was tried"),
        claim("some_beyond", beyond, "some gain still rises at the longest draft"),
        number("mean", exact(mean), "mean tokens of a round of the two models"),
        number("mean_by_formula", exact(by_rate), "mean tokens by the formula at the rate of the first token"),
        best,
        gains,
        within=sheet,
    )


def _best(params: SpeculativeParams) -> Table:
    """For each rate the draft length with the largest gain, of equals the shortest.

    Tokens are concave in the length and time is linear, so a gain that once falls never rises again.
    """
    rows: dict[str, tuple[Cell, ...]] = {}
    for key, rate in _rates(params):
        gains = [_gain_of(params, rate, n) for n in range(params.gain.longest_draft + 2)]
        best = next((n for n, (one, longer) in enumerate(zip(gains, gains[1:], strict=False)) if longer <= one), None)
        largest = None if best is None else exact(gains[best])
        rows[key] = (rate, best, largest, exact(_gain_of(params, rate, params.n_drafted)))
    heads = [column("alpha", "α"), column("best", "Best γ"), column("gain", "Gain there")]
    return table("best", [*heads, column("at_gamma", f"Gain at γ = {params.n_drafted}")], rows, asked=True)


def _by_length(params: SpeculativeParams) -> Table:
    """The gain at every draft length, none to the longest that is tried."""
    columns = [column("gamma", "γ"), *(column(key, f"α = {float(rate):g}") for key, rate in _rates(params))]
    rows = {
        f"gamma_{n}": (n, *(exact(_gain_of(params, rate, n)) for _, rate in _rates(params)))
        for n in range(params.gain.longest_draft + 1)
    }
    return table("gain_by_length", columns, rows, drawn=True)


def _rates(params: SpeculativeParams) -> Iterator[tuple[str, Fraction]]:
    return ((f"alpha_{place}", rate) for place, rate in enumerate(params.gain.acceptance_rates, 1))


def _gain_of(params: SpeculativeParams, rate: Fraction, n_drafted: int) -> Fraction:
    return walltime_gain(rate, n_drafted, params.gain.cost_ratio)
