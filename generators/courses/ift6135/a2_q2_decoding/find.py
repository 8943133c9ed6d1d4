"""Finds the answers on decoding again: sequences listed, the pseudo-code run and counted, the tree enumerated.

From the sheet: sequences of T + 1 words that start with <BOS>, one of the N words; the algorithm's loops over t, b and j,
its saved and assigned prefixes; the tree of the figure, decoded greedily and with two beams.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import product

from generators.courses.ift6135.a2_q2_decoding.find_complexity import complexity
from generators.courses.ift6135.a2_q2_decoding.find_searches import searches
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.found import Found, Proof, Route
from generators.oracles.token_tree import complete, length, weights_of

SHEET = Route("the sheet and the parameters, read again", restates=True)
COUNTED = Route("all sequences enumerated where they are few, else one factor for each position")
DAY_S = 24 * 60 * 60
YEAR_S = DAY_S * 36525 // 100
EDITIONS_OF_2021 = "the -1.5 (green -3.4 (ellipse -3.6 rectangle -3.3) red -3.1 (circle -4.8 rectangle -4.5)) " \
    "a -1.8 (blue -2.5 (ellipse -5.4 square -5.0) red -2.7 (circle -4.9 square -5.1))"  # fmt: skip


def find(params: DecodingParams) -> Iterator[Found | Proof]:
    """Everything that is published about decoding."""
    yield from _given(params)
    yield from _count(params)
    yield from _feasibility(params)
    yield from complexity(params)
    yield from searches(params)


def _given(params: DecodingParams) -> Iterator[Found]:
    sizes, conventions, width = params.sizes, params.conventions, params.beam_width
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", N=sizes.vocabulary_size, T=sizes.length, rho=sizes.sequences_per_second)
    yield from SHEET.letters("sheet", B=sizes.beam_width)
    once = {"start only": True, "any position": False}[conventions.bos]
    yield from SHEET.values("sheet", starts_once=once, starts_anywhere=not once)
    yield from SHEET.values("sheet", beam_width=width, several_beams=width != 1)
    weights = weights_of(params.tree, "log_p")
    yield from SHEET.values("sheet", tree_of_the_figure=_read(EDITIONS_OF_2021) == weights)
    yield from SHEET.values("sheet", lengths_differ=any(len(one) < length(weights) for one in complete(weights)))


def _read(text: str) -> dict[tuple[str, ...], Fraction]:
    """A tree written with brackets around what follows a word."""
    found: dict[tuple[str, ...], Fraction] = {}
    above: list[str] = []
    words = text.replace("(", " ( ").replace(")", " ) ").split()
    for place, word in enumerate(words):
        if word == "(":
            above.append(words[place - 2])
        elif word == ")":
            above.pop()
        elif not word.startswith("-"):
            found[(*above, word)] = Fraction(words[place + 1])
    return found


def _sequences(words: int, length: int, *, start_only: bool) -> int:
    """The number of sequences: each written out where they are few (word 0 is <BOS>), else one factor a position."""
    if words**length > 10**5:
        return math.prod(words - start_only for _ in range(length))
    return sum(1 for sequence in product(range(words), repeat=length) if not (start_only and 0 in sequence))


def _count(params: DecodingParams) -> Iterator[Found]:
    start_only = params.conventions.bos == "start only"
    words, length = params.sizes.vocabulary_size, params.sizes.length
    yield from SHEET.part("2.1", "Number of sequences")
    symbols = {"sequences": "S", "other_reading": "S'"}
    readings = dict(zip(symbols, (start_only, not start_only), strict=True))
    counts = {name: _sequences(words, length, start_only=once) for name, once in readings.items()}
    yield from COUNTED.values("2.1", counts, symbols=symbols)


def _feasibility(params: DecodingParams) -> Iterator[Found]:
    sizes, start_only = params.sizes, params.conventions.bos == "start only"
    rate = sizes.sequences_per_second
    yield from SHEET.part("2.2", "Feasibility of exhaustive enumeration")
    count, doubled = (
        _sequences(words, sizes.length, start_only=start_only) for words in (sizes.vocabulary_size, 2 * sizes.vocabulary_size)
    )
    yield from COUNTED.values("2.2", unit="s", symbols={"seconds": r"\tau"}, seconds=Fraction(count, rate))
    yield from COUNTED.values("2.2", unit="years", symbols={"years": r"\tau"}, years=Fraction(count, rate * YEAR_S))
    yield from COUNTED.values("2.2", symbols={"doubling": "S(2N) / S(N)"}, doubling=Fraction(doubled, count))
    yield from COUNTED.values("2.2", feasible=count <= rate * DAY_S, infeasible=count > rate * DAY_S)
