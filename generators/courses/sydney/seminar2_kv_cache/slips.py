"""What another number of bytes may come from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from generators.answer import Answer
from generators.cells import rational
from generators.courses.sydney.seminar2_kv_cache.params import CacheParams
from generators.pipeline.slips import of_other_sizes
from generators.question import Slip


def slips(params: CacheParams, answer: Answer) -> Iterator[Slip]:
    """Scores of one step, values of another size, and half of the cache."""
    tokens = rational(answer["sheet/N_token"].value)
    yield "1/all", "of the last step alone", tokens**2
    yield "1/needed", "of the last step alone", tokens
    for address in ("2/bytes_without", "2/bytes_with", "3/token", "3/cache"):
        number = rational(answer[address].value)
        if address.startswith("3/"):
            yield address, "of keys alone", number * Fraction(1, 2)
        for said, other in of_other_sizes(number, params.conventions.bytes_per_element, 1):
            yield address, said, other
