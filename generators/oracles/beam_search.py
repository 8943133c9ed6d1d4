"""Finds the track of a beam search again: by enumeration of all sequences, and with Hugging Face's generate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy

from generators.answer import rational
from generators.oracles.compare import same, same_formulas, same_letters, same_rows
from generators.oracles.token_tree import (
    Prefix,
    Scores,
    Weights,
    along,
    candidate_rows,
    complete,
    decided_steps,
    ranks,
    search,
    search_row,
    smallest_width,
    tree_rows,
    weights_of,
    width_row,
)
from generators.oracles.tree_model import LogWeights, check_logs, check_track, generated
from generators.pipeline.wording import counted
from generators.steps import Answer, Check, Step, Table

if TYPE_CHECKING:
    from generators.courses.comp4901y.hw3_q2_beam_search import BeamParams

ENUMERATED = "enumeration, all sequences"
COUNTED = "enumeration, ranks by counting better candidates"


def marginals(weights: Weights) -> dict[Prefix, Fraction]:
    """The probability of each prefix as the sum over all sequences that begin with it."""
    sequences = {one: math.prod(along(weights, one), start=Fraction(1)) for one in complete(weights)}
    prefixes: list[Prefix] = [(), *weights]
    return {prefix: sum((p for one, p in sequences.items() if one[: len(prefix)] == prefix), Fraction(0)) for prefix in prefixes}


def greedy_sequence(weights: Weights, ties: str) -> Prefix:
    """Follow the likeliest token, one after the other."""
    prefix: Prefix = ()
    while below := [one for one in weights if one[:-1] == prefix]:
        prefix = max(below if ties == "first" else reversed(below), key=weights.__getitem__)
    return prefix


def verify_beams(params: BeamParams, answer: Answer) -> Iterator[Check]:
    """Check the tree, every step, the final sequences and the comparison."""
    weights = weights_of(params.tree, "p")
    scores = marginals(weights)
    logs: LogWeights = tuple((prefix, math.log(p)) for prefix, p in weights.items())
    yield from _check_track(params, answer, weights, scores, logs)
    yield from _check_comparison(params, answer, weights, scores, logs)


def _check_track(params: BeamParams, answer: Answer, weights: Weights, scores: Scores, logs: LogWeights) -> Iterator[Check]:
    part, in_logs = answer["2"], params.conventions.scoring != "product"
    steps = search(scores, params.num_beams, params.conventions.ties)
    yield same_rows("2, tree with the fate of every node", part.tables["tree"], tree_rows(weights, steps), COUNTED)
    tables = [part.tables[f"step_{number}"] for number in range(1, len(steps) + 1)]
    for number, table in enumerate(tables, 1):
        rows = candidate_rows(weights, scores, steps, number, _log if in_logs else lambda score: score)
        yield same_rows(f"2, step {number}: candidates, scores and ranks", table, rows, COUNTED)
    final = [
        (rank, " ".join(one), scores[one], *([_log(scores[one])] if in_logs else []))
        for rank, one in enumerate(steps[-1].kept, 1)
    ]
    yield same_rows("2, final sequences", part.tables["final"], final, COUNTED)
    for rank, one in enumerate(steps[-1].kept, 1):
        yield from _check_probability(f"2, sequence {rank}", part[f"probability_{rank}"], weights, one)
    kept = [[str(row[0]) for row in table.rows if row[-1] != "pruned"] for table in tables]
    published = [math.log(rational(p)) for p in part.tables["final"].column("Probability")]
    yield from check_track("2", kept, published, scores, steps, generated(logs, params.num_beams))


def _log(score: Fraction) -> sympy.Expr | int:
    return sympy.log(sympy.Rational(score.numerator, score.denominator)) if score != 1 else 0


def _check_probability(label: str, line: Step, weights: Weights, sequence: Prefix) -> Iterator[Check]:
    yield same(f"{label}: {line.what}", line.value, math.prod(along(weights, sequence)), ENUMERATED)
    letters = {f"p_{number}": p for number, p in enumerate(along(weights, sequence), 1)}
    yield same_letters(f"{label}: numbers put in", {"line": line}, letters)
    sizes = {f"p_{number}": number + 1 for number in range(1, len(sequence) + 1)}
    found = math.factorial(len(sequence) + 1)
    yield same_formulas(f"{label}: formula", [(line.what, line.formula, found)], sizes, "enumeration, 2 · 3 · 4 ...")


def _check_comparison(params: BeamParams, answer: Answer, weights: Weights, scores: Scores, logs: LogWeights) -> Iterator[Check]:
    part, ties = answer["comparison"], params.conventions.ties
    order = ranks(scores, complete(scores), ties)
    best, greedy = next(iter(order)), greedy_sequence(weights, ties)
    yield same("sequences in the tree", part["sequences"].value, len(order), ENUMERATED)
    formula, listed = part["sequences"].formula, len(_strings(3, 4))
    yield same_formulas("sequences", [("formula", formula, listed)], {"V": 3, "T": 4}, "enumeration, all strings")
    letters = {"V": len({prefix[-1] for prefix in weights}), "T": len(best)}
    yield same_letters("sequences: numbers put in", {"sequences": part["sequences"]}, letters)
    yield from _check_probability("greedy search", part["greedy"], weights, greedy)
    yield from _check_probability("exhaustive search", part["best"], weights, best)
    width = smallest_width(scores, ties)
    yield same(part["smallest_width"].what, part["smallest_width"].value, width, COUNTED)
    found = []
    names = ("greedy search", counted(params.num_beams, "beam"), "exhaustive search")
    for name, beams in zip(names, (1, params.num_beams, len(order)), strict=True):
        steps = search(scores, beams, ties)
        found.append(search_row(name, scores, order, steps, scores[steps[-1].kept[0]] / scores[best]))
    yield same_rows("greedy, beam and exhaustive search", part.tables["methods"], found, COUNTED)
    rows = [width_row(scores, order, number, ties) for number in range(1, max(width, params.num_beams) + 1)]
    yield same_rows("every number of beams", part.tables["widths"], rows, COUNTED)
    yield from _check_widths(part.tables["widths"], scores, logs, ties)


def _strings(letters: int, size: int) -> list[str]:
    strings = [""]
    for _ in range(size):
        strings = [one + chr(97 + letter) for one in strings for letter in range(letters)]
    return strings


def _check_widths(table: Table, scores: Scores, logs: LogWeights, ties: str) -> Iterator[Check]:
    """The best of each width, where no tie at an earlier cut leaves generate a choice."""
    for row in table.rows:
        width = int(rational(row[0]))
        steps = search(scores, width, ties)
        if decided_steps(scores, steps) >= len(steps) - 1:
            best = generated(logs, width).final[0][1]
            published = math.log(rational(row[2]))
            yield check_logs(f"log-probability of the best with beams: {width}", [published], [best], width)
