"""Lecture 25, speculative decoding: greedy, with rejection and resampling, and what it gains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from generators.answer import Figure, exact, rational
from generators.params import Exact, Params, PositiveExact, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.speculative_decoding import (
    ALPHA,
    COST_RATIO,
    GAMMA,
    GreedyRound,
    Model,
    SampledRound,
    acceptance_rate,
    expected_emitted,
    expected_tokens,
    greedy_round,
    round_outcomes,
    sampled_round,
    sequence_distribution,
    target_distribution,
    walltime_gain,
)
from generators.topics.speculative_round_tables import fates_table, last_table, models_table, rounds_table, trace_table

if TYPE_CHECKING:
    from generators.figures.speculative_rounds import Mark, Token

MAX_SEQUENCES = 1024
Probability = Annotated[Exact, Field(ge=0, le=1)]
Rate = Annotated[Exact, Field(ge=0, lt=1)]
Rows = dict[Text, list[Probability]]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Sampling(Params):
    """The random numbers of the round that is traced."""

    seed: Seed
    decimals: Annotated[int, Field(ge=1, le=9)]


class Gain(Params):
    """Where the gain is evaluated: costs, acceptance rates, and the longest draft tried."""

    cost_ratio: PositiveExact
    acceptance_rates: Annotated[list[Rate], Field(min_length=1, max_length=5)]
    longest_draft: Annotated[int, Field(ge=2, le=32)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.acceptance_rates != sorted(set(self.acceptance_rates)):
            shown = ", ".join(map(str, self.acceptance_rates))
            raise ValueError(f"acceptance_rates: must rise from each to the next (got {shown})")
        return self


class Simulation(Params):
    """The seeded experiment among the checks."""

    n_sequences: Annotated[int, Field(ge=1000, le=200_000)]
    seed: Seed


class SpeculativeParams(Params):
    """Two models of the next token given the one before, and how many tokens are drafted."""

    vocabulary: Annotated[list[Text], Field(min_length=2, max_length=6)]
    first: Text
    target: Rows
    draft: Rows
    n_drafted: Annotated[int, Field(ge=1, le=6)]
    n_greedy_calls: Annotated[int, Field(ge=1, le=6)]
    sampling: Sampling
    gain: Gain
    simulation: Simulation

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.vocabulary)) < len(self.vocabulary):
            raise ValueError(f"vocabulary: must not repeat a token (got {self.vocabulary})")
        if self.first not in self.vocabulary:
            raise ValueError(f"first: must be a token of the vocabulary (got {self.first!r})")
        sequences = len(self.vocabulary) ** (self.n_drafted + 1)
        if sequences > MAX_SEQUENCES:
            raise ValueError(
                f"n_drafted: the vocabulary must have at most {MAX_SEQUENCES} sequences of n_drafted + 1 tokens (got {sequences})"
            )
        _refuse_improper("target", self.target, self.vocabulary)
        _refuse_improper("draft", self.draft, self.vocabulary)
        return self

    @property
    def models(self) -> tuple[Model, Model]:
        """Target and draft, rows in the order of the vocabulary."""
        target, draft = ([tuple(rows[token]) for token in self.vocabulary] for rows in (self.target, self.draft))
        return target, draft

    @property
    def start(self) -> int:
        """The first token's place in the vocabulary."""
        return self.vocabulary.index(self.first)


def _refuse_improper(name: str, rows: Rows, vocabulary: Sequence[str]) -> None:
    if sorted(rows) != sorted(vocabulary):
        raise ValueError(f"{name}: must have a row for each token of the vocabulary and no other (got {list(rows)})")
    for token, row in rows.items():
        if len(row) != len(vocabulary):
            raise ValueError(f"{name}: row {token} must have {len(vocabulary)} probabilities (got {len(row)})")
        if sum(row) != 1:
            raise ValueError(f"{name}: row {token} must sum to 1 (got {sum(row)})")


def greedy_rounds(params: SpeculativeParams) -> list[GreedyRound]:
    """One round after the other, each from where the one before ended."""
    rounds: list[GreedyRound] = []
    last = params.start
    for _ in range(params.n_greedy_calls):
        rounds.append(greedy_round(*params.models, last, params.n_drafted))
        last = rounds[-1].emitted[-1]
    return rounds


def traced_round(params: SpeculativeParams) -> SampledRound:
    """The round that is traced, with the seeded numbers."""
    import numpy

    scale = 10**params.sampling.decimals
    numbers = numpy.random.default_rng(params.sampling.seed).integers(scale, size=2 * params.n_drafted + 1)
    uniforms = (Fraction(int(number), scale) for number in numbers)
    return sampled_round(*params.models, params.start, params.n_drafted, uniforms)


def solve(params: SpeculativeParams) -> Answer:
    """Run greedy rounds, trace a sampled one, add up all that may happen, and evaluate the expected gain."""
    return Answer({"1": _greedy(params), "2": _sampled(params), "3": _unchanged(params), "4": _gain(params)})


def _greedy(params: SpeculativeParams) -> Part:
    rounds = greedy_rounds(params)
    emitted = sum(len(one.emitted) for one in rounds)
    a_call = exact(Fraction(emitted, len(rounds)))
    steps = {
        "tokens": Step(what="tokens of all calls", symbol="T", value=emitted),
        "tokens_per_call": Step(what="tokens a call", symbol=r"T / N_{\text{calls}}", value=a_call),
    }
    tables = {
        "models": models_table(params.vocabulary, *params.models),
        "rounds": rounds_table(params.vocabulary, params.start, rounds),
    }
    return Part(title="Greedy", steps=steps, tables=tables)


def _sampled(params: SpeculativeParams) -> Part:
    one = traced_round(params)
    steps = {
        "accepted": Step(what="drafted tokens kept", symbol="n", value=one.accepted),
        "last_draw": Step(what="random number of the last token", symbol="r", value=one.last_draw),
    }
    tables = {
        "trace": trace_table(params.vocabulary, *params.models, one),
        "last": last_table(params.vocabulary, *params.models, one),
    }
    return Part(title="With rejection and resampling", steps=steps, tables=tables)


def _unchanged(params: SpeculativeParams) -> Part:
    target, draft = params.models
    fates = fates_table(params.vocabulary, target[params.start], draft[params.start])
    alpha = acceptance_rate(target[params.start], draft[params.start])
    off = sum((abs(rational(row[-1]) - rational(row[1])) for row in fates.rows), Fraction(0)) / 2
    length = params.n_drafted + 1
    alone = target_distribution(target, params.start, length)
    together = sequence_distribution(target, draft, params.start, params.n_drafted, length)
    equal = sum(together.get(sequence) == share for sequence, share in alone.items())
    steps = {
        "acceptance_rate": Step(what="probability that the first drafted token is kept", symbol=r"\beta", value=exact(alpha)),
        "bias": Step(what="total variation distance from p when drawn again from p", symbol="d", value=exact(off)),
        "sequences": Step(what=f"sequences of {length} tokens that the target can emit", symbol="S", value=len(alone)),
        "equal": Step(what="of them equally likely by speculative decoding", symbol="S_=", value=equal),
    }
    return Part(title="The distribution is unchanged", steps=steps, tables={"one_token": fates})


def _gain(params: SpeculativeParams) -> Part:
    rate, cost, n = params.gain.acceptance_rates[-1], params.gain.cost_ratio, params.n_drafted
    target, draft = params.models
    at = {ALPHA: rate, GAMMA: n, COST_RATIO: cost}
    mean = expected_emitted(round_outcomes(target, draft, params.start, n))
    first_rate = acceptance_rate(target[params.start], draft[params.start])
    steps = {
        "tokens": step("expected tokens a call", r"\mathbb{E}[T]", expected_tokens(ALPHA, GAMMA), at),
        "gain": step("expected walltime gain", "G", walltime_gain(ALPHA, GAMMA, COST_RATIO), at),
        "mean": Step(what="mean tokens of a round of the two models", symbol=r"\bar T", value=exact(mean)),
    }
    if first_rate < 1:
        formula, at_first = expected_tokens(ALPHA, GAMMA), {ALPHA: first_rate, GAMMA: n}
        steps["mean_by_formula"] = step("the formula at the rate of the first token", r"\mathbb{E}[T]", formula, at_first)
    return Part(title="Tokens a call and walltime gain", steps=steps, tables={"best": _best(params), "tokens": _tokens(params)})


def _lengths(params: SpeculativeParams) -> range:
    return range(1, params.gain.longest_draft + 1)


def _best(params: SpeculativeParams) -> Table:
    """The draft length with the largest gain for each rate; of equals the shortest."""
    rows = []
    for rate in params.gain.acceptance_rates:
        gains = {n: walltime_gain(rate, n, params.gain.cost_ratio) for n in _lengths(params)}
        best = max(gains, key=lambda n: gains[n])
        rows.append((rate, gains[params.n_drafted], best, expected_tokens(rate, best), gains[best]))
    header = ("α", f"Gain at γ = {params.n_drafted}", "Best γ", "Tokens a call there", "Gain there")
    return Table(header=header, rows=tuple(rows))


def _tokens(params: SpeculativeParams) -> Table:
    rates = params.gain.acceptance_rates
    rows = tuple((n, *(expected_tokens(rate, n) for rate in rates)) for n in _lengths(params))
    return Table(header=("γ", *(f"α = {float(rate):g}" for rate in rates)), rows=rows)


def verify(params: SpeculativeParams, answer: Answer) -> Iterator[Check]:
    """Decode with the target alone, replay the draws, add up every draft and fate, and sample with torch."""
    from generators.oracles.speculative_decoding import verify_speculative

    return verify_speculative(params, answer)


def draw(params: SpeculativeParams, answer: Answer) -> dict[str, Figure]:
    """Rounds as rows of tokens, the overlap of two distributions, and the expected tokens and gain."""
    from generators.figures.speculative_rounds import gain_figure, overlap_figure, rounds_figure, tokens_figure

    cost = params.gain.cost_ratio
    rates = [Fraction(i, 50) for i in range(50)]
    lengths = sorted({1, params.n_drafted, 2 * params.n_drafted, params.gain.longest_draft})
    tokens = {n: [*((float(a), float(expected_tokens(a, n))) for a in rates), (1.0, n + 1.0)] for n in lengths}
    gains = {
        float(a): [(float(n), float(walltime_gain(a, n, cost))) for n in _lengths(params)] for a in params.gain.acceptance_rates
    }
    return {
        "greedy": rounds_figure(params.first, [_marked(params, one) for one in greedy_rounds(params)]),
        "overlap": overlap_figure(answer["3"].tables["one_token"], params.first),
        "tokens": tokens_figure(tokens),
        "gain": gain_figure(gains, float(cost)),
    }


def _marked(params: SpeculativeParams, one: GreedyRound) -> tuple[list[Token], list[Token]]:
    """Drafted tokens and the target's choices, each with what became of it."""

    def marked(tokens: Sequence[int], at_the_end: Mark) -> list[Token]:
        marks: dict[int, Mark] = {-1: "kept", 0: at_the_end, 1: "unused"}
        places = (max(-1, min(1, i - one.accepted)) for i in range(len(tokens)))
        return [(params.vocabulary[token], marks[place]) for token, place in zip(tokens, places, strict=True)]

    return marked(one.drafted, "rejected"), marked(one.choices, "own")


QUESTION = SelfVerifying(
    title="Speculative decoding",
    points=0,
    params=SpeculativeParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
