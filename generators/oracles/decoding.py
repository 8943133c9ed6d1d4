"""Finds the answers on decoding again: sequences listed, the tree enumerated, and searched with Hugging Face's generate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, product
from typing import TYPE_CHECKING

import sympy

from generators.answer import Cell, rational
from generators.oracles.algorithm_run import verify_complexity
from generators.oracles.compare import Formula, at_sizes, same, same_formulas, same_letters, same_rows
from generators.oracles.token_tree import (
    Found,
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
from generators.steps import Answer, Check, Part, Step

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q2_decoding import DecodingParams

LISTED = "enumeration, all sequences written out"
MULTIPLIED = "loops, one factor a position"
ADDED = "loops, running sum"
DIFFERENCE = "enumeration, difference of two scores"
COUNTED = "enumeration, ranks by counting better candidates"
DAY_S = 24 * 60 * 60
YEAR_S = DAY_S * 36525 // 100


def verify_decoding(params: DecodingParams, answer: Answer) -> Iterator[Check]:
    """Check every part."""
    weights = weights_of(params.tree, "log_p")
    scores = {(): Fraction(0)} | {prefix: sum(along(weights, prefix), Fraction(0)) for prefix in weights}
    yield from _check_count(params, answer["2.1"])
    sizes = {"N": params.feasibility.vocabulary_size, "T": params.feasibility.length, "B": params.counted.beam_width}
    sizes |= {"r": params.feasibility.sequences_per_second, "Y": YEAR_S}
    for label in ("2.1", "2.2", "2.3"):
        yield same_letters(f"{label}, numbers put in", answer[label].steps, sizes)
    yield from _check_feasibility(params, answer["2.2"])
    yield from verify_complexity(params, answer["2.3"])
    yield from _check_greedy(params, answer["2.4a"], weights, scores)
    yield from _check_beams(params, answer["2.4b"], weights, scores)
    yield from _check_limitations(params, answer["2.5"], weights, scores)


@lru_cache(maxsize=64)
def listed(words: int, length: int, *, start_only: bool) -> int:
    """The number of sequences, each written out; word 0 is <BOS>."""
    sequences = product(range(words), repeat=length)
    return sum(1 for sequence in sequences if not (start_only and 0 in sequence))


@lru_cache(maxsize=512)
def _multiplied(words: int, length: int) -> int:
    return math.prod(words for _ in range(length))


def _check_count(params: DecodingParams, part: Part) -> Iterator[Check]:
    start_only = params.conventions.bos == "start only"
    sizes = params.feasibility
    rows = []
    for row in part.tables["listed"].rows:
        words, length = int(rational(row[0])), int(rational(row[1]))
        rows.append((words, length, *(listed(words, length, start_only=reading) for reading in (start_only, not start_only))))
    yield same_rows("2.1, small cases", part.tables["listed"], rows, LISTED)
    for name, reading in (("sequences", start_only), ("other_reading", not start_only)):
        line = part[name]
        found = _multiplied(sizes.vocabulary_size - reading, sizes.length)
        yield same(f"2.1, {line.what}", line.value, found, MULTIPLIED)
        triples: list[Formula] = [(name, line.formula, listed(4, 5, start_only=reading))]
        yield same_formulas(f"2.1, {line.what}", triples, {"N": 4, "T": 5}, LISTED)


def _check_feasibility(params: DecodingParams, part: Part) -> Iterator[Check]:
    sizes, left_out = params.feasibility, int(params.conventions.bos == "start only")
    rate, by = sizes.sequences_per_second, MULTIPLIED
    rows: list[tuple[Cell, ...]] = []
    for words in sorted({sizes.vocabulary_size, *sizes.other_vocabulary_sizes}):
        count = _multiplied(words - left_out, sizes.length)
        rows.append((words, count, Fraction(count, rate), Fraction(count, rate * YEAR_S)))
    yield same_rows("2.2, every vocabulary", part.tables["vocabularies"], rows, by)
    count = _multiplied(sizes.vocabulary_size - left_out, sizes.length)
    doubled = _multiplied(2 * sizes.vocabulary_size - left_out, sizes.length)
    yield same("2.2, seconds", part["seconds"].value, Fraction(count, rate), by)
    yield same("2.2, a year of 365.25 days", part["year"].value, YEAR_S, "loops, days of 24 hours of 60 minutes")
    yield same("2.2, years", part["years"].value, Fraction(count, rate * YEAR_S), by)
    yield same("2.2, growth when the vocabulary doubles", part["doubling"].value, Fraction(doubled, count), by)
    small, large = (listed(words, 4, start_only=bool(left_out)) for words in (3, 6))
    triples: list[Formula] = [
        ("seconds", part["seconds"].formula, Fraction(small, 7)),
        ("years", part["years"].formula, Fraction(small, 35)),
        ("doubling", part["doubling"].formula, Fraction(large, small)),
    ]
    yield same_formulas("2.2, formulas", triples, {"N": 3, "T": 4, "r": 7, "Y": 5}, LISTED)
    lengths = [length for length in range(1, 300) if _multiplied(sizes.vocabulary_size - left_out, length) <= rate * DAY_S]
    yield same(f"2.2, {part['longest'].what}", part["longest"].value, len(lengths), "loops, every length tried")


def _check_sum(label: str, line: Step, weights: Weights, sequence: Prefix) -> Iterator[Check]:
    """The value against the end of a running sum, the formula against 2 + 3 + 4 ..."""
    *_, last = accumulate(along(weights, sequence))
    yield same(f"{label}: {line.what}", line.value, last, ADDED)
    letters = {f"ell_{number}": weight for number, weight in enumerate(along(weights, sequence), 1)}
    yield same_letters(f"{label}: numbers put in", {"line": line}, letters)
    sizes = {f"ell_{number}": number + 1 for number in range(1, len(sequence) + 1)}
    yield same_formulas(f"{label}: formula", [(line.what, line.formula, sum(sizes.values()))], sizes, ADDED)


def _logs(weights: Weights) -> LogWeights:
    return tuple((prefix, float(weight)) for prefix, weight in weights.items())


def _check_greedy(params: DecodingParams, part: Part, weights: Weights, scores: Scores) -> Iterator[Check]:
    ties = params.conventions.ties
    steps = search(scores, 1, ties)
    rows: list[tuple[Cell, ...]] = []
    prefix: Prefix = ()
    while below := [one for one in weights if one[:-1] == prefix]:
        order = ranks(weights, below, ties)
        depth = len(prefix) + 1
        rows += [(depth, one[-1], weights[one], scores[one], "taken" if order[one] == 1 else "left") for one in order]
        prefix = next(iter(order))
    yield same_rows("2.4a, tree", part.tables["tree"], tree_rows(weights, steps), COUNTED)
    yield same_rows("2.4a, every choice", part.tables["choices"], rows, "enumeration, the likeliest word after another")
    yield from _check_sum("2.4a", part["log_likelihood"], weights, prefix)
    taken = [str(row[1]) for row in part.tables["choices"].rows if row[-1] == "taken"]
    kept = [[" ".join(taken[:size])] for size in range(1, len(taken) + 1)]
    run = generated(_logs(weights), 1)
    yield from check_track("2.4a", kept, [float(rational(part["log_likelihood"].value))], scores, steps, run)


def _check_beams(params: DecodingParams, part: Part, weights: Weights, scores: Scores) -> Iterator[Check]:
    width, ties = params.beam_width, params.conventions.ties
    steps = search(scores, width, ties)
    yield same_rows("2.4b, tree", part.tables["tree"], tree_rows(weights, steps), COUNTED)
    tables = [part.tables[f"step_{number}"] for number in range(1, len(steps) + 1)]
    for number, table in enumerate(tables, 1):
        rows = candidate_rows(weights, scores, steps, number)
        yield same_rows(f"2.4b, step {number}: candidates, scores and ranks", table, rows, COUNTED)
    final = [(rank, " ".join(one), scores[one]) for rank, one in enumerate(steps[-1].kept, 1)]
    yield same_rows("2.4b, final sequences", part.tables["final"], final, COUNTED)
    for rank, one in enumerate(steps[-1].kept, 1):
        yield from _check_sum(f"2.4b, sequence {rank}", part[f"log_likelihood_{rank}"], weights, one)
    kept = [[str(row[0]) for row in table.rows if row[-1] != "pruned"] for table in tables]
    published = [float(rational(score)) for score in part.tables["final"].column("Log-likelihood")]
    yield from check_track("2.4b", kept, published, scores, steps, generated(_logs(weights), width))
    printed = [(rank, *found) for rank, found in enumerate(as_printed(weights, width, ties), 1)]
    yield same_rows(
        "2.4b, the algorithm run as it is printed", part.tables["as_printed"], printed, "second run, the pseudo-code line by line"
    )


def as_printed(weights: Weights, width: int, ties: str) -> list[tuple[str, Fraction]]:
    """The pseudo-code to the letter: all hypotheses start as <BOS> with log-likelihood 0, and pairs (b, j) are chosen."""
    place = {prefix: number if ties == "first" else -number for number, prefix in enumerate(weights)}
    words: list[Prefix] = [()] * width
    logs = [Fraction(0)] * width
    for _ in range(max(map(len, weights))):
        left = {(b, one): logs[b] + weights[one] for b, prefix in enumerate(words) for one in weights if one[:-1] == prefix}
        chosen: list[tuple[Prefix, Fraction]] = []
        while left and len(chosen) < width:
            best = min(left, key=lambda pair: (-left[pair], place[pair[1]], pair[0]))
            chosen.append((best[1], left.pop(best)))
        words, logs = [one for one, _ in chosen], [log for _, log in chosen]
    return [(" ".join(one), log) for one, log in zip(words, logs, strict=True)]


def _check_limitations(params: DecodingParams, part: Part, weights: Weights, scores: Scores) -> Iterator[Check]:
    ties = params.conventions.ties
    order = ranks(scores, complete(scores), ties)
    found = {1: search(scores, 1, ties), params.beam_width: search(scores, params.beam_width, ties)}
    ends = {width: scores[steps[-1].kept[0]] for width, steps in found.items()}
    best = max(scores[one] for one in order)
    sequences = [(rank, " ".join(one), scores[one]) for one, rank in order.items()]
    yield same_rows("2.5, all sequences", part.tables["sequences"], sequences, COUNTED)
    rows = [
        search_row(name, scores, order, found[width], best - ends[width])
        for name, width in (("greedy", 1), (counted(params.beam_width, "beam"), params.beam_width))
    ]
    yield same_rows("2.5, greedy and beam search", part.tables["searches"], rows, COUNTED)
    letters = {"ell^*": best, "ell_greedy": ends[1], "ell_beam": ends[params.beam_width]}
    yield same_letters("2.5, numbers put in", part.steps, letters)
    yield from _check_gaps(part, {"best": best, "greedy": ends[1], "beam": ends[params.beam_width]})
    width = smallest_width(scores, ties)
    yield same(f"2.5, {part['smallest_width'].what}", part["smallest_width"].value, width, COUNTED)
    widths = [width_row(scores, order, number, ties) for number in range(1, max(width, params.beam_width) + 1)]
    yield same_rows("2.5, every beam width", part.tables["widths"], widths, COUNTED)
    for row in part.tables["widths"].rows:
        yield from _check_width(row, scores, search(scores, int(rational(row[0])), ties), _logs(weights))


def _check_gaps(part: Part, ends: Mapping[str, Fraction]) -> Iterator[Check]:
    """A ratio is e to a difference of log-likelihoods, so its logarithm must be that difference."""
    for name in ("greedy", "beam"):
        line = part[f"{name}_ratio"]
        gap = ends["best"] - ends[name]
        found = sympy.log(sympy.sympify(line.value))
        yield same(f"2.5, logarithm of {line.what}", found, sympy.Rational(gap.numerator, gap.denominator), DIFFERENCE)
        small = at_sizes(line.formula, {"ell^*": 7, f"ell_{name}": 4})
        yield same(f"2.5, {line.what}, formula at a difference of 3", sympy.log(small), 3, DIFFERENCE)
    line = part["beam_gain"]
    yield same(f"2.5, {line.what}", line.value, ends["beam"] - ends["greedy"], DIFFERENCE)
    yield same_formulas("2.5, gain", [("gain", line.formula, 3)], {"ell_beam": 7, "ell_greedy": 4}, DIFFERENCE)


def _check_width(row: tuple[Cell, ...], scores: Scores, steps: list[Found], logs: LogWeights) -> Iterator[Check]:
    """The best of a width, where no tie at an earlier cut leaves generate a choice."""
    if decided_steps(scores, steps) >= len(steps) - 1:
        width = steps[0].width
        found = generated(logs, width).final[0][1]
        yield check_logs(f"2.5, log-likelihood of the best with beams: {width}", [float(rational(row[2]))], [found], width)
