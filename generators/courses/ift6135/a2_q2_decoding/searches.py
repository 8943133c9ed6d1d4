"""What greedy decoding and beam search find on the tree, and what both miss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from generators.answer import Part, claim, number, part, text
from generators.cells import Cell, Math
from generators.table import Column, Table, column, table
from generators.topics.beam_search import SUM, Candidate, Ties, Track, exhaustive_search, final, first_loss, smallest_width
from generators.topics.beam_search_tables import in_words, node_keys, tree_table, written
from generators.topics.token_tree import Tree, same_length

SCORE = column("log_likelihood", "Log-likelihood")


def _candidates(tree: Tree, track: Track) -> Table:
    """The candidates of every step, best first; one that ended before has a row at each later step too."""
    keys = node_keys(tree)
    columns: list[Column | str] = ["step", "candidate", column("before", "Before"), column("last", "Last word"), SCORE, "kept"]
    rows = {
        keys[one.sequence] if one.weight is not None else f"{keys[one.sequence]}.step_{step}": (
            step, written(one.sequence), one.before, one.weight, one.score, "yes" if one.kept else "no",
        )
        for step, candidates in enumerate(track, 1)
        for one in candidates
    }  # fmt: skip
    return table("candidates", columns, rows)


def greedy_part(tree: Tree, track: Track) -> Part:
    """Every choice of greedy decoding, and where it ends."""
    found = final(track)[0]
    return part(
        "2.4a",
        "Greedy decoding",
        text("sequence", written(found.sequence)),
        number("log_likelihood", found.score, symbol=rf"\log p(\overline{{\mathbf{{w}}}}_{{1:{len(track)}}})", asked=True),
        _candidates(tree, track),
    )


def beam_part(tree: Tree, track: Track, width: int, ties: Ties) -> Part:
    """The track, where it ends, and whether equal scores had to be told apart."""
    cuts = [candidates[width - 1 : width + 1] for candidates in track]
    words = column("sequence", Math(rf"\mathbf{{w}}_{{1:{len(track)}}}^{{(b)}}" if same_length(tree) else r"\mathbf{w}^{(b)}"))
    tie = any(len(cut) == 2 and cut[0].score == cut[1].score for cut in cuts)
    return part(
        "2.4b",
        f"Beam search with {in_words(width)}",
        replace(tree_table(tree, track, column("log_probability", "Log-probability")), asked=False),
        table("final", [column("rank", Math("b")), words, SCORE], _ranked(final(track)), asked=True),
        _candidates(tree, track),
        claim("tie", tie, "the last kept and the first pruned candidate of a step are equal"),
        *([text("ties", ties)] if tie else []),
    )


def _ranked(candidates: Iterable[Candidate]) -> dict[str, dict[str, Cell]]:
    """Sequences with their ranks and scores."""
    return {f"rank_{one.rank}": {"rank": one.rank, "sequence": written(one.sequence), SCORE.key: one.score} for one in candidates}


def limitations(tree: Tree, greedy: Track, beams: Track, width: int, ties: Ties) -> Part:
    """What both searches miss, and which beam width would not."""
    everything = exhaustive_search(tree, SUM, ties)
    best, one, several = (found.score for found in (everything[0], final(greedy)[0], final(beams)[0]))
    return part(
        "2.5",
        "Limitations",
        number("ell_best", best, "log-likelihood of the best sequence", asked=one < best),
        number("ell_greedy", one, "log-likelihood of greedy decoding's sequence"),
        number("ell_beam", several, "log-likelihood of beam search's best sequence"),
        *([number("greedy_loses", first_loss(greedy, everything[0].sequence) or 0)] if one < best else []),
        *([number("beams_lose", first_loss(beams, everything[0].sequence) or 0)] if several < best else []),
        number("smallest_width", smallest_width(tree, SUM, ties), "fewest beams that find a best sequence", r"B_{\min}"),
        text("best", written(everything[0].sequence)),
        claim("greedy_misses", one < best, "a sequence exceeds greedy decoding's"),
        claim("greedy_finds", one == best, "no sequence exceeds greedy decoding's"),
        claim("beams_miss", several < best, "a sequence exceeds beam search's best"),
        claim("beams_find", several == best, "no sequence exceeds beam search's best"),
        claim("beams_do_worse", several < one, "beam search ends below greedy decoding"),
        _sequences(greedy, beams, everything=_ranked(everything)),
    )


def _sequences(greedy: Track, beams: Track, everything: dict[str, dict[str, Cell]]) -> Table:
    """Every sequence of the tree, best first, with the searches that end with it."""
    ends = {"greedy decoding": final(greedy), "beam search": final(beams)}
    rows = {
        key: {
            **row,
            "found_by": ", ".join(name for name, end in ends.items() if row["sequence"] in [written(one.sequence) for one in end])
            or "–",
        }
        for key, row in everything.items()
    }
    return table("sequences", ["rank", "sequence", SCORE, "found_by"], rows)
