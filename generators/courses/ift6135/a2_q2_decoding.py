"""Assignment 2, question 2: how many sequences there are, what beam search costs, and what it finds on a tree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator
from sympy import exp

from generators import answer as answers
from generators.answer import Figure
from generators.params import Params, PositiveInt
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.beam_search import SUM, Candidate, Ties, Track, beam_search, exhaustive_search, final, smallest_width
from generators.topics.beam_search_cost import SCORES, B, N, T, growth_table, levels, lines_table
from generators.topics.beam_search_run import runs_table
from generators.topics.search_tables import (
    in_words,
    path_step,
    ranked_table,
    searches_table,
    step_tables,
    tree_table,
    widths_table,
)
from generators.topics.token_tree import (
    LogProbabilityTree,
    Tree,
    check_shape,
    complete_sequences,
    flattened,
    followers,
    place,
)

SCORE = "Log-likelihood"
MAX_DIGITS, MAX_COMPARISONS = 300, 200_000
SECONDS_PER_DAY, SECONDS_PER_YEAR = 86_400, 31_557_600  # a Julian year of 365.25 days
LISTED = ((2, 3), (3, 2), (3, 4), (5, 3))
"""Words and lengths for which all sequences are written out and counted in verification."""
r, Y = sympy.symbols("r Y", positive=True)


class Feasibility(Params):
    """The sizes for which the work of exhaustive enumeration is stated."""

    vocabulary_size: Annotated[int, Field(ge=3, le=10**9)]
    length: Annotated[int, Field(ge=1, le=10**6)]
    sequences_per_second: Annotated[int, Field(ge=1, le=10**24)]
    other_vocabulary_sizes: Annotated[list[Annotated[int, Field(ge=2, le=10**9)]], Field(max_length=8)]

    @model_validator(mode="after")
    def _statable(self) -> Self:
        for size in (self.vocabulary_size, *self.other_vocabulary_sizes):
            digits = math.ceil(self.length * math.log10(size))
            if digits > MAX_DIGITS:
                raise ValueError(f"length: {size} words to this power must have at most {MAX_DIGITS} digits (got {digits})")
        return self


class Counted(Params):
    """The runs of the algorithm whose operations are counted; beam width and length also serve as the example's."""

    beam_width: PositiveInt
    length: PositiveInt
    vocabulary_sizes: Annotated[list[PositiveInt], Field(min_length=2, max_length=8)]
    seed: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _short(self) -> Self:
        sizes = self.vocabulary_sizes
        if sizes != sorted(set(sizes)):
            raise ValueError(f"vocabulary_sizes: must increase (got {sizes})")
        comparisons = self.length * self.beam_width**2 * sizes[-1]
        if comparisons > MAX_COMPARISONS:
            raise ValueError(f"length: a run must have at most {MAX_COMPARISONS} comparisons, T·B²·N (got {comparisons})")
        return self


class Conventions(Params):
    """What the answers rest on."""

    bos: Literal["any position", "start only"] = Field(
        "any position", description="where the special token <BOS>, one of the N words, may stand"
    )
    ties: Ties = Field("first", description="which of two equal candidates is preferred, reading the tree from left to right")


class DecodingParams(Params):
    """Sizes for 2.1 to 2.3, and the tree of log-probabilities with the beam width of 2.4."""

    feasibility: Feasibility
    counted: Counted
    tree: LogProbabilityTree
    beam_width: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_shape(self.flat_tree)
        for prefix, below in followers(self.flat_tree).items():
            total = math.fsum(math.exp(self.flat_tree[sequence]) for sequence in below)
            if total > 1 + 1e-12:
                raise ValueError(f"tree: {place(prefix)} the probabilities must sum to at most 1 (got {total:.6g})")
        sequences = len(complete_sequences(self.flat_tree))
        if self.beam_width > sequences:
            raise ValueError(f"beam_width: must be at most the {sequences} sequences of the tree (got {self.beam_width})")
        return self

    @cached_property
    def flat_tree(self) -> Tree:
        """Every prefix with the conditional log-probability of its last word."""
        return flattened(self.tree, "log_p")


def solve(params: DecodingParams) -> Answer:
    """Count sequences and operations, then decode the tree greedily, with beams and exhaustively."""
    greedy = beam_search(params.flat_tree, 1, SUM, params.conventions.ties)
    beams = beam_search(params.flat_tree, params.beam_width, SUM, params.conventions.ties)
    return Answer(
        {
            "2.1": _count(params),
            "2.2": _feasibility(params),
            "2.3": _complexity(params),
            "2.4a": _greedy(params, greedy),
            "2.4b": _beams(params, beams),
            "2.5": _limitations(params, greedy, beams),
        }
    )


def _sequences(params: DecodingParams) -> sympy.Expr:
    return N**T if params.conventions.bos == "any position" else (N - 1) ** T


def _count(params: DecodingParams) -> Part:
    """The count under both readings of where <BOS> may stand, and small cases to be listed."""
    formula = _sequences(params)
    at = {N: params.feasibility.vocabulary_size, T: params.feasibility.length}
    other = (N - 1) ** T if params.conventions.bos == "any position" else N**T
    rows = tuple((words, length, *(int(one.subs({N: words, T: length})) for one in (formula, other))) for words, length in LISTED)
    return Part(
        title="Number of sequences",
        steps={
            "sequences": step("sequences of T + 1 words that start with <BOS>", "S", formula, at),
            "other_reading": step("sequences under the other reading", "S'", other, at),
        },
        tables={"listed": Table(header=("N", "T", "Sequences", "Under the other reading"), rows=rows)},
    )


def _feasibility(params: DecodingParams) -> Part:
    """How long all sequences take at the stated rate."""
    sizes, formula = params.feasibility, _sequences(params)
    rate = sizes.sequences_per_second
    at = {N: sizes.vocabulary_size, T: sizes.length, r: rate, Y: SECONDS_PER_YEAR}
    rows = []
    for words in sorted({sizes.vocabulary_size, *sizes.other_vocabulary_sizes}):
        count = Fraction(int(formula.subs({N: words, T: sizes.length})))
        rows.append((words, int(count), count / rate, count / rate / SECONDS_PER_YEAR))
    doubled = sympy.expand_power_base(formula.subs(N, 2 * N))
    return Part(
        title="Feasibility of exhaustive enumeration",
        steps={
            "seconds": step("time for all sequences", "t", formula / r, at, "s"),
            "year": Step(what="a year in seconds", symbol="Y", value=SECONDS_PER_YEAR, unit="s"),
            "years": step("the same in years", "t", formula / (r * Y), at, "years"),
            "doubling": step("growth when the vocabulary doubles", "S(2N) / S(N)", doubled / formula, at),
            "longest": Step(what="longest sequences enumerated in a day", symbol=r"T_{\text{day}}", value=_longest(params)),
        },
        tables={"vocabularies": Table(header=("Words", "Sequences", "Seconds", "Years"), rows=tuple(rows))},
    )


def _longest(params: DecodingParams) -> int:
    """The largest T whose sequences are all scored within a day."""
    base = int(_sequences(params).subs({N: params.feasibility.vocabulary_size, T: 1}))
    within, length = params.feasibility.sequences_per_second * SECONDS_PER_DAY, 0
    while base ** (length + 1) <= within:
        length += 1
    return length


def _complexity(params: DecodingParams) -> Part:
    """Every line's count as a formula and at the sizes of 2.2, and operations counted in runs."""
    sizes, counted = params.feasibility, params.counted
    at = {T: sizes.length, B: counted.beam_width, N: sizes.vocabulary_size, r: sizes.sequences_per_second}
    return Part(
        title="Time and space of Algorithm 1",
        steps={**levels(at), "seconds": step("time for all scores", "t", SCORES / r, at, "s")},
        tables={
            "growth": growth_table(),
            "lines": lines_table(at),
            "runs": runs_table(counted.beam_width, counted.length, counted.vocabulary_sizes, counted.seed),
        },
    )


def _log_likelihood(candidate: Candidate, symbol: str, tree: Tree) -> Step:
    return path_step("log-likelihood", symbol, "ell", sympy.Add, tree, candidate.sequence)


def _greedy(params: DecodingParams, track: Track) -> Part:
    rows = tuple(
        (number, one.sequence[-1], one.weight, one.score, "taken" if one.kept else "left")
        for number, candidates in enumerate(track, 1)
        for one in candidates
    )
    choices = Table(header=("Step", "Word", "Log-probability", SCORE, "Choice"), rows=rows)
    return Part(
        title="Greedy decoding",
        steps={"log_likelihood": _log_likelihood(final(track)[0], r"\log p(\overline{w}_{1:T})", params.flat_tree)},
        tables={"tree": tree_table(params.flat_tree, track, "Log-probability"), "choices": choices},
    )


def _beams(params: DecodingParams, track: Track) -> Part:
    """The track, and what the algorithm returns if all its hypotheses start equal, as it is printed."""
    tree, width = params.flat_tree, params.beam_width
    printed = beam_search(tree, width, SUM, params.conventions.ties, starts=width)
    return Part(
        title=f"Beam search with {in_words(width)}",
        steps={
            f"log_likelihood_{one.rank}": _log_likelihood(one, rf"\log p(w_{{1:T}}^{{({one.rank})}})", tree)
            for one in final(track)
        },
        tables={
            "tree": tree_table(tree, track, "Log-probability"),
            **step_tables(track),
            "final": ranked_table(final(track), SCORE),
            "as_printed": ranked_table(final(printed), SCORE),
        },
    )


def _limitations(params: DecodingParams, greedy: Track, beams: Track) -> Part:
    """What both searches miss, and which beam width would not."""
    tree, ties = params.flat_tree, params.conventions.ties
    everything, width = exhaustive_search(tree, SUM, ties), smallest_width(tree, SUM, ties)
    ell_best, ell_greedy, ell_beam = sympy.symbols("ell^* ell_greedy ell_beam", real=True)
    at = {ell_best: everything[0].score, ell_greedy: final(greedy)[0].score, ell_beam: final(beams)[0].score}
    tracks = {"greedy": greedy, in_words(params.beam_width): beams}
    return Part(
        title="Limitations",
        steps={
            "greedy_ratio": step(
                "the best over greedy decoding", r"p_{\text{best}} / p_{\text{greedy}}", exp(ell_best - ell_greedy), at
            ),
            "beam_ratio": step("the best over beam search", r"p_{\text{best}} / p_{\text{beam}}", exp(ell_best - ell_beam), at),
            "beam_gain": step("beam search above greedy decoding", r"\Delta", ell_beam - ell_greedy, at),
            "smallest_width": Step(what="smallest beam width that finds the best", symbol="B^*", value=width),
        },
        tables={
            "searches": searches_table(tracks, everything, SCORE, "Below the best", lambda found, best: best - found),
            "widths": widths_table(tree, max(width, params.beam_width), SUM, ties, SCORE),
            "sequences": ranked_table(everything, SCORE),
        },
    )


def verify(params: DecodingParams, answer: Answer) -> Iterator[Check]:
    """List sequences, run the pseudo-code and count, enumerate the tree, and search it with Hugging Face's generate."""
    from generators.oracles.decoding import verify_decoding

    return verify_decoding(params, answer)


def _addressed(old: Table) -> answers.Table:
    rows = {
        f"node_{node}": {
            "token": token,
            "parent": parent and f"node_{parent}",
            "depth": depth,
            "log_probability": weight,
            "track": fate,
        }
        for node, token, parent, depth, weight, fate in old.rows
    }
    weight = answers.column("log_probability", "Log-probability")
    return answers.table("tree", ["token", "parent", "depth", weight, "track"], rows)


def draw(params: DecodingParams, answer: Answer) -> dict[str, Figure]:
    """The tree with both tracks, and counted operations on the curves of their formulas."""
    from generators.figures.operations import operations_figure
    from generators.figures.search_tree import search_tree_figure

    names = {"2.4a": "track of greedy decoding", "2.4b": f"track of {in_words(params.beam_width)}"}
    figures = {
        f"tree_{label}": search_tree_figure(
            tree := _addressed(answer[label].tables["tree"]), tree["log_probability"], root="<BOS>", search=search, shows=()
        )
        for label, search in names.items()
    }
    figures["operations"] = operations_figure(answer["2.3"].tables["runs"], params.counted.beam_width, params.counted.length)
    return figures


QUESTION = SelfVerifying(
    title="Decoding: enumeration, greedy and beam search",
    points=20,
    params=DecodingParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
