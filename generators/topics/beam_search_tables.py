"""A beam search as data of an answer: the fate of every node, each step's candidates, and what searches find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction

from generators.answer import Part, part
from generators.cells import Cell, Value
from generators.pipeline.wording import counted
from generators.table import Column, Table, column, table
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


def node_keys(tree: Tree) -> dict[Sequence, str]:
    """The key of each prefix's row: nodes are numbered in the order of the tree."""
    return {prefix: f"node_{number}" for number, prefix in enumerate(tree, 1)}


def tree_table(tree: Tree, track: Track, weight: Column) -> Table:
    """Every prefix with its last token, the row of its parent, its depth, its weight and its fate, for the picture asked for."""
    keys, fate = node_keys(tree), fates(tree, track)
    rows = {keys[prefix]: (prefix[-1], keys.get(prefix[:-1]), len(prefix), value, fate[prefix]) for prefix, value in tree.items()}
    return table("tree", ["token", "parent", "depth", weight, "track"], rows, asked=True, drawn=True)


def step_parts(tree: Tree, track: Track, weight: str, shown: Callable[[Fraction], Value] = lambda score: score) -> Iterator[Part]:
    """The candidates of every step, best first; `weight` says what a token adds, `shown` turns a score into what is published."""
    keys, last = node_keys(tree), column("last_token", f"{weight} of last token")
    columns: list[Column | str] = ["candidate", column("before", "Score before"), last, "score", "rank", "track"]
    for number, candidates in enumerate(track, 1):
        kept = "final" if number == len(track) else "kept"
        rows: dict[str, list[Cell]] = {}
        for one in candidates:
            scores = (None if score is None else shown(score) for score in (one.before, one.weight, one.score))
            rows[keys[one.sequence]] = [written(one.sequence), *scores, one.rank, kept if one.kept else "pruned"]
        title = f"Step {number}: {counted(len(candidates), 'candidate')}"
        yield part(f"step_{number}", title, table("candidates", columns, rows))


def ranked_rows(candidates: Iterable[Candidate], score: Column) -> dict[str, dict[str, Cell]]:
    """Sequences with their ranks and scores."""
    return {f"rank_{one.rank}": {"rank": one.rank, "sequence": written(one.sequence), score.key: one.score} for one in candidates}


def searches_table(
    tracks: Mapping[str, tuple[str, Track]],
    everything: tuple[Candidate, ...],
    score: Column,
    gap: Column,
    gap_of: Callable[[Fraction, Fraction], Value],
) -> Table:
    """What each search finds, its rank among all, `gap_of` its score and the best one, and the step that loses the best.

    `tracks` holds each search's name and track by the key of its row.
    """
    ranks, best = {one.sequence: one.rank for one in everything}, everything[0]
    rows: dict[str, list[Cell]] = {}
    for key, (name, track) in tracks.items():
        found, loss = final(track)[0], first_loss(track, best.sequence)
        away = gap_of(found.score, best.score)
        rows[key] = [name, written(found.sequence), found.score, ranks[found.sequence], away, loss]
    return table("searches", ["search", "sequence", score, "rank_among_all", gap, "best_pruned_at_step"], rows)


def widths_table(tree: Tree, widest: int, scoring: Scoring, ties: Ties, score: Column) -> Table:
    """For 1 to `widest` beams: the best found, its rank among all, distinct first tokens at the end, and candidates scored."""
    ranks = {one.sequence: one.rank for one in exhaustive_search(tree, scoring, ties)}
    rows: dict[str, list[Cell]] = {}
    for width in range(1, widest + 1):
        track = beam_search(tree, width, scoring, ties)
        best, left = final(track)[0], {one.sequence[0] for one in final(track)}
        found = [written(best.sequence), best.score, ranks[best.sequence]]
        rows[f"beams_{width}"] = [width, *found, len(left), scored_candidates(track)]
    after = ("rank_among_all", "distinct_first_tokens", "candidates_scored")
    return table("widths", ["beams", "best_sequence_found", score, *after], rows)
