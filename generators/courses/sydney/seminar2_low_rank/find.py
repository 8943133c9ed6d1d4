"""Counts modules of torch and peft, and gathers what is found about the matrices and about the first steps.

From the slides: LoRA beside both Linear layers of the network, with biases, h = W_0 x + BAx.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import prod

from generators.cells import Cell, Math
from generators.courses.sydney.seminar2_low_rank.found_matrices import SHEET, matrices_found, vector_found
from generators.courses.sydney.seminar2_low_rank.found_steps import steps_found
from generators.courses.sydney.seminar2_low_rank.params import LowRankPageParams
from generators.found import Found, Proof, Route

MODULES = Route("torch modules, meta tensors")
PEFT = Route("peft's trainable parameters")


def find(params: LowRankPageParams) -> Iterator[Found | Proof]:
    """Everything that is published about rank, LoRA's counts, its first steps and merging."""
    matrices = {f"matrix_{place}": [tuple(row) for row in rows] for place, rows in enumerate(params.matrices, 1)}
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_matrices=len(matrices))
    yield from vector_found(SHEET, "sheet", "v", params.vector)
    yield from SHEET.letters("sheet", D=params.embedding_dim, R=params.rank)
    yield from matrices_found(matrices, tuple(params.vector))
    yield from _sizes(params)
    yield from steps_found(params)


def _sizes(params: LowRankPageParams) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_low_rank.trained_layer import shapes, trainable_in_peft

    width, rank = params.embedding_dim, params.rank
    yield from SHEET.part("3", "LoRA on the feed-forward network")
    for name, letters in (("network", "Wb"), ("lora", "AB")):
        yield from MODULES.table(
            "3", f"{name}_tensors", _tensors(name, letters, shapes(width, rank)[name]),
            columns=("tensor", "shape", "values", "here"),
        )  # fmt: skip

    def counted(ranked: int) -> tuple[int, int]:
        network, lora = (sum(map(prod, ones)) for ones in shapes(width, ranked).values())
        return network, lora

    (network, lora), (_, each) = counted(rank), counted(1)
    symbols = {
        "network": r"N_{\text{FFN}}", "lora": r"N_{\text{LoRA}}", "share": r"N_{\text{LoRA}} / N_{\text{FFN}}",
        "equal": r"R_{\text{equal}}",
    }  # fmt: skip
    yield from MODULES.values(
        "3", symbols=symbols, network=network, lora=lora, share=Fraction(lora, network), equal=Fraction(network, each)
    )
    yield from PEFT.values("3", lora=trainable_in_peft(width, rank))
    ranks = {
        f"rank_{one}": {
            "rank": one, "trainable_values": counted(one)[1], "of_the_network": Fraction(100 * counted(one)[1], network)
        }
        for one in sorted({rank, *params.other_ranks})
    }  # fmt: skip
    yield from MODULES.table("3", "ranks", ranks, units={"of_the_network": "%"})


def _tensors(name: str, letters: str, here: Sequence[tuple[int, ...]]) -> dict[str, dict[str, Cell]]:
    """Shapes as LaTeX, read from tensors of a width and a rank that cannot be taken for each other, and the real counts."""
    from generators.courses.sydney.seminar2_low_rank.trained_layer import shapes

    said = {10: "D", 40: "4 D", 3: "R"}
    names = [f"{letter}_{number}" for number, letter in product("12", letters)]
    return {
        one: {"tensor": Math(one), "shape": Math(r" \times ".join(said[size] for size in small)), "here": prod(large)}
        for one, small, large in zip(names, shapes(10, 3)[name], here, strict=True)
    }
