"""Runs beam search's pseudo-code again and counts its work in other ways: by ranks, by paths through a heap, by all orders."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cmp_to_key, lru_cache
from itertools import permutations, product
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import sympy

from generators.answer import Cell, rational
from generators.oracles.compare import Formula, at_sizes, inside_order, same, same_formulas, same_rows, text
from generators.steps import Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q2_decoding import DecodingParams

Key: TypeAlias = tuple[float, int, int]
"""A score, and its hypothesis and word, both negative, so that of equal scores the first is larger."""
RUN = "second run, counted by ranks and paths"
LOOPS = "loops, step by step and hypothesis by hypothesis"
BRUTE = "brute force, all orders"
SELECTIONS = {"a new scan for each b": 1, "all scores sorted once": 2, "a heap of the best B": 3}
"""The ways to find the b-th largest, and which line counts their comparisons."""
COUNTED_LINES = (
    ("score of every hypothesis and word", "additions"),
    ("b-th largest: a new scan for each b", "comparisons"),
    ("b-th largest: all scores sorted once", "comparisons, at most"),
    ("b-th largest: a heap of the best B", "comparisons, at most"),
    ("prefixes saved and assigned back", "words copied"),
    ("word added, log-likelihood updated", "assignments"),
    ("memory", "numbers held at once"),
)
"""What each count of `line_by_line` is of, and in which unit."""
LARGE = {"T": 2**13, "B": 2**8, "N": 2**20}
POWER = 0.03
"""How far two powers may lie apart; a logarithm more or less is at least log2(29/28) = 0.05, as BN is at most 2^28."""


def merge_comparisons(keys: Sequence[Key]) -> tuple[list[Key], int]:
    """Merge sort, largest first: a merge compares once for each key, but not for those left when one half is used up."""
    if len(keys) < 2:
        return list(keys), 0
    middle = len(keys) // 2
    (left, first), (right, second) = merge_comparisons(keys[:middle]), merge_comparisons(keys[middle:])
    longer, end = (right, left[-1]) if left[-1] > right[-1] else (left, right[-1])
    return sorted(keys, reverse=True), first + second + len(keys) - sum(key < end for key in longer)


@lru_cache(maxsize=4096)
def merge_worst(size: int) -> int:
    """Comparisons of the worst order: every merge needs all but one."""
    return 0 if size < 2 else merge_worst(size // 2) + merge_worst(size - size // 2) + size - 1


def heap_worst(size: int) -> int:
    """Comparisons of the worst replacement: over every path from the root to a leaf, siblings met, and the way back up."""

    def below(node: int) -> int:
        children = [child for child in (2 * node + 1, 2 * node + 2) if child < size]
        return max((len(children) - 1 + 1 + below(child) for child in children), default=0)

    return 1 + below(0)


def heap_comparisons(keys: Sequence[Key], width: int) -> tuple[list[Key], int]:
    """Push every key through a heap of `width`; return what is left in it and the comparisons."""
    count = 0

    def compare(one: Key, other: Key) -> int:
        nonlocal count
        count += 1
        return (one > other) - (one < other)

    wrapped: Callable[[Key], Any] = cmp_to_key(compare)
    heap = [wrapped((-math.inf, -width, 0))] * width
    for key in keys:
        heapq.heappushpop(heap, wrapped(key))
    return [one.obj for one in heap], count


def random_log_probabilities(seed: int, words: int, prefix: Sequence[int]) -> list[float]:
    """The random model of the counted runs: masses drawn after seed and prefix, over their sum."""
    generator = Random(f"{seed} {tuple(prefix)}")
    masses = [1 - generator.random() for _ in range(words)]
    return [math.log(mass) - math.log(math.fsum(masses)) for mass in masses]


@lru_cache(maxsize=64)
def run(words: int, width: int, length: int, seed: int) -> dict[str, int]:
    """One run of the algorithm, and what each of the selections would compare on its scores."""
    sequences, logs = [[-1]] * width, [0.0, *[-math.inf] * (width - 1)]
    tally = dict.fromkeys(("scores", "scan", "sort", "heap", "copied", "updated"), 0)
    for _ in range(length):
        after = [random_log_probabilities(seed, words, sequence) for sequence in sequences]
        keys = [(logs[b] + after[b][j], -b, -j) for b in range(width) for j in range(words)]
        left, compared = heap_comparisons(keys, width)
        order, sorting = merge_comparisons(keys)
        tally["scores"] += len(keys)
        tally["scan"] += sum(len(keys) - taken - 1 for taken in range(width))
        tally["sort"] += sorting
        tally["heap"] += compared + merge_comparisons(left)[1]
        tally["copied"] += 2 * sum(len(sequences[-b]) for _, b, _ in order[:width])
        tally["updated"] += 2 * width
        tally["held"] = len(keys) + 2 * width + sum(2 * len(sequence) + 1 for sequence in sequences)
        logs = [key[0] for key in order[:width]]
        sequences = [[*sequences[-b], -j] for _, b, j in order[:width]]
    return tally


def verify_complexity(params: DecodingParams, part: Part) -> Iterator[Check]:
    """Check the letters, every line's formula and value, and the counted runs."""
    counted, sizes = params.counted, params.feasibility
    yield from _check_letters(part, counted.beam_width, sizes.vocabulary_size)
    table = part.tables["lines"]
    found = line_by_line(sizes.length, counted.beam_width, sizes.vocabulary_size)
    rows = [(*names, row[2], value) for names, row, value in zip(COUNTED_LINES, table.rows, found, strict=True)]
    yield same_rows("2.3, counts at the sizes of 2.2", table, rows, LOOPS)
    yield from _check_formulas(table)
    yield from _check_growth(part.tables["growth"])
    yield same_rows("2.3, counted runs", part.tables["runs"], list(_run_rows(params)), RUN)
    seconds = sum(sizes.vocabulary_size for _ in range(sizes.length * counted.beam_width)) / rational(sizes.sequences_per_second)
    yield same("2.3, time for all scores", part["seconds"].value, seconds, LOOPS)
    tally = run(5, 3, 4, 0)
    triples: list[Formula] = [("time", part["seconds"].formula, rational(tally["scores"]) / 7)]
    yield same_formulas("2.3, time", triples, {"T": 4, "B": 3, "N": 5, "r": 7}, RUN)


def _check_letters(part: Part, width: int, words: int) -> Iterator[Check]:
    found = {"m": _levels(width * words), "q": _levels(width), "c": heap_worst(width)}
    for letter, value in found.items():
        yield same(f"2.3, {part[letter].what}", part[letter].value, value, "loops, halving, and every path through the heap")
    triples: list[Formula] = [
        ("m", part["m"].formula, _levels(15)),
        ("q", part["q"].formula, _levels(5)),
        ("c", part["c"].formula, worst_push(5)),
    ]
    yield same_formulas("2.3, letters", triples, {"B": 5, "N": 3}, BRUTE)


def _levels(size: int) -> int:
    """How often a list is halved until single items are left."""
    return 0 if size < 2 else 1 + _levels(size - size // 2)


@lru_cache(maxsize=8)
def worst_push(size: int) -> int:
    """Comparisons of the worst replacement in a heap, over all orders of its numbers and the new one."""
    return max(_pushed(order) for order in permutations(range(size + 1)))


@lru_cache(maxsize=8)
def worst_sort(size: int) -> int:
    """Comparisons of the worst order of a merge sort, over all orders."""
    return max(merge_comparisons([(float(number), 0, 0) for number in order])[1] for order in permutations(range(size)))


def _pushed(order: Sequence[int]) -> int:
    """Comparisons of one replacement in a heap made of all but the last number."""
    count = 0

    def compare(one: int, other: int) -> int:
        nonlocal count
        count += 1
        return one - other

    heap = [cmp_to_key(compare)(number) for number in order[:-1]]
    heapq.heapify(heap)
    count = 0
    heapq.heappushpop(heap, cmp_to_key(compare)(order[-1]))
    return count


@lru_cache(maxsize=256)
def line_by_line(length: int, width: int, words: int) -> list[int]:
    """The count of every line, added up hypothesis by hypothesis within a step, then step by step."""
    steps, hypotheses = range(1, length + 1), range(1, width + 1)
    scored = sum(words for _ in hypotheses)
    scanned = sum(width * words - b for b in hypotheses)
    pushed = heap_worst(width) * width * words + merge_worst(width)
    updated = sum(1 + 1 for _ in hypotheses)
    return [
        sum(scored for _ in steps),
        sum(scanned for _ in steps),
        sum(merge_worst(width * words) for _ in steps),
        sum(pushed for _ in steps),
        sum(width * (t + t) for t in steps),
        sum(updated for _ in steps),
        width * words + sum(length + 1 + length + 1 + 1 for _ in hypotheses),
    ]


def _check_formulas(table: Table) -> Iterator[Check]:
    """Exact counts against a run at other sizes, worst cases against all orders of six scores."""
    formulas = list(table.column("Count"))
    names = [str(name) for name in table.column("Line")]
    tally = run(5, 3, 4, 0)
    found = [tally[key] for key in ("scores", "scan", "copied", "updated", "held")]
    exact: list[Formula] = [(names[i], formulas[i], value) for i, value in zip((0, 1, 4, 5, 6), found, strict=True)]
    yield same_formulas("2.3, lines", exact, {"T": 4, "B": 3, "N": 5}, RUN)
    sorting, pushing = worst_sort(6), worst_push(2)
    worst: list[Formula] = [(names[2], formulas[2], sorting), (names[3], formulas[3], 6 * pushing + merge_worst(2))]
    yield same_formulas("2.3, lines in the worst case", worst, {"T": 1, "B": 2, "N": 3, "m": 3, "q": 1, "c": pushing}, BRUTE)


def _check_growth(table: Table) -> Iterator[Check]:
    """Doubling a size multiplies the counts as it does the order, but not as the order without one of its terms."""
    for (name, place), row in zip(SELECTIONS.items(), table.rows, strict=True):
        orders = [(inside_order(order), lines) for order, lines in zip(row[1:], ((0, place, 4, 5), (6,)), strict=True)]
        gaps = [_gap(order, lines) for order, lines in orders]
        fewer = [(order - term, lines) for order, lines in orders for term in sympy.Add.make_args(order)]
        yield Check(
            what=f"2.3, orders of growth: {name}",
            published=", ".join(map(text, row)),
            found=f"{name}: the powers of the counts differ by {max(gaps):.2g} at most, and no term can go",
            by=f"{LOOPS}, doubling each size that is large",
            passed=row[0] == name and max(gaps) < POWER and all(_gap(order, lines) > POWER for order, lines in fewer),
        )


def _gap(order: sympy.Expr, lines: tuple[int, ...]) -> float:
    """How far the powers with which an order and a sum of lines grow lie apart at most, infinitely for no order of T, B, N."""
    if order == 0 or {str(symbol) for symbol in order.free_symbols} - set(LARGE):
        return math.inf
    return max(
        abs(math.log2(at_sizes(order, after) / at_sizes(order, before)) - _power(before, after, lines))
        for before, after in _doublings()
    )


def _power(before: Mapping[str, int], after: Mapping[str, int], lines: tuple[int, ...]) -> float:
    small, large = (line_by_line(*(sizes[letter] for letter in "TBN")) for sizes in (before, after))
    return math.log2(sum(large[line] for line in lines) / sum(small[line] for line in lines))


@lru_cache(maxsize=1)
def _doublings() -> list[tuple[dict[str, int], dict[str, int]]]:
    """Every choice of sizes to be large while the others are 2, and for each of those the sizes with it doubled."""
    corners = [dict(zip(LARGE, sizes, strict=True)) for sizes in product(*((2, large) for large in LARGE.values()))]
    return [(one, {**one, letter: 2 * size}) for one in corners for letter, size in one.items() if size > 2]


def _run_rows(params: DecodingParams) -> Iterator[tuple[Cell, ...]]:
    width, length = params.counted.beam_width, params.counted.length
    for words in params.counted.vocabulary_sizes:
        tally = run(words, width, length, params.counted.seed)
        _, _, sort, heap, *_ = line_by_line(length, width, words)
        row = (tally["scores"], tally["scan"], tally["sort"], sort, tally["heap"], heap, tally["copied"], tally["held"])
        yield words, *row
