"""What another number of bytes may come from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from generators.answer import Answer
from generators.cells import rational
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.question import Slip

SHARES = {
    # Of the 12 D^2 values of a layer, attention has 4 D^2 and the feed-forward network 8 D^2.
    "1.1": {
        "of attention alone": Fraction(1, 3),
        "of the feed-forward networks alone": Fraction(2, 3),
        "without one of the four matrices of attention": Fraction(11, 12),
    },
    "1.2": {"with one adapter in a layer": Fraction(1, 2)},
    # Three of the four projections are tuned.
    "1.3": {"of one projection alone": Fraction(1, 3), "with the output projection too": Fraction(4, 3)},
    "1.4": {"of one projection alone": Fraction(1, 3), "with the output projection too": Fraction(4, 3)},
}


def slips(params: FinetuningParams, answer: Answer) -> Iterator[Slip]:
    """Parts of what is tuned, and gradients counted together with what they are of."""
    each = params.conventions.bytes_per_element
    for label, shares in SHARES.items():
        for key in (one for one in ("parameters", "gradients") if one in answer.parts[label].items):
            address, number = f"{label}/{key}", rational(answer[f"{label}/{key}"].value)
            for said, share in shares.items():
                yield address, said, share * number
            if label == "1.4":
                yield address, "with the frozen pair of matrices", number + 2 * params.d_model * params.rank * each
            yield address, "of parameters and gradients together", 2 * number
