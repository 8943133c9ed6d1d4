"""What another time or log-likelihood may come from."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from generators.answer import Answer
from generators.cells import Quantity, rational
from generators.courses.ift6135.a2_q2_decoding.params import DecodingParams
from generators.courses.ift6135.a2_q2_decoding.solve import SECONDS_PER_DAY, SECONDS_PER_YEAR
from generators.pipeline.slips import as_fraction
from generators.question import Slip


def slips(params: DecodingParams, answer: Answer) -> Iterator[Slip]:
    """Seconds or days for years; the probability, or the mean over the words, for a log-likelihood."""
    years = rational(answer["2.2/years"].value)
    yield "2.2/years", "in seconds", years * SECONDS_PER_YEAR
    yield "2.2/years", "in days", years * SECONDS_PER_YEAR / SECONDS_PER_DAY
    found = [(answer["2.4a/log_likelihood"], answer["2.4a/sequence"])]
    found += [(row["log_likelihood"], row["sequence"]) for row in answer["2.4b/final"]]
    for one, sequence in found:
        yield from _of_likelihood(one, len(str(sequence.value).split()))


def _of_likelihood(one: Quantity, words: int) -> Iterator[Slip]:
    yield one.address, "as a probability", as_fraction(sympy.exp(sympy.Rational(one.value)))
    yield one.address, "as a mean over its words", rational(one.value) / words
