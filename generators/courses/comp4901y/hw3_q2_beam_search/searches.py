"""Each step's candidates, and what other searches find on the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from generators.answer import Part, part
from generators.cells import Cell, Value, exact
from generators.pipeline.wording import counted
from generators.table import Column, Table, column, table
from generators.topics.beam_search import PRODUCT, Candidate, Ties, Track, beam_search, final, first_loss, scored_candidates
from generators.topics.beam_search_tables import node_keys, written
from generators.topics.token_tree import Tree


def step_parts(tree: Tree, track: Track, weight: str, shown: Callable[[Fraction], Value]) -> Iterator[Part]:
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


def searches_table(tracks: Mapping[str, tuple[str, Track]], everything: tuple[Candidate, ...]) -> Table:
    """What each search finds, its rank among all, its share of the best probability, and the step that loses the best.

    `tracks` holds each search's name and track by the key of its row.
    """
    ranks, best = {one.sequence: one.rank for one in everything}, everything[0]
    rows: dict[str, list[Cell]] = {}
    for key, (name, track) in tracks.items():
        found, loss = final(track)[0], first_loss(track, best.sequence)
        share = exact(100 * found.score / best.score)
        rows[key] = [name, written(found.sequence), found.score, ranks[found.sequence], share, loss]
    share_of = column("share_of_the_best", unit="%")
    return table("searches", ["search", "sequence", "probability", "rank_among_all", share_of, "best_pruned_at_step"], rows)


def widths_table(tree: Tree, widest: int, ties: Ties, everything: tuple[Candidate, ...]) -> Table:
    """For 1 to `widest` beams: the best found, its rank among all, distinct first tokens at the end, and candidates scored."""
    ranks = {one.sequence: one.rank for one in everything}
    rows: dict[str, list[Cell]] = {}
    for width in range(1, widest + 1):
        track = beam_search(tree, width, PRODUCT, ties)
        best, left = final(track)[0], {one.sequence[0] for one in final(track)}
        found = [written(best.sequence), best.score, ranks[best.sequence]]
        rows[f"beams_{width}"] = [width, *found, len(left), scored_candidates(track)]
    found_by = ("best_sequence_found", "probability", "rank_among_all")
    return table("widths", ["beams", *found_by, "distinct_first_tokens", "candidates_scored"], rows)
