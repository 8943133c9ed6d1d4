"""What another variance may come from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import sympy

from generators.answer import Answer
from generators.cells import rational
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.pipeline.slips import as_fraction
from generators.question import Slip


def slips(params: TensorParams, answer: Answer) -> Iterator[Slip]:
    """The other divisor, and the square of the mean forgotten."""
    for row in answer["1/statistics"]:
        address = f"1/{row['technique'].value}_variance/sample_{row['sample'].value}/channel_{row['channel'].value}"
        variance, count = rational(row["variance"].value), int(row["count"])
        if params.conventions.variance == "sample":
            yield address, "with the number of values as the divisor", variance * Fraction(count - 1, count)
        elif count > 1:
            yield address, "with one less than the number of values as the divisor", variance * Fraction(count, count - 1)
        divisor = count - 1 if params.conventions.variance == "sample" else count
        yield address, "not divided by the number of values", variance * divisor
        yield address, "of the standard deviation", as_fraction(sympy.sqrt(variance))
        yield address, "without taking away the square of the mean", rational(row["sum_of_squares"].value) / count
