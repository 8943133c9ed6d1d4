"""What another number of scores or bytes may come from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from generators.answer import Answer
from generators.cells import rational
from generators.courses.sydney.seminar2_kv_cache.params import CacheParams
from generators.question import Slip


def slips(params: CacheParams, answer: Answer) -> Iterator[Slip]:
    """Scores of one step, and half of the cache."""
    tokens = rational(answer["sheet/N_token"].value)
    yield "1/all", "of the last step alone", tokens**2
    yield "1/needed", "of the last step alone", tokens
    for address in ("3/token", "3/cache"):
        yield address, "of keys alone", rational(answer[address].value) * Fraction(1, 2)
