"""The track of a search as tables and steps: the fate of every node, the candidates of a step, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

import sympy

from generators.answer import Cell, Value
from generators.pipeline.wording import counted
from generators.steps import Step, Table, step
from generators.topics.beam_search import (
    Candidate,
    Scoring,
    Ties,
    Track,
    beam_search,
    exhaustive_search,
    fates,
    final,
    first_loss,
    scored_candidates,
)
from generators.topics.token_tree import Sequence, Tree


def written(sequence: Sequence) -> str:
    """A sequence's tokens with spaces between them."""
    return " ".join(sequence)


def in_words(num_beams: int) -> str:
    """1 beam, 2 beams."""
    return counted(num_beams, "beam")


def tree_table(tree: Tree, track: Track, weight: str) -> Table:
    """Number, token, parent, depth, weight and fate of every prefix, in the order of the tree."""
    numbers: dict[Sequence, int] = {prefix: number for number, prefix in enumerate(tree, 1)}
    fate = fates(tree, track)
    rows = tuple(
        (numbers[prefix], prefix[-1], numbers.get(prefix[:-1]), len(prefix), value, fate[prefix])
        for prefix, value in tree.items()
    )
    return Table(header=("Node", "Token", "Parent node", "Depth", weight, "Track"), rows=rows)


def step_tables(track: Track, shown: Callable[[Fraction], Value] = lambda score: score) -> dict[str, Table]:
    """The candidates of every step as `step_1`, `step_2` ..., best first; `shown` turns a score into what is published."""
    return {f"step_{number}": _candidates(one, shown, number == len(track)) for number, one in enumerate(track, 1)}


def _candidates(candidates: tuple[Candidate, ...], shown: Callable[[Fraction], Value], last: bool) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in candidates:
        fate = ("final" if last else "kept") if one.kept else "pruned"
        rows.append((written(one.sequence), shown(one.before), shown(one.weight), shown(one.score), one.rank, fate))
    return Table(header=("Candidate", "Before", "Last token", "Score", "Rank", "Track"), rows=tuple(rows))


def ranked_table(candidates: Iterable[Candidate], score: str) -> Table:
    """Rank, sequence and score; `score` names the last."""
    rows = tuple((one.rank, written(one.sequence), one.score) for one in candidates)
    return Table(header=("Rank", "Sequence", score), rows=rows)


def path_step(what: str, symbol: str, letter: str, join: type[sympy.Expr], tree: Tree, sequence: Sequence) -> Step:
    """The score of a sequence from the weights on its path, joined by sympy's Mul or Add and called letter_1, letter_2 ..."""
    terms = sympy.symbols([f"{letter}_{number}" for number in range(1, len(sequence) + 1)], real=True)
    at = {term: tree[sequence[:number]] for number, term in enumerate(terms, 1)}
    return step(f"{what} of {written(sequence)}", symbol, join(*terms), at)


def searches_table(
    tracks: Mapping[str, Track],
    everything: tuple[Candidate, ...],
    score: str,
    gap: str,
    gap_of: Callable[[Fraction, Fraction], Value],
) -> Table:
    """What each search finds, its rank among all, `gap_of` its score and the best one, and the step that loses the best."""
    ranks = {one.sequence: one.rank for one in everything}
    best = everything[0]
    rows: list[tuple[Cell, ...]] = []
    for name, track in tracks.items():
        one = final(track)[0]
        found = (name, written(one.sequence), one.score, ranks[one.sequence], gap_of(one.score, best.score))
        rows.append((*found, first_loss(track, best.sequence)))
    return Table(header=("Search", "Sequence", score, "Rank among all", gap, "Best pruned at step"), rows=tuple(rows))


def widths_table(tree: Tree, widest: int, scoring: Scoring, ties: Ties, score: str) -> Table:
    """For 1 to `widest` beams: the best found, its rank among all, distinct first tokens at the end, and candidates scored."""
    ranks = {one.sequence: one.rank for one in exhaustive_search(tree, scoring, ties)}
    rows: list[tuple[Cell, ...]] = []
    for width in range(1, widest + 1):
        track = beam_search(tree, width, scoring, ties)
        one, firsts = final(track)[0], len({candidate.sequence[0] for candidate in final(track)})
        rows.append((width, written(one.sequence), one.score, ranks[one.sequence], firsts, scored_candidates(track)))
    header = ("Beams", "Best sequence found", score, "Rank among all", "First tokens left", "Candidates scored")
    return Table(header=header, rows=tuple(rows))
