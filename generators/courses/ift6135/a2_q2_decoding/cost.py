"""What beam search as the pseudo-code prints it costs: a formula for every line."""

from __future__ import annotations

import sympy

from generators.answer import Part, formula, letter, part, value_at
from generators.cells import Value
from generators.table import Table, column, table
from generators.topics.growth import ORDER, leading_terms

T, B, N, m, q, c = sympy.symbols("T B N m q c", positive=True)
"""Length, beam width, words; levels of a merge sort of BN and of B scores; comparisons of a score with a heap of B."""

SCORES = T * B * N
"""Additions: one a step, hypothesis and word."""
SCAN = T * (B**2 * N - B * (B + 1) / 2)
"""Comparisons, exactly: the b-th largest is the largest of the BN - b + 1 scores left, which takes BN - b."""
SORT = T * (m * B * N - 2**m + 1)
"""Comparisons at most: merge sort of all BN scores of a step."""
HEAP = T * (c * B * N + q * B - 2**q + 1)
"""Comparisons at most: each score meets the smallest of B in a heap and may take its place; merge sort orders those left."""
COPIED = B * T * (T + 1)
"""Words: at step t, B prefixes of t words are saved, and assigned back."""
UPDATED = 2 * B * T
"""Assignments: a word and a log-likelihood for each hypothesis."""
HELD = B * N + 2 * B * T + 3 * B
"""Numbers at once: the scores of a step, B sequences of T + 1 words, B saved prefixes of T, old and new log-likelihoods."""

LINES = {
    "scores": ("score of every hypothesis and word", "additions", SCORES),
    "scan": ("b-th largest: a new scan for each b", "comparisons", SCAN),
    "sort": ("b-th largest: all scores sorted once", "comparisons, at most", SORT),
    "heap": ("b-th largest: a heap of the best B", "comparisons, at most", HEAP),
    "copies": ("prefixes saved and assigned back", "words copied", COPIED),
    "updates": ("word added, log-likelihood updated", "assignments", UPDATED),
    "memory": ("memory", "numbers held at once", HELD),
}


def levels(within: Part) -> Part:
    """The letters m, q and c at a beam width and a number of words.

    A score that enters the heap is compared with its smallest, goes down to a leaf past the larger of two children a level,
    and up again to its place; a last level of one leaf, as for B a power of 2, saves a comparison.
    """
    down, up = sympy.ceiling(sympy.log(B, 2)), sympy.floor(sympy.log(B, 2))
    return part(
        "levels",
        "Levels of sorting, and of the heap",
        formula("m", sympy.ceiling(sympy.log(B * N, 2)), "levels of the merge sort of all scores", m),
        formula("q", sympy.ceiling(sympy.log(B, 2)), "levels of the merge sort of the kept", q),
        formula("c", sympy.Max(1, down + up), "comparisons of one score with the heap, at most", c),
        within=within,
    )


def counts(length: int, width: int, words: int) -> dict[str, Value]:
    """The count of each of LINES."""
    sizes = part("sizes", "Sizes", letter(T, length, "length"), letter(B, width, "beam width"), letter(N, words, "words"))
    own = levels(sizes)
    both = part("both", "Sizes and levels", within=(sizes, own))
    return {key: value_at(count, both) for key, (_, _, count) in LINES.items()}


def lines_table(within: Part) -> Table:
    """Every line's operation and count, as a formula and at T, B and N."""
    rows = {key: (line, operation, count, value_at(count, within)) for key, (line, operation, count) in LINES.items()}
    return table("lines", ["line", "operation", column("count", of="example"), "example"], rows)


def growth_table() -> Table:
    """Order of growth of time and space for each way to find the b-th largest, from B = 2 on, where log B is not 0."""
    rows = {}
    for key in ("scan", "sort", "heap"):
        line, _, count = LINES[key]
        orders = (ORDER(_order(one)) for one in (SCORES + count + COPIED + UPDATED, HELD))
        rows[key] = (line.removeprefix("b-th largest: "), *orders)
    return table("growth", [column("selection", "The b-th largest by"), "time", "space"], rows, asked=True)


def _order(count: sympy.Expr) -> sympy.Expr:
    """Sizes grow apart from each other; of the letters, m is the logarithm of BN, and both q and c are as large as that of B."""
    polynomial = sympy.expand(count.subs({2**m: B * N, 2**q: B}).subs(q, c))
    variables = (T, B, N, m, c)
    apart = [tuple(int(one == other) for other in variables) for one in variables]
    return leading_terms(polynomial, variables, apart).subs({m: sympy.log(B * N), c: sympy.log(B)})
