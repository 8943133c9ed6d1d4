"""Finds 2.3 again: Algorithm 1 is run at small sizes, each of its operations is counted, and the counts are interpolated."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from operator import ge
from random import Random

import sympy
from sympy.polys.polyfuncs import interpolate

from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.found import Found, Proof, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)
RUNS = Route("the polynomial through counts of small runs of the pseudo-code")
GROWN = Route("terms of the polynomial through small runs, compared at grown sizes")
T, B, N = sympy.symbols("T B N", positive=True)
LINES = {
    "calls": ("ask the model for p(· | w)", "calls"),
    "scores": ("compute the BN scores", "additions"),
    "scan": ("find the b-th largest, for each b anew", "comparisons"),
    "copies": ("save prefixes and assign them back", "words copied"),
    "updates": ("add a word, update a log-likelihood", "assignments"),
}
LARGER = (5, 4, 6)
"""A size besides those that the polynomials go through."""


def complexity(params: DecodingParams) -> Iterator[Found | Proof]:
    """Every line's count, and the orders of growth."""
    sizes, found = params.sizes, polynomials()
    yield from SHEET.part("2.3", "Time and space of Algorithm 1")
    at = {T: sizes.length, B: sizes.beam_width, N: sizes.vocabulary_size}
    rows = {key: {"line": line, "operation": what, "example": found[key].subs(at)} for key, (line, what) in LINES.items()}
    yield from RUNS.table("2.3", "lines", rows, columns=("line", "operation", "count", "example"))
    yield from RUNS.values("2.3", held=found["held"].subs(at))
    expected, larger = run(*LARGER), dict(zip((T, B, N), LARGER, strict=True))
    counted = {key: what for key, (_, what) in LINES.items()} | {"held": "words held"}
    for key, what in counted.items():
        yield from RUNS.proof(
            f"2.3: the formula for {what} also gives the count of a larger run", abs(expected[key] - found[key].subs(larger))
        )
    time = sum(found[key] for key in ("scores", "scan", "copies", "updates"))
    yield from GROWN.values("2.3", time=_order(time), space=_order(found["held"]))


@lru_cache(maxsize=1)
def polynomials() -> Mapping[str, sympy.Expr]:
    """Each count through runs of one to three steps and beams with two or three words."""
    counts = {at: run(*at) for at in product((1, 2, 3), (1, 2, 3), (2, 3))}
    return {key: _through({at: tally[key] for at, tally in counts.items()}) for key in (*LINES, "held")}


def _through(counts: Mapping[tuple[int, int, int], int]) -> sympy.Expr:
    """The polynomial through counts at a grid of sizes, one size after the other."""

    def fit(points: dict[int, sympy.Expr], letter: sympy.Symbol) -> sympy.Expr:
        return interpolate(list(points.items()), letter)

    lengths, widths, words = ({at[place] for at in counts} for place in range(3))
    by_words = {(t, b): fit({n: counts[t, b, n] for n in words}, N) for t in lengths for b in widths}
    by_width = {t: fit({b: by_words[t, b] for b in widths}, B) for t in lengths}
    return sympy.expand(fit(by_width, T))


def run(length: int, width: int, words: int) -> Counter[str]:
    """One run on a random model; each line tallies what it does."""
    model, tally = Random(0), Counter[str]()
    sequences, logs = [[0] for _ in range(width)], [0.0] + [-math.inf] * (width - 1)
    for _ in range(length):
        scores = {}
        for b in range(width):
            after = [math.log(1 - model.random()) for _ in range(words)]
            tally["calls"] += 1
            for j in range(words):
                scores[b, j] = logs[b] + after[j]
                tally["scores"] += 1
        chosen = []
        for _ in range(width):
            best, *others = scores
            for other in others:
                tally["scan"] += 1
                best = max(best, other, key=scores.__getitem__)
            chosen.append((best, scores.pop(best)))
        saved = [list(sequences[b]) for (b, _), _ in chosen]
        held = [*saved, *([*one, j] for one, ((_, j), _) in zip(saved, chosen, strict=True))]
        tally["copies"] += 2 * sum(map(len, saved))
        tally["updates"] += 2 * len(chosen)
        tally["held"] = width * words + 2 * width + sum(map(len, held))
        sequences, logs = held[width:], [score for _, score in chosen]
    return tally


def _order(count: sympy.Expr) -> sympy.Expr:
    """The terms beside which no other is at least as large wherever any of the sizes are large."""
    terms = [one.as_coeff_Mul()[1] for one in sympy.expand(count).as_ordered_terms()]
    grown = list(zip(*product((1, 2**12, 2**24), repeat=3), strict=True))
    values = {one: [*map(sympy.lambdify([T, B, N], one), *grown)] for one in terms}
    kept = [one for one in terms if not any(other != one and all(map(ge, values[other], values[one])) for other in terms)]
    return sympy.Function("O")(sympy.Add(*kept))
