"""What a number in the forms may come from, besides another way of counting."""

from __future__ import annotations

from collections.abc import Iterator

from generators.answer import Answer, value_at
from generators.cells import rational
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.params import InferenceParams
from generators.courses.comp4901y.hw3_q1_arithmetic_intensity.rows import forms
from generators.pipeline.slips import of_formula, of_other_sizes
from generators.question import Slip


def slips(params: InferenceParams, answer: Answer) -> Iterator[Slip]:
    """Elements of another size, a matrix whose bytes are left out, and what may go wrong in the formula of the product."""
    each, element, sheet = params.conventions.flops_per_multiply_add, params.conventions.bytes_per_element, answer["sheet"]
    letters = {symbol: one.value for symbol, one in sheet.letters.items()}
    for label, rows in forms(sheet).items():
        for place, row in enumerate(rows, 1):
            if row.sizes:
                address, one = f"{label}/form/{place}/intensity", row.product
                moved, flops = one.bytes_moved(element), one.flops(each)
                matrices = {"left": one.m * one.k, "right": one.k * one.n, "result": one.m * one.n}
                for name, size in matrices.items():
                    left, alone = (value_at(flops / counted, sheet) for counted in (moved - element * size, element * size))
                    yield address, f"without the bytes of the {name} matrix", rational(left)
                    yield address, f"with the bytes of the {name} matrix alone", rational(alone)
                otherwise = of_other_sizes(rational(answer[address].value), element, -1)
                for said, number in (*otherwise, *of_formula(one.intensity(each, element), letters)):
                    yield address, said, number
