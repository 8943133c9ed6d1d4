"""Counts the slide's network with peft's LoRA, and gathers what is found about the matrices and about the first steps.

From the slides: LoRA beside both Linear layers of the network, with biases, h = W_0 x + BAx.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import prod

from generators.cells import Math
from generators.courses.sydney.seminar2_low_rank.found_matrices import SHEET, entries_found, matrices_found
from generators.courses.sydney.seminar2_low_rank.params import LowRankPageParams
from generators.found import Found, Route

PEFT = Route("torch's network and peft's parameters beside it, meta tensors")


def find(params: LowRankPageParams) -> Iterator[Found]:
    """Everything that is published about rank, LoRA's counts, its first steps and merging."""
    from generators.courses.sydney.seminar2_low_rank.found_steps import steps_found

    matrices = {f"matrix_{place}": [tuple(row) for row in rows] for place, rows in enumerate(params.matrices, 1)}
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", n_matrices=len(matrices))
    yield from entries_found(SHEET, "sheet", "v", [[value] for value in params.vector])
    yield from SHEET.letters("sheet", D=params.embedding_dim, R=params.rank)
    yield from matrices_found(matrices, tuple(params.vector))
    yield from _sizes(params)
    yield from steps_found(params)


def _sizes(params: LowRankPageParams) -> Iterator[Found]:
    from generators.courses.sydney.seminar2_low_rank.trained_layer import shapes

    width, ranks = params.embedding_dim, sorted({params.rank, *params.other_ranks})
    yield from SHEET.part("3", "LoRA on the feed-forward network")
    said = {10: "D", 40: "4 D", 3: "R"}  # of sizes that cannot be taken for each other
    for name, letters in (("network", "Wb"), ("lora", "AB")):
        names = (f"{letter}_{number}" for number, letter in product("12", letters))
        rows = {
            one: {"tensor": Math(one), "shape": Math(r" \times ".join(said[size] for size in small)), "here": prod(large)}
            for one, small, large in zip(names, shapes(10, 3)[name], shapes(width, params.rank)[name], strict=True)
        }
        yield from PEFT.table("3", f"{name}_tensors", rows, columns=("tensor", "shape", "values", "here"))
    network = sum(map(prod, shapes(width, 1)["network"]))
    lora = {rank: sum(map(prod, shapes(width, rank)["lora"])) for rank in (1, *ranks)}
    found = {"network": network, "lora": lora[params.rank], "share": Fraction(lora[params.rank], network)}
    symbols = {"network": r"N_{\text{FFN}}", "lora": r"N_{\text{LoRA}}", "share": r"N_{\text{LoRA}} / N_{\text{FFN}}"}
    yield from PEFT.values("3", found, symbols=symbols)
    yield from PEFT.values("3", equal=Fraction(network, lora[1]), symbols={"equal": r"R_{\text{equal}}"})
    shares = {f"rank_{rank}": (rank, lora[rank], Fraction(100 * lora[rank], network)) for rank in ranks}
    columns = ("rank", "trainable_values", "of_the_network")
    yield from PEFT.table("3", "ranks", shares, units={"of_the_network": "%"}, columns=columns)
