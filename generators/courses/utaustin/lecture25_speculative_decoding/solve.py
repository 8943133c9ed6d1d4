"""Runs greedy rounds, traces a sampled one, adds up all that may happen, and evaluates the expected gain."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import exact
from generators.courses.utaustin.lecture25_speculative_decoding import tables
from generators.courses.utaustin.lecture25_speculative_decoding.params import SpeculativeParams
from generators.courses.utaustin.lecture25_speculative_decoding.rounds import (
    Model,
    acceptance_rate,
    expected_emitted,
    greedy_round,
    round_outcomes,
    sampled_round,
    sequence_distribution,
    target_distribution,
)
from generators.table import Table, column, table
from generators.topics.speculative_decoding import ALPHA, COST_RATIO, GAMMA, expected_tokens, walltime_gain

BETA = sympy.Symbol("beta", positive=True)
GRID = 50
"""Acceptance rates from 0 to 1 over which tokens a call are drawn."""


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
        claim("one_drafted", params.n_drafted == 1, "one token is drafted"),
        claim("several_drafted", params.n_drafted > 1, "several tokens are drafted"),
    )


def _greedy(params: SpeculativeParams, target: Model, draft: Model, start: int) -> Part:
    """One round after the other, each from where the one before ended."""
    words, rounds, last = params.vocabulary, [], start
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
        text("text", tables.joined(words, emitted)),
        tables.rounds(words, start, rounds),
        table("places", ["call", "drafted", "choice", "fate"], tables.places(rounds, words), drawn=True),
    )


def _sampled(params: SpeculativeParams, target: Model, draft: Model, start: int) -> Part:
    """The round that is traced, with the seeded numbers."""
    import numpy

    scale = 10**params.sampling.decimals
    numbers = numpy.random.default_rng(params.sampling.seed).integers(scale, size=2 * params.n_drafted + 1)
    uniforms = (Fraction(int(number), scale) for number in numbers)
    words, one = params.vocabulary, sampled_round(target, draft, start, params.n_drafted, uniforms)
    kept = [trial.token for trial in one.trials[: one.accepted]]
    rejected = [text("rejected_token", words[one.trials[one.accepted].token])] if one.rejected else []
    return part(
        "2",
        "With rejection and resampling",
        number("accepted", one.accepted, "drafted tokens kept", asked=True),
        claim("rejected", one.rejected, "a drafted token is rejected"),
        claim("all_kept", not one.rejected, "all drafted tokens are kept"),
        *rejected,
        text("last_after", words[one.last_before]),
        text("last_token", words[one.last]),
        number("last_draw", one.last_draw, "random number of the last token", "r"),
        text("text", tables.joined(words, [*kept, one.last])),
        tables.trace(words, target, draft, one),
        tables.last(words, target, draft, one),
    )


def _unchanged(params: SpeculativeParams, target: Model, draft: Model, start: int) -> Part:
    p, q, length = target[start], draft[start], params.n_drafted + 1
    fates = tables.fates(params.vocabulary, p, q)
    off = [abs(row["if_drawn_again_from_p"] - row["p"]) for row in fates.rows.values()]  # type: ignore[operator]
    alone = target_distribution(target, start, length)
    together = sequence_distribution(target, draft, start, params.n_drafted, length)
    return part(
        "3",
        "The distribution is unchanged",
        number(
            "acceptance_rate", exact(acceptance_rate(p, q)), "probability that the first drafted token is kept", BETA, asked=True
        ),
        number("bias", exact(sum(off, Fraction(0)) / 2), "total variation distance from p when drawn again from p", "d"),
        number("length", length, "tokens of each sequence that was added up"),
        number("sequences", len(alone), "sequences that the target can emit"),
        number("equal", sum(together.get(one) == share for one, share in alone.items()), "of them equally likely both ways"),
        fates,
    )


def _gain(params: SpeculativeParams, target: Model, draft: Model, start: int, sheet: Part) -> Part:
    mean = expected_emitted(round_outcomes(target, draft, start, params.n_drafted))
    first_rate = acceptance_rate(target[start], draft[start])
    items: list[Item] = [
        letter(ALPHA, params.gain.acceptance_rates[-1], "acceptance rate"),
        formula("tokens", expected_tokens(ALPHA, GAMMA), "expected tokens a call", r"\mathbb{E}[T]", asked=True),
        formula("gain", walltime_gain(ALPHA, GAMMA, COST_RATIO), "expected walltime gain", "G", asked=True),
        number("mean", exact(mean), "mean tokens of a round of the two models"),
        claim("some_rejected", first_rate < 1, "the first drafted token is rejected at times"),
    ]
    if first_rate < 1:
        items.append(number("mean_by_formula", exact(expected_tokens(first_rate, params.n_drafted))))
    return part("4", "Tokens a call and walltime gain", *items, *_over_lengths(params), _over_rates(params), within=sheet)


def _over_lengths(params: SpeculativeParams) -> Iterator[Table]:
    """The draft length with the largest gain for each rate (of equals the shortest), tokens a call, and every gain."""
    lengths, cost = range(1, params.gain.longest_draft + 1), params.gain.cost_ratio
    rates = {f"alpha_{place}": rate for place, rate in enumerate(params.gain.acceptance_rates, 1)}
    gains = {key: [walltime_gain(rate, n, cost) for n in lengths] for key, rate in rates.items()}
    best = {}
    for key, rate in rates.items():
        largest = max(gains[key])
        longest = gains[key].index(largest) + 1
        at_gamma = exact(walltime_gain(rate, params.n_drafted, cost))
        best[key] = (rate, at_gamma, longest, exact(expected_tokens(rate, longest)), exact(largest))
    heads = [column("alpha", "α"), column("at_gamma", f"Gain at γ = {params.n_drafted}"), column("best_gamma", "Best γ")]
    yield table("best", [*heads, column("tokens", "Tokens a call there"), column("gain", "Gain there")], best)
    columns = [column("gamma", "γ"), *(column(key, f"α = {float(rate):g}") for key, rate in rates.items())]
    tokens = {f"gamma_{n}": (n, *(exact(expected_tokens(rate, n)) for rate in rates.values())) for n in lengths}
    by_length = {f"gamma_{n}": (n, *(exact(of_rate[n - 1]) for of_rate in gains.values())) for n in lengths}
    yield table("tokens_by_length", columns, tokens)
    yield table("gain_by_length", columns, by_length, drawn=True)


def _over_rates(params: SpeculativeParams) -> Table:
    """Tokens a call at acceptance rates up to 1, where every drafted token is kept, for some draft lengths."""
    lengths = sorted({1, params.n_drafted, 2 * params.n_drafted, params.gain.longest_draft})
    rates = [Fraction(step, GRID) for step in range(GRID + 1)]
    rows = {
        f"step_{step}": (exact(rate), *(exact(expected_tokens(rate, n)) if rate < 1 else n + 1 for n in lengths))
        for step, rate in enumerate(rates)
    }
    columns = [column("alpha", "acceptance rate α"), *(column(f"gamma_{n}", f"γ = {n}") for n in lengths)]
    return table("tokens_by_rate", columns, rows, drawn=True)
