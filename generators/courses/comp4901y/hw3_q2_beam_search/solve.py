"""Follows the beams, then compares them with greedy and exhaustive search."""

from __future__ import annotations

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Value, exact
from generators.courses.comp4901y.hw3_q2_beam_search.params import BeamParams
from generators.table import Table, column, table
from generators.topics.beam_search import (
    PRODUCT,
    Candidate,
    Track,
    beam_search,
    exhaustive_search,
    final,
    scored_candidates,
    smallest_width,
)
from generators.topics.beam_search_tables import (
    along,
    in_words,
    ranked_rows,
    searches_table,
    step_parts,
    tree_table,
    weight_columns,
    widths_table,
    written,
)
from generators.topics.token_tree import Tree, flattened

V, T = sympy.symbols("V T", positive=True)
PROBABILITY = column("probability")


def solve(params: BeamParams) -> Answer:
    """The track, each step's candidates, the sequences at the end, and what other searches find."""
    tree, ties = flattened(params.tree, "p"), params.conventions.ties
    track = beam_search(tree, params.num_beams, PRODUCT, ties)
    in_logs = params.conventions.scoring == "sum of logs"
    everything = exhaustive_search(tree, PRODUCT, ties)
    sheet = _sheet(params, tree)
    log = "log " if in_logs else ""
    headings = {"before": f"{log}P before", "last_token": f"{log}p of last token", "score": f"{log}P"}
    return answer(
        sheet,
        part(
            "2",
            f"Beam search with {in_words(params.num_beams)}",
            tree_table(tree, track, PROBABILITY),
            _final(track, tree, in_logs=in_logs),
            claim("fewer_candidates", len(track[0]) < params.num_beams, "the first step has fewer candidates than beams"),
        ),
        *step_parts(tree, track, headings, _log if in_logs else lambda product: product),
        _comparison(params, tree, track, everything, sheet),
    )


def _sheet(params: BeamParams, tree: Tree) -> Part:
    """What is given."""
    return part(
        "sheet",
        "Given",
        text("root", params.root),
        text("vocabulary", ", ".join(params.tree)),
        letter(V, len(params.tree), "tokens of the vocabulary"),
        letter(T, max(map(len, tree)), "tokens of a sequence"),
        number("num_beams", params.num_beams, "beams"),
        claim("one_beam", params.num_beams == 1),
        claim("several_beams", params.num_beams > 1),
        claim("scores_are_products", params.conventions.scoring == "product"),
        claim("scores_are_sums_of_logs", params.conventions.scoring == "sum of logs"),
        text("ties", params.conventions.ties),
    )


def _log(product: Value) -> Value:
    return exact(sympy.log(product))


def _final(track: Track, tree: Tree, *, in_logs: bool) -> Table:
    """What the search ends with; the probability is the product of those of the tokens."""
    factors = weight_columns("p", tree)
    rows = ranked_rows(final(track), PROBABILITY)
    for row, one in zip(rows.values(), final(track), strict=True):
        row.update(along(tree, one.sequence, factors), **({"sum_of_logs": _log(one.score)} if in_logs else {}))
    logs = ["sum_of_logs"] if in_logs else []
    return table("final", ["rank", "sequence", *factors, PROBABILITY, *logs], rows, asked=True)


def _best(best: Candidate, tree: Tree) -> Table:
    factors = weight_columns("p", tree)
    row = {"sequence": written(best.sequence), **along(tree, best.sequence, factors), "probability": best.score}
    return table("best", ["sequence", *factors, PROBABILITY], {"best": row})


def _comparison(params: BeamParams, tree: Tree, track: Track, everything: tuple[Candidate, ...], sheet: Part) -> Part:
    ties = params.conventions.ties
    greedy, all_kept = (beam_search(tree, width, PRODUCT, ties) for width in (1, len(everything)))
    tracks = {
        "greedy": ("greedy search", greedy),
        "beams": (in_words(params.num_beams), track),
        "exhaustive": ("exhaustive search", all_kept),
    }
    width = smallest_width(tree, PRODUCT, ties)
    misses = final(track)[0].score < everything[0].score
    return part(
        "comparison",
        "Against greedy and exhaustive search",
        formula("sequences", V**T, "sequences in the tree", "S"),
        number("nodes", len(tree), "nodes of the tree, the root left out"),
        number("candidates_scored", scored_candidates(track)),
        _best(everything[0], tree),
        claim("misses_the_best", misses, "the beams end without a most likely sequence"),
        claim("finds_the_best", not misses, "the beams end with a most likely sequence"),
        number("smallest_width", width, "smallest number of beams that finds a most likely sequence", "k^*"),
        searches_table(
            tracks, everything, PROBABILITY, column("share_of_the_best", unit="%"), lambda found, best: exact(100 * found / best)
        ),
        widths_table(tree, max(width, params.num_beams), PRODUCT, ties, PROBABILITY),
        within=sheet,
    )
