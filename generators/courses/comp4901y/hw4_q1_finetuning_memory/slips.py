"""What another number of bytes may come from."""

from __future__ import annotations

from collections.abc import Iterator

from generators.answer import Answer
from generators.cells import rational
from generators.courses.comp4901y.hw4_q1_finetuning_memory.params import FinetuningParams
from generators.pipeline.slips import of_other_sizes
from generators.question import Slip


def slips(params: FinetuningParams, answer: Answer) -> Iterator[Slip]:
    """Values of another size, and gradients counted together with what they are of."""
    for part in answer.parts.values():
        for key in ("parameters", "gradients"):
            if part.numbered and key in part.items:
                one = part[key]
                yield one.address, "of parameters and gradients together", 2 * rational(one.value)
                for said, number in of_other_sizes(rational(one.value), params.conventions.bytes_per_element, 1):
                    yield one.address, said, number
