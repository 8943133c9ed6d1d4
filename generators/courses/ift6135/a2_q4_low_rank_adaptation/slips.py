"""What another number of bytes may come from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from generators.answer import Answer
from generators.cells import rational
from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.question import Slip


def slips(params: LowRankParams, answer: Answer) -> Iterator[Slip]:
    """Parts of what A and B need: themselves, a gradient, and two moments, all of one size."""
    trained = rational(answer["4.2/trained"].value)
    yield "4.2/trained", "of A and B alone, without gradients and moments", trained * Fraction(1, 4)
    yield "4.2/trained", "without the two moments", trained * Fraction(1, 2)
    yield "4.2/trained", "without gradients", trained * Fraction(3, 4)
