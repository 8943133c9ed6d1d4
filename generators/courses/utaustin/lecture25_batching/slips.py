"""What another number of bytes may come from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from generators.answer import Answer
from generators.cells import rational
from generators.courses.utaustin.lecture25_batching.params import BatchingParams
from generators.question import Slip


def slips(params: BatchingParams, answer: Answer) -> Iterator[Slip]:
    """The embedding, which no step reads whole, and less than a sequence's cache."""
    cache = rational(answer["1/cache"].value)
    yield "1/weights", "with the input embedding", rational(answer["1/weights"].value) + rational(answer["3/embedding"].value)
    yield "1/cache", "of one token", cache / params.context_len
    yield "1/cache", "of keys alone", cache * Fraction(1, 2)
