"""Finds the counts of 2.3 again: hypothesis by hypothesis, and in runs of the pseudo-code."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.courses.ift6135.a2_q2_decoding import line_counts, orders
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.found import Found, Proof, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)
RUN = Route("a second run, counted by ranks and paths")
LOOPS = Route("step by step and hypothesis by hypothesis")
PATHS = Route("lists halved, and every path through the heap")
MEASURED = Route("counts measured while each size that is large is doubled", tolerance=orders.POWER)
LINES = {
    "scores": ("score of every hypothesis and word", "additions"),
    "scan": ("b-th largest: a new scan for each b", "comparisons"),
    "sort": ("b-th largest: all scores sorted once", "comparisons, at most"),
    "heap": ("b-th largest: a heap of the best B", "comparisons, at most"),
    "copies": ("prefixes saved and assigned back", "words copied"),
    "updates": ("word added, log-likelihood updated", "assignments"),
    "memory": ("memory", "numbers held at once"),
}
SELECTIONS = {"scan": "a new scan for each b", "sort": "all scores sorted once", "heap": "a heap of the best B"}


def complexity(params: DecodingParams) -> Iterator[Found | Proof]:
    """Letters, lines, orders of growth, and counted runs."""
    width, sizes = params.counted.beam_width, params.feasibility
    words, length = sizes.vocabulary_size, sizes.length
    yield from SHEET.part("levels", "Levels of sorting, and of the heap")
    yield from PATHS.letters("levels", m=line_counts.levels(width * words), q=line_counts.levels(width))
    yield from PATHS.letters("levels", c=line_counts.heap_worst(width))
    yield from SHEET.part("2.3", "Time and space of Algorithm 1")
    yield from _lines(length, width, words)
    yield from _growth()
    yield from _runs(params)
    seconds = Fraction(sum(words for _ in range(length * width)), sizes.sequences_per_second)
    yield from LOOPS.values("2.3", unit="s", symbols={"seconds": "t"}, seconds=seconds)


def _lines(length: int, width: int, words: int) -> Iterator[Found]:
    found = line_counts.line_by_line(length, width, words)
    rows = {key: {"line": line, "operation": operation, "example": found[key]} for key, (line, operation) in LINES.items()}
    yield from LOOPS.table("2.3", "lines", rows, columns=("line", "operation", "count", "example"))


def _growth() -> Iterator[Found | Proof]:
    """Orders rebuilt from measured powers, which hold wherever any of the sizes are large."""
    o, rows = sympy.Function("O"), {}
    memory = orders.counted("memory")
    for key, name in SELECTIONS.items():
        work = orders.counted("scores", key, "copies", "updates")
        time, space = orders.order(work), orders.order(memory)
        rows[key] = (name, o(time), o(space))
        yield from MEASURED.proof(f"{name}: time grows as its order does", orders.gap(time, work))
        yield from MEASURED.proof(f"{name}: space grows as its order does", orders.gap(space, memory))
    yield from MEASURED.table(
        "2.3", "growth", rows, headings={"selection": "The b-th largest by"}, columns=("selection", "time", "space")
    )


def _runs(params: DecodingParams) -> Iterator[Found]:
    counted = params.counted
    rows = {}
    for words in counted.vocabulary_sizes:
        tally = line_counts.run(words, counted.beam_width, counted.length, counted.seed)
        most = line_counts.line_by_line(counted.length, counted.beam_width, words)
        compared = (tally["scan"], tally["sort"], most["sort"], tally["heap"], most["heap"])
        rows[f"words_{words}"] = (words, tally["scores"], *compared, tally["copied"], tally["held"])
    headings = {"sort_at_most": "Sort, at most", "heap_at_most": "Heap, at most"}
    columns = ("N", "scores", "scan", "sort", "sort_at_most", "heap", "heap_at_most", "words_copied", "numbers_held")
    yield from RUN.table("2.3", "runs", rows, headings=headings, columns=columns)
    yield from SHEET.values("2.3", length_of_runs=counted.length, symbols={"length_of_runs": "T"})
