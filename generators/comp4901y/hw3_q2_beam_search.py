"""Homework 3, question 2: the track of a beam search on the tree of all sequences, and what it ends with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Answer, Cell, Check, Figure, Part, Step, Table, Value, exact, step
from generators.params import Params, PositiveInt
from generators.question import Question
from generators.topics.beam_search import (
    PRODUCT,
    Candidate,
    Ties,
    Track,
    beam_search,
    exhaustive_search,
    fates,
    final,
    first_loss,
    scored_candidates,
    smallest_width,
)
from generators.topics.token_tree import (
    ProbabilityTree,
    Sequence,
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
    track = beam_search(params.flat_tree, params.num_beams, PRODUCT, params.conventions.ties)
    tables = {"tree": _tree(params.flat_tree, track)}
    tables |= {
        f"step_{number}": _candidates(candidates, params, number == len(track)) for number, candidates in enumerate(track, 1)
    }
    tables["final"] = _final(track, params)
    steps = {
        f"probability_{candidate.rank}": _probability(candidate, f"P_{{{candidate.rank}}}", params) for candidate in final(track)
    }
    title = f"Beam search with {in_words(params.num_beams)}"
    return Answer({"2": Part(title=title, steps=steps, tables=tables), "comparison": _comparison(params)})


def in_words(num_beams: int) -> str:
    """1 beam, 2 beams."""
    return "1 beam" if num_beams == 1 else f"{num_beams} beams"


def written(sequence: Sequence) -> str:
    """A sequence's tokens with spaces between them."""
    return " ".join(sequence)


def _score(candidate: Candidate, params: BeamParams) -> Value:
    return _scored(candidate.score, params)


def _scored(product: Value, params: BeamParams) -> Value:
    """A product of probabilities as the score in force."""
    return product if params.conventions.scoring == "product" else exact(sympy.log(product))


def _tree(tree: Tree, track: Track) -> Table:
    numbers: dict[Sequence, int] = {prefix: number for number, prefix in enumerate(tree, 1)}
    fate = fates(tree, track)
    rows = tuple(
        (numbers[prefix], prefix[-1], numbers.get(prefix[:-1]), len(prefix), weight, fate[prefix])
        for prefix, weight in tree.items()
    )
    return Table(header=("Node", "Token", "Parent node", "Depth", "Probability", "Track"), rows=rows)


def _candidates(step: tuple[Candidate, ...], params: BeamParams, last: bool) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in step:
        fate = ("final" if last else "kept") if one.kept else "pruned"
        scores = (_scored(part, params) for part in (one.before, one.weight, one.score))
        rows.append((written(one.sequence), *scores, one.rank, fate))
    return Table(header=("Candidate", "Before", "Last token", "Score", "Rank", "Track"), rows=tuple(rows))


def _final(track: Track, params: BeamParams) -> Table:
    if params.conventions.scoring == "product":
        rows = tuple((one.rank, written(one.sequence), one.score) for one in final(track))
        return Table(header=("Rank", "Sequence", "Probability"), rows=rows)
    logs = tuple((one.rank, written(one.sequence), one.score, _score(one, params)) for one in final(track))
    return Table(header=("Rank", "Sequence", "Probability", "Sum of logs"), rows=logs)


def _probability(candidate: Candidate, symbol: str, params: BeamParams) -> Step:
    """The product of the conditional probabilities along a sequence."""
    sequence = candidate.sequence
    factors = sympy.symbols([f"p_{number}" for number in range(1, len(sequence) + 1)], positive=True)
    at = {factor: params.flat_tree[sequence[:number]] for number, factor in enumerate(factors, 1)}
    return step(f"probability of {written(sequence)}", symbol, sympy.Mul(*factors), at)


def _comparison(params: BeamParams) -> Part:
    tree, ties = params.flat_tree, params.conventions.ties
    everything = exhaustive_search(tree, PRODUCT, ties)
    width = smallest_width(tree, PRODUCT, ties)
    searches = {"greedy search": 1, in_words(params.num_beams): params.num_beams, "exhaustive search": len(everything)}
    tracks = {name: beam_search(tree, beams, PRODUCT, ties) for name, beams in searches.items()}
    best = everything[0]
    return Part(
        title="Greedy and exhaustive search",
        steps={
            "sequences": step("sequences in the tree", "S", V**T, {V: len(params.tree), T: params.length}),
            "greedy": _probability(final(tracks["greedy search"])[0], r"P_{\text{greedy}}", params),
            "best": _probability(best, r"P_{\text{best}}", params),
            "smallest_width": Step(what="smallest number of beams that finds the best sequence", symbol="k^*", value=width),
        },
        tables={
            "methods": _methods(tracks, best),
            "widths": _widths(max(width, params.num_beams), everything, params),
        },
    )


def _methods(tracks: dict[str, Track], best: Candidate) -> Table:
    """What each search finds beside the best sequence, and the step at which it prunes that one's beginning."""
    rows = []
    for name, track in tracks.items():
        found = final(track)[0]
        rows.append((name, written(found.sequence), found.score, found.score / best.score, first_loss(track, best.sequence)))
    header = ("Search", "Sequence", "Probability", "Share of the best", "Best pruned at step")
    return Table(header=header, rows=tuple(rows))


def _widths(widest: int, everything: tuple[Candidate, ...], params: BeamParams) -> Table:
    """For every number of beams, the best sequence it ends with, its rank among all, and the candidates scored on the way."""
    ranks = {one.sequence: one.rank for one in everything}
    rows = []
    for width in range(1, widest + 1):
        track = beam_search(params.flat_tree, width, PRODUCT, params.conventions.ties)
        found = final(track)[0]
        rows.append((width, written(found.sequence), found.score, ranks[found.sequence], scored_candidates(track)))
    return Table(header=("Beams", "Best sequence found", "Probability", "Rank among all", "Candidates scored"), rows=tuple(rows))


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


QUESTION = Question(
    title="Beam search on a tree of probabilities",
    points=20,
    params=BeamParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
