"""What greedy decoding and beam search find on the tree, and what both miss."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from generators.answer import Part, claim, formula, letter, number, part, text
from generators.cells import Math, exact
from generators.table import column, table
from generators.topics.beam_search import SUM, Ties, Track, exhaustive_search, final, smallest_width
from generators.topics.beam_search_tables import (
    along,
    in_words,
    node_keys,
    ranked_rows,
    searches_table,
    step_parts,
    tree_table,
    weight_columns,
    widths_table,
    written,
)
from generators.topics.token_tree import Tree

SCORE = column("log_likelihood", "Log-likelihood")
WEIGHT = column("log_probability", "Log-probability")
ELL_BEST, ELL_GREEDY, ELL_BEAM = sympy.symbols("ell_best ell_greedy ell_beam", real=True)


def greedy_part(tree: Tree, track: Track) -> Part:
    """Every choice of greedy decoding, and where it ends."""
    keys, found = node_keys(tree), final(track)[0]
    rows = {
        keys[one.sequence]: (step, one.sequence[-1], one.weight, one.score, "taken" if one.kept else "left")
        for step, candidates in enumerate(track, 1)
        for one in candidates
    }
    return part(
        "2.4a",
        "Greedy decoding",
        tree_table(tree, track, WEIGHT),
        table("choices", ["step", "word", WEIGHT, SCORE, "choice"], rows),
        text("sequence", written(found.sequence)),
        number("log_likelihood", found.score, symbol=r"\log p(\overline{w}_{1:T})", asked=True),
    )


def track_parts(tree: Tree, track: Track, printed: Track, width: int) -> Iterator[Part]:
    """The track, and what the algorithm returns if all its hypotheses start equal, as it is printed."""
    weights = weight_columns("ell", tree)
    copies, ranked = final(printed), zip(ranked_rows(final(track), SCORE).items(), final(track), strict=True)
    rows = {key: {**row, **along(tree, one.sequence, weights)} for (key, row), one in ranked}
    cuts = {
        f"step_{step}": (step, Math(r"-\infty") if len(candidates) < width else candidates[width - 1].score)
        for step, candidates in enumerate(track, 1)
    }  # what one more candidate must exceed to be kept; where there is room, any will do
    yield part(
        "2.4b",
        f"Beam search with {in_words(width)}",
        tree_table(tree, track, WEIGHT),
        table("final", ["rank", "sequence", *weights, SCORE], rows, asked=True),
        claim("fewer_candidates", len(track[0]) < width, "the first step has fewer candidates than beams"),
        number("copies", len(copies), "copies that the algorithm returns as printed"),
        text("copied", written(copies[0].sequence)),
        number("copied_log_likelihood", copies[0].score),
        table("cuts", ["step", SCORE], cuts),
    )
    headings = {"before": "Log p before", "last_token": "Log p of last word", "score": "Log-likelihood"}
    yield from step_parts(tree, track, headings)


def limitations(tree: Tree, greedy: Track, beams: Track, width: int, ties: Ties) -> Part:
    """What both searches miss, and which beam width would not."""
    everything, smallest = exhaustive_search(tree, SUM, ties), smallest_width(tree, SUM, ties)
    best, one, several = (found.score for found in (everything[0], final(greedy)[0], final(beams)[0]))
    first_words = {found.sequence[0] for found in final(beams)}
    tracks = {"greedy": ("greedy", greedy), "beams": (in_words(width), beams)}
    return part(
        "2.5",
        "Limitations",
        letter(ELL_BEST, best, "log-likelihood of the best sequence"),
        letter(ELL_GREEDY, one, "log-likelihood of greedy decoding's sequence"),
        letter(ELL_BEAM, several, "log-likelihood of beam search's best sequence"),
        formula("greedy_ratio", sympy.exp(ELL_BEST - ELL_GREEDY), "the best over greedy decoding", _ratio("greedy")),
        formula("beam_ratio", sympy.exp(ELL_BEST - ELL_BEAM), "the best over beam search", _ratio("beam")),
        formula("beam_gain", ELL_BEAM - ELL_GREEDY, "beam search above greedy decoding", r"\Delta", asked=True),
        claim("greedy_misses", one < best, "a sequence exceeds greedy decoding's"),
        claim("greedy_finds", one == best, "no sequence exceeds greedy decoding's"),
        claim("beams_miss", several < best, "a sequence exceeds beam search's best"),
        claim("beams_do_worse", several < one, "beam search ends below greedy decoding"),
        claim("beams_do_the_same", several == one, "beam search ends where greedy decoding does"),
        claim("beams_do_better", several > one, "beam search ends above greedy decoding"),
        claim("one_first_word", width > 1 and len(first_words) == 1, "several beams end with the same first word"),
        text("best", written(everything[0].sequence)),
        number("sequences_of_the_tree", len(everything)),
        number("nodes", len(tree), "nodes of the tree, the root left out"),
        number("smallest_width", smallest, "smallest beam width that finds a best sequence", "B^*"),
        searches_table(tracks, everything, SCORE, column("below_the_best"), lambda found, highest: exact(highest - found)),
        widths_table(tree, max(smallest, width), SUM, ties, SCORE),
        table("sequences", ["rank", "sequence", SCORE], ranked_rows(everything, SCORE)),
    )


def _ratio(name: str) -> str:
    return rf"p_{{\text{{best}}}} / p_{{\text{{{name}}}}}"
