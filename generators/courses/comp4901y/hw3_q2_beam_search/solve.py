"""Follows the beams, then compares them with greedy and exhaustive search."""

from __future__ import annotations

import sympy

from generators.answer import Answer, Part, answer, claim, number, part, text
from generators.cells import Value, exact
from generators.courses.comp4901y.hw3_q2_beam_search import searches
from generators.courses.comp4901y.hw3_q2_beam_search.params import BeamParams
from generators.table import Table, column, table
from generators.topics import beam_search as beams
from generators.topics import beam_search_tables as tables
from generators.topics.beam_search import PRODUCT, Track, beam_search
from generators.topics.token_tree import Tree, complete_sequences, flattened, same_length

PROBABILITY = column("probability")


def solve(params: BeamParams) -> Answer:
    """The track, each step's candidates, the sequences at the end, and what other searches find."""
    tree = flattened(params.tree, "p")
    track = beam_search(tree, params.num_beams, PRODUCT, params.conventions.ties)
    in_logs = params.conventions.scoring == "sum of logs"
    weight, shown = ("Log-probability", _log) if in_logs else ("Probability", lambda product: product)
    return answer(
        _sheet(params, tree),
        part(
            "2",
            f"Beam search with {tables.in_words(params.num_beams)}",
            tables.tree_table(tree, track, PROBABILITY),
            _final(track, in_logs=in_logs),
            claim("fewer_candidates", len(track[0]) < params.num_beams, "the first step has fewer candidates than beams"),
        ),
        *searches.step_parts(tree, track, weight, shown),
        _comparison(params, tree, track),
    )


def _sheet(params: BeamParams, tree: Tree) -> Part:
    """What is given."""
    tokens = dict.fromkeys(params.vocabulary or (prefix[-1] for prefix in tree))
    length, equal = max(map(len, tree)), same_length(tree)
    whole = equal and len(complete_sequences(tree)) == len(tokens) ** length
    return part(
        "sheet",
        "Given",
        text("root", params.root),
        text("vocabulary", ", ".join(tokens)),
        number("length", length, "tokens of the longest sequence"),
        claim("every_sequence", whole, "the tree holds every sequence of this length"),
        claim("some_sequences", not whole, "the tree holds some sequences, none of them longer"),
        claim("lengths_differ", not equal, "sequences end after different numbers of tokens"),
        number("num_beams", params.num_beams, "beams"),
        claim("one_beam", params.num_beams == 1),
        claim("several_beams", params.num_beams > 1),
        claim("scores_are_products", params.conventions.scoring == "product"),
        claim("scores_are_sums_of_logs", params.conventions.scoring == "sum of logs"),
        text("ties", params.conventions.ties),
    )


def _log(product: Value) -> Value:
    return exact(sympy.log(product))


def _final(track: Track, *, in_logs: bool) -> Table:
    """What the search ends with."""
    rows = {
        f"rank_{one.rank}": (one.rank, tables.written(one.sequence), one.score, *([_log(one.score)] if in_logs else []))
        for one in beams.final(track)
    }
    return table("final", ["rank", "sequence", PROBABILITY, *(["sum_of_logs"] if in_logs else [])], rows, asked=True)


def _comparison(params: BeamParams, tree: Tree, track: Track) -> Part:
    ties = params.conventions.ties
    everything = beams.exhaustive_search(tree, PRODUCT, ties)
    best, width = everything[0], beams.smallest_width(tree, PRODUCT, ties)
    greedy, all_kept = (beam_search(tree, one, PRODUCT, ties) for one in (1, len(everything)))
    tracks = {
        "greedy": ("greedy search", greedy),
        "beams": (tables.in_words(params.num_beams), track),
        "exhaustive": ("exhaustive search", all_kept),
    }
    misses = beams.final(track)[0].score < best.score
    return part(
        "comparison",
        "Against greedy and exhaustive search",
        number("sequences", len(everything), "sequences in the tree"),
        number("nodes", len(tree), "nodes of the tree, the root left out"),
        number("candidates_scored", beams.scored_candidates(track)),
        claim("misses_the_best", misses, "the beams end without a most likely sequence"),
        claim("finds_the_best", not misses, "the beams end with a most likely sequence"),
        number("smallest_width", width, "smallest number of beams that finds a most likely sequence"),
        searches.searches_table(tracks, everything),
        searches.widths_table(tree, max(width, params.num_beams), ties, everything),
    )
