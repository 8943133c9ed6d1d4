"""Homework 3, question 2: the track of a beam search on the tree of all sequences, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Value, exact
from generators.params import Params, PositiveInt
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.beam_search import PRODUCT, Candidate, Ties, Track, beam_search, exhaustive_search, final, smallest_width
from generators.topics.search_tables import (
    in_words,
    path_step,
    ranked_table,
    searches_table,
    step_tables,
    tree_table,
    widths_table,
    written,
)
from generators.topics.token_tree import (
    ProbabilityTree,
    Token,
    Tree,
    check_shape,
    complete_sequences,
    decimal,
    flattened,
    followers,
    place,
)

V, T = sympy.symbols("V T", positive=True)


class Conventions(Params):
    """What the track rests on."""

    scoring: Literal["product", "sum of logs"] = Field("product", description="score of a sequence, from its probabilities")
    ties: Ties = Field("first", description="which of two equal candidates is preferred, reading the tree from left to right")


class BeamParams(Params):
    """Every sequence's conditional probabilities, and the number of beams."""

    root: Token
    tree: ProbabilityTree
    num_beams: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_shape(self.flat_tree)
        vocabulary = list(self.tree)
        for prefix, below in followers(self.flat_tree).items():
            tokens = [sequence[-1] for sequence in below]
            if sorted(tokens) != sorted(vocabulary):
                raise ValueError(f"tree: {place(prefix)} must stand every token of {vocabulary} (got {tokens})")
            total = sum((self.flat_tree[sequence] for sequence in below), Fraction(0))
            if total != 1:
                raise ValueError(f"tree: {place(prefix)} the probabilities must sum to 1 (got {decimal(total)})")
        sequences = len(complete_sequences(self.flat_tree))
        if self.num_beams > sequences:
            raise ValueError(f"num_beams: must be at most the {sequences} sequences of the tree (got {self.num_beams})")
        return self

    @cached_property
    def flat_tree(self) -> Tree:
        """Every prefix with the conditional probability of its last token."""
        return flattened(self.tree)

    @property
    def length(self) -> int:
        """Tokens of a sequence."""
        return max(map(len, self.flat_tree))


def solve(params: BeamParams) -> Answer:
    """Follow the beams, then compare them with greedy and exhaustive search."""
    tree = params.flat_tree
    track = beam_search(tree, params.num_beams, PRODUCT, params.conventions.ties)
    part = Part(
        title=f"Beam search with {in_words(params.num_beams)}",
        steps={f"probability_{one.rank}": _probability(one, f"P_{{{one.rank}}}", tree) for one in final(track)},
        tables={
            "tree": tree_table(tree, track, "Probability"),
            **step_tables(track, lambda product: _scored(product, params)),
            "final": _final(track, params),
        },
    )
    return Answer({"2": part, "comparison": _comparison(params, track)})


def _scored(product: Value, params: BeamParams) -> Value:
    """A product of probabilities as the score in force."""
    return product if params.conventions.scoring == "product" else exact(sympy.log(product))


def _final(track: Track, params: BeamParams) -> Table:
    if params.conventions.scoring == "product":
        return ranked_table(final(track), "Probability")
    rows = tuple((one.rank, written(one.sequence), one.score, _scored(one.score, params)) for one in final(track))
    return Table(header=("Rank", "Sequence", "Probability", "Sum of logs"), rows=rows)


def _probability(candidate: Candidate, symbol: str, tree: Tree) -> Step:
    return path_step("probability", symbol, "p", sympy.Mul, tree, candidate.sequence)


def _comparison(params: BeamParams, track: Track) -> Part:
    tree, ties = params.flat_tree, params.conventions.ties
    everything = exhaustive_search(tree, PRODUCT, ties)
    greedy, all_kept = (beam_search(tree, width, PRODUCT, ties) for width in (1, len(everything)))
    tracks = {"greedy search": greedy, in_words(params.num_beams): track, "exhaustive search": all_kept}
    width = smallest_width(tree, PRODUCT, ties)
    return Part(
        title="Greedy and exhaustive search",
        steps={
            "sequences": step("sequences in the tree", "S", V**T, {V: len(params.tree), T: params.length}),
            "greedy": _probability(final(greedy)[0], r"P_{\text{greedy}}", tree),
            "best": _probability(everything[0], r"P_{\text{best}}", tree),
            "smallest_width": Step(what="smallest number of beams that finds the best sequence", symbol="k^*", value=width),
        },
        tables={
            "methods": searches_table(tracks, everything, "Probability", "Share of the best", lambda found, best: found / best),
            "widths": widths_table(tree, max(width, params.num_beams), PRODUCT, ties, "Probability"),
        },
    )


def verify(params: BeamParams, answer: Answer) -> Iterator[Check]:
    """Enumerate every sequence, and let Hugging Face's generate search with a model whose logits are the tree."""
    from generators.oracles.beam_search import verify_beams

    return verify_beams(params, answer)


def draw(params: BeamParams, answer: Answer) -> dict[str, Figure]:
    """The whole tree with the beams' track."""
    from generators.figures.search_tree import search_tree_figure

    figure = search_tree_figure(
        answer["2"].tables["tree"],
        root=f"[{params.root}]",
        step="a level for each step",
        weight="probability after what stands above it",
        search=f"track of {in_words(params.num_beams)}",
    )
    return {"track": figure}


QUESTION = SelfVerifying(
    title="Beam search on a tree of probabilities",
    points=20,
    params=BeamParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
