"""What another number beside a sequence may come from."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from generators.answer import Answer
from generators.cells import rational
from generators.courses.comp4901y.hw3_q2_beam_search.params import BeamParams
from generators.pipeline.slips import as_fraction
from generators.question import Slip


def slips(params: BeamParams, answer: Answer) -> Iterator[Slip]:
    """The logarithm of a probability."""
    for row in answer["2/final"]:
        one = row["probability"]
        if rational(one.value) > 0:
            natural = sympy.log(sympy.Rational(one.value))
            yield one.address, "as a natural logarithm", as_fraction(natural)
            for base in (2, 10):
                yield one.address, f"as a logarithm to base {base}", as_fraction(natural / sympy.log(base))
