"""Counts the slide's network with peft's LoRA, and gathers what is found about the matrices and about the first steps.

From the slides: LoRA beside both Linear layers of the network, with biases, h = W_0 x + BAx.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
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
    yield from entries_found(SHEET, "sheet", "u", [[value] for value in params.vector])
    yield from SHEET.letters("sheet", D=params.embedding_dim, R=params.rank)
    yield from matrices_found(matrices, tuple(params.vector))
    yield from _sizes(params)
    yield from steps_found(params)


def _sizes(params: LowRankPageParams) -> Iterator[Found]:
    width, rank = params.embedding_dim, params.rank
    said, rows = {10: "D", 40: "4 D", 3: "R"}, {}  # of sizes that cannot be taken for each other
    for key, letters in (("network", "Wb"), ("lora", "AB")):
        names = (f"{letter}_{number}" for number, letter in product("12", letters))
        for one, small, large in zip(names, shapes(10, 3)[key], shapes(width, rank)[key], strict=True):
            shape = Math(r" \times ".join(said[size] for size in small))
            rows[one] = {"tensor": Math(one), "here": prod(large), "shape": shape}
    yield from SHEET.part("3", "LoRA on the feed-forward network")
    headings = {"here": "Values", "values": "Formula"}
    yield from PEFT.table("3", "tensors", rows, headings=headings, columns=("tensor", "here", "values", "shape"))
    network, lora, one_each = (sum(map(prod, of)) for of in (*shapes(width, rank).values(), shapes(width, 1)["lora"]))
    found = {"network": network, "lora": lora, "share": Fraction(lora, network), "equal": Fraction(network, one_each)}
    symbols = (r"N_{\text{FFN}}", r"N_{\text{LoRA}}", r"N_{\text{LoRA}} / N_{\text{FFN}}", r"R_{\text{equal}}")
    yield from PEFT.values("3", found, symbols=dict(zip(found, symbols, strict=True)))


@cache
def shapes(embedding_dim: int, rank: int) -> dict[str, list[tuple[int, ...]]]:
    """Shapes of the network's tensors, weight and bias of both layers, and of what peft trains beside them, A and B of both."""
    import peft
    import torch
    from torch import nn

    with torch.device("meta"):
        wide, narrow = nn.Linear(embedding_dim, 4 * embedding_dim), nn.Linear(4 * embedding_dim, embedding_dim)
        network = nn.Sequential(wide, nn.ReLU(), narrow, nn.Dropout(0.2))
        own = [tuple(tensor.shape) for tensor in network.parameters()]
        model = peft.get_peft_model(network, peft.LoraConfig(r=rank, target_modules=["0", "2"]))
    return {"network": own, "lora": [tuple(tensor.shape) for tensor in model.parameters() if tensor.requires_grad]}
