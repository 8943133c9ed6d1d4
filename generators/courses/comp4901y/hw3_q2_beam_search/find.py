"""Finds the track again by enumeration of all sequences, and its ranks with Hugging Face's generate as well.

From the sheet: two beams on the tree in the figure, the track marked, and the two sequences written down. A prefix is as
likely as all sequences together that begin with it; candidates are read from left to right, or where the last of equal ones is
preferred from right to left, and each goes in before those that are less likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from generators.cells import Cell
from generators.courses.comp4901y.hw3_q2_beam_search.params import BeamParams
from generators.found import Found, Route
from generators.oracles import token_tree as trees
from generators.oracles.token_tree import Prefix, Scores, Weights

SHEET = Route("the sheet and the parameters, read again", restates=True)
ENUMERATED = Route("enumeration of all sequences")
INSERTED = Route("ranks by putting each candidate before less likely ones")
LOGS = Route(f"{INSERTED.name}, and logarithms in float64", tolerance=1e-12, absolute=1e-12)


def find(params: BeamParams) -> Iterator[Found]:
    """Everything that is published about the search."""
    weights, ties = trees.weights_of(params.tree, "p"), params.conventions.ties
    scores = _marginals(weights)
    steps = trees.search(scores, params.num_beams, ties)
    order = trees.ranks(scores, trees.complete(scores), ties)
    yield from _given(params, weights)
    yield from _track(params, weights, scores, steps)
    yield from _comparison(params, weights, scores, order, steps)
    yield from _generated(params.num_beams, weights, scores, steps)
    yield from _generated_widths(params.num_beams, weights, scores, ties)


def _marginals(weights: Weights) -> dict[Prefix, Fraction]:
    """The probability of each prefix as the sum over all sequences that begin with it, those that are left out as one more."""
    shown, begun = dict(weights), {prefix[:-1] for prefix in weights}
    for prefix in begun:
        shown[(*prefix, "")] = 1 - sum((p for one, p in weights.items() if one[:-1] == prefix), Fraction(0))
    sequences = {one: math.prod(trees.along(shown, one), start=Fraction(1)) for one in trees.complete(shown)}
    return {
        prefix: sum((p for one, p in sequences.items() if one[: len(prefix)] == prefix), Fraction(0)) for prefix in ((), *weights)
    }


def _given(params: BeamParams, weights: Weights) -> Iterator[Found]:
    beams, conventions = params.num_beams, params.conventions
    yield from SHEET.part("sheet", "Given")
    tokens = dict.fromkeys([prefix[-1] for prefix in weights] if params.vocabulary is None else params.vocabulary)
    yield from SHEET.values("sheet", root=params.root, vocabulary=", ".join(tokens), num_beams=beams, ties=conventions.ties)
    length, sequences = trees.length(weights), trees.complete(weights)
    whole = set(sequences) == set(product(tokens, repeat=length))
    yield from SHEET.values("sheet", length=length)
    yield from ENUMERATED.values("sheet", every_sequence=whole, some_sequences=not whole)
    yield from ENUMERATED.values("sheet", lengths_differ=any(len(one) < length for one in sequences))
    yield from SHEET.values("sheet", one_beam=beams == 1, several_beams=beams != 1)
    products = {"product": True, "sum of logs": False}[conventions.scoring]
    yield from SHEET.values("sheet", scores_are_products=products, scores_are_sums_of_logs=not products)


def _track(params: BeamParams, weights: Weights, scores: Scores, steps: Sequence[trees.Found]) -> Iterator[Found]:
    in_logs = params.conventions.scoring == "sum of logs"
    by, shown = (LOGS, _log) if in_logs else (INSERTED, lambda score: score)
    headings = {"before": "Score before", "last_token": f"{'Log-probability' if in_logs else 'Probability'} of last token"}
    yield from SHEET.part("2", f"Beam search with {_beams(params.num_beams)}")
    yield from INSERTED.table("2", "tree", trees.tree_cells(weights, steps, "probability"))
    final = {
        f"rank_{rank}": (rank, " ".join(one), scores[one], *([_log(scores[one])] if in_logs else []))
        for rank, one in enumerate(steps[-1].kept, 1)
    }
    columns = ("rank", "sequence", "probability", *(["sum_of_logs"] if in_logs else []))
    yield from by.table("2", "final", final, columns=columns)
    yield from INSERTED.values("2", fewer_candidates=len(steps[0].ranks) < params.num_beams)
    for number in range(1, len(steps) + 1):
        rows = _candidates(number, weights, scores, steps, shown)
        noun = "candidate" if len(rows) == 1 else "candidates"
        yield from INSERTED.part(f"step_{number}", f"Step {number}: {len(rows)} {noun}")
        columns = ("candidate", *headings, "score", "rank", "track")
        yield from by.table(f"step_{number}", "candidates", rows, headings=headings, columns=columns)


def _candidates(
    number: int, weights: Weights, scores: Scores, steps: Sequence[trees.Found], shown: Callable[[Fraction], Any]
) -> dict[str, Sequence[Cell]]:
    """The candidates of a step, best first; one that ended at an earlier step has no last token."""
    keys, step, kept = trees.node_keys(weights), steps[number - 1], "final" if number == len(steps) else "kept"
    rows: dict[str, Sequence[Cell]] = {}
    for one, rank in step.ranks.items():
        added = (shown(scores[one[:-1]]), shown(weights[one])) if len(one) == number else (None, None)
        rows[keys[one]] = (" ".join(one), *added, shown(scores[one]), rank, kept if one in step.kept else "pruned")
    return rows


def _beams(number: int) -> str:
    return "1 beam" if number == 1 else f"{number} beams"


def _log(score: Fraction) -> float:
    """The natural logarithm, of a number too small for a float as well."""
    return math.log(score.numerator) - math.log(score.denominator) if score else -math.inf


def _comparison(
    params: BeamParams, weights: Weights, scores: Scores, order: Mapping[Prefix, int], steps: Sequence[trees.Found]
) -> Iterator[Found]:
    ties = params.conventions.ties
    found, best, width = scores[steps[-1].kept[0]], max(scores[one] for one in order), trees.smallest_width(scores, ties)
    yield from SHEET.part("comparison", "Against greedy and exhaustive search")
    yield from ENUMERATED.values("comparison", sequences=len(order), nodes=len(weights))
    yield from INSERTED.values("comparison", candidates_scored=trees.scored(steps))
    yield from INSERTED.values("comparison", smallest_width=width)
    yield from INSERTED.values("comparison", misses_the_best=found != best, finds_the_best=found == best)
    first, rows = next(iter(order)), {}
    names = {"greedy": ("greedy search", 1), "beams": (_beams(params.num_beams), params.num_beams),
             "exhaustive": ("exhaustive search", len(order))}  # fmt: skip
    for key, (name, beams) in names.items():
        ended = trees.search(scores, beams, ties)
        share = 100 * scores[ended[-1].kept[0]] / best
        rows[key] = (name, *_best(scores, order, ended), share, trees.pruned_at(first, ended))
    columns = ("search", "sequence", "probability", "rank_among_all", "share_of_the_best", "best_pruned_at_step")
    yield from INSERTED.table("comparison", "searches", rows, units={"share_of_the_best": "%"}, columns=columns)
    widths = {}
    for beams in range(1, max(width, params.num_beams) + 1):
        ended = trees.search(scores, beams, ties)
        starts = {sequence[0] for sequence in ended[-1].kept}
        widths[f"beams_{beams}"] = (beams, *_best(scores, order, ended), len(starts), trees.scored(ended))
    found_by = ("best_sequence_found", "probability", "rank_among_all")
    columns = ("beams", *found_by, "distinct_first_tokens", "candidates_scored")
    yield from INSERTED.table("comparison", "widths", widths, columns=columns)


def _best(scores: Scores, order: Mapping[Prefix, int], steps: Sequence[trees.Found]) -> tuple[str, Fraction, int]:
    """The best sequence that a search ends with, its score and its rank among all."""
    one = steps[-1].kept[0]
    return " ".join(one), scores[one], order[one]


def _logs(weights: Weights) -> dict[Prefix, float]:
    return {one: _log(weight) for one, weight in weights.items()}


def _generated(width: int, weights: Weights, scores: Scores, steps: Sequence[trees.Found]) -> Iterator[Found]:
    """Fates and ranks down to the first step whose cut float32 cannot tell, and what the search ends with."""
    from generators.oracles.tree_model import generate_route, generated, generated_fates

    logs, by = _logs(scores), generate_route(width)
    run, decided = generated(tuple(_logs(weights).items()), width), trees.decided_steps(logs, steps)
    yield from by.cells("2", "tree", generated_fates(weights, run, decided))
    keys = trees.node_keys(weights)
    for number, (step, kept) in enumerate(zip(steps[:decided], run.kept, strict=False), 1):
        for rank, one in enumerate(dict.fromkeys(kept), 1):
            if not any(trees.too_close(logs[one], logs[other]) for other in step.ranks if other != one):
                yield from by.cells(f"step_{number}", "candidates", {keys[one]: {"rank": rank}})
    if trees.settled(logs, steps) and all(scores[one] for one in steps[-1].kept):
        for rank, (_, log) in enumerate(run.final, 1):
            yield from generate_route(width, log).cells("2", "final", {f"rank_{rank}": {"probability": math.exp(log)}})


def _generated_widths(num_beams: int, weights: Weights, scores: Scores, ties: str) -> Iterator[Found]:
    """The best that each number of beams finds, where no cut before the last step is too close for float32."""
    from generators.oracles.tree_model import generate_route, generated

    for width in range(1, max(trees.smallest_width(scores, ties), num_beams) + 1):
        steps = trees.search(scores, width, ties)
        if trees.settled(_logs(scores), steps) and scores[steps[-1].kept[0]]:
            log = generated(tuple(_logs(weights).items()), width).final[0][1]
            cells = {f"beams_{width}": {"probability": math.exp(log)}}
            yield from generate_route(width, log).cells("comparison", "widths", cells)
