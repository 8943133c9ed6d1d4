"""Finds the answers on decoding again: sequences listed, the pseudo-code run and counted, the tree enumerated.

From the sheet: sequences of T + 1 words that start with <BOS>, one of the N words; the algorithm's loops over t, b and j,
its saved and assigned prefixes; the tree of the figure, decoded greedily and with two beams.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import product

from generators.courses.ift6135.a2_q2_decoding.find_complexity import complexity
from generators.courses.ift6135.a2_q2_decoding.find_searches import searches
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.found import Found, Proof, Route
from generators.oracles.token_tree import weights_of

SHEET = Route("the sheet and the parameters, read again", restates=True)
LISTED = Route("all sequences written out")
MULTIPLIED = Route("one factor a position")
DAY_S = 24 * 60 * 60
YEAR_S = DAY_S * 36525 // 100
CASES = ((2, 3), (3, 2), (3, 4), (5, 3))
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
    sizes, conventions, width = params.feasibility, params.conventions, params.beam_width
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", N=sizes.vocabulary_size, T=sizes.length, r=sizes.sequences_per_second)
    yield from SHEET.letters("sheet", B=params.counted.beam_width)
    once = {"start only": True, "any position": False}[conventions.bos]
    yield from SHEET.values("sheet", starts_once=once, starts_anywhere=not once)
    yield from SHEET.values("sheet", beam_width=width, one_beam=width == 1, several_beams=width != 1, ties=conventions.ties)
    weights = weights_of(params.tree, "log_p")
    yield from SHEET.values("sheet", tree_of_the_figure=_read(EDITIONS_OF_2021) == weights)


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


@lru_cache(maxsize=64)
def _listed(words: int, length: int, *, start_only: bool) -> int:
    """The number of sequences, each written out; word 0 is <BOS>."""
    sequences = product(range(words), repeat=length)
    return sum(1 for sequence in sequences if not (start_only and 0 in sequence))


@lru_cache(maxsize=512)
def _multiplied(words: int, length: int) -> int:
    return math.prod(words for _ in range(length))


def _count(params: DecodingParams) -> Iterator[Found]:
    start_only = params.conventions.bos == "start only"
    words, length = params.feasibility.vocabulary_size, params.feasibility.length
    readings = {"sequences": start_only, "other_reading": not start_only}
    yield from SHEET.part("2.1", "Number of sequences")
    symbols = {"sequences": "S", "other_reading": "S'"}
    counts = {name: _multiplied(words - once, length) for name, once in readings.items()}
    yield from MULTIPLIED.values("2.1", counts, symbols=symbols)
    rows = {
        f"words_{n}_length_{t}": (n, t, *(_listed(n, t, start_only=once) for once in (start_only, not start_only)))
        for n, t in CASES
    }
    yield from LISTED.table("2.1", "listed", rows, columns=("N", "T", "sequences", "under_the_other_reading"))


def _feasibility(params: DecodingParams) -> Iterator[Found]:
    sizes, left_out = params.feasibility, int(params.conventions.bos == "start only")
    rate, length = sizes.sequences_per_second, sizes.length
    yield from SHEET.part("2.2", "Feasibility of exhaustive enumeration")
    counts = {words: _multiplied(words - left_out, length) for words in (sizes.vocabulary_size, *sizes.other_vocabulary_sizes)}
    rows = {
        f"words_{words}": (words, count, Fraction(count, rate), Fraction(count, rate * YEAR_S))
        for words, count in sorted(counts.items())
    }
    headings, units = {"seconds": "Time", "years": "Time"}, {"seconds": "s", "years": "years"}
    columns = ("words", "sequences", *units)
    yield from MULTIPLIED.table("2.2", "vocabularies", rows, units=units, headings=headings, columns=columns)
    count = counts[sizes.vocabulary_size]
    doubled = Fraction(_multiplied(2 * sizes.vocabulary_size - left_out, length), count)
    yield from MULTIPLIED.values("2.2", unit="s", symbols={"seconds": "t"}, seconds=Fraction(count, rate))
    yield from MULTIPLIED.values("2.2", unit="years", symbols={"years": "t"}, years=Fraction(count, rate * YEAR_S))
    yield from SHEET.values("2.2", unit="s", year=YEAR_S)
    lengths = [one for one in range(1, 300) if _multiplied(sizes.vocabulary_size - left_out, one) <= rate * DAY_S]
    symbols = {"doubling": "S(2N) / S(N)", "longest": r"T_{\text{day}}"}
    yield from MULTIPLIED.values("2.2", symbols=symbols, doubling=doubled, longest=len(lengths))
    yield from MULTIPLIED.values("2.2", feasible=count <= rate * DAY_S, infeasible=count > rate * DAY_S)
