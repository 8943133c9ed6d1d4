"""Ranks, counts and two steps worked out by hand, the page's code run, and every rule of the parameters."""

from __future__ import annotations

import textwrap
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import torch

from generators.answer import Answer
from generators.cells import Cell, Math
from generators.table import Table
from tests.conftest import worked_out
from tests.entries import Far, composed_entry, entry_of

SLUG = "seminar2_low_rank"
ID = f"sydney/{SLUG}"
F = Fraction
EYE = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]

entry = partial(entry_of, ID)


LARGE = {"weight": [[999] * 5] * 5, "draw": [[F(-997, 991)] * 5] * 5, "x": [1000] * 5, "target": [0] * 5, "other_x": [0] * 5}
SMALL = {"weight": [[0]], "draw": [[1]], "x": [1], "target": [1], "other_x": [2], "sigma": 1, "other_sigmas": [0], "alpha": 1}
FAR = [
    Far({"matrices": [EYE], "vector": [1, 2, 3]}, ["its 1 example matrix (1)", "the rank is 3"], ["Matrix 2", "$z ="]),
    Far({"vector": [5, 7, 9]}, ["So $u$ lies in the plane of the rows, with"], ["No combination of the rows"]),
    Far({"matrices": [[[0, 0, 0], [0, 0, 2], [0, 3, 1]]] * 3}, ["Matrix 3"]),
    Far({"embedding_dim": 2**20, "rank": 2**20}, ["838\\,861"], ["e+"]),
    Far({"embedding_dim": 1, "rank": 1}, ["a share of"]),
    Far({"example": {"target": [3, 1]}}, ["The frozen layer meets the target"], ["takes the input to zero", "the loss grows"]),
    Far({"example": {"draw": [[1, 0, 1]], "x": [1, 2, -1]}}, ["This $A$ takes the input to zero"],
        ["meets the target", "the loss grows"]),
    Far({"example": {"learning_rate": "1/8"}}, ["One step has met the target"], ["Now $B$ is not zero"]),
    Far({"example": SMALL}, ["$R = 1$"], ["the loss grows"]),
    Far({"example": LARGE}),
    Far({"conventions": {"scaling": "alpha", "sigma": "over_root_of_rank"}},
        ["all ranks start with equal steps", "sigma = sigma / rank ** 0.5", "self.scale = alpha "], ["larger ranks"]),
    Far({"conventions": {"scaling": "alpha"}}, ["larger ranks start with larger steps"], ["rank ** 0.5"]),
    Far({"conventions": {"sigma": "over_root_of_rank"}}, ["by $0.0625$", "larger ranks start with smaller steps"]),
]  # fmt: skip


def cells(table: Table) -> tuple[tuple[Cell, ...], ...]:
    """The rows of a table."""
    return tuple(tuple(row.values()) for row in table.rows.values())


def answer() -> Answer:
    """The answer to the entry of params.yml."""
    made: Answer = worked_out(ID)[2]
    return made


def test_matrices_of_the_slide() -> None:
    """−2/3 (1, 2, 3) − 4/3 (4, 5, 6) + (7, 8, 10) = (1, 0, 0); the second matrix loses n = (1, −2, 1)."""
    assert cells(answer()["1/ranks"]) == ((1, 3, -3), (2, 2, 0))  # 1·(50 − 48) − 2·(40 − 42) + 3·(32 − 35)
    assert cells(answer()["matrix_2/null"]) == ((1,), (-2,), (1,))  # 1·1 − 2·2 + 1·3 = 0 and 4 − 10 + 6 = 0
    assert cells(answer()["matrix_2/relation"]) == ((-2,), (0,), (1,))  # the third row is twice the first
    assert cells(answer()["2/spans"]) == ((1, "none", "yes"), (2, Math(r"u' \text{ with } (1, -2, 1) \cdot u' \ne 0"), "no"))
    assert answer()["matrix_1/expansion"].value.latex == r"\det Z = 1 \cdot 2 + 2 \cdot 2 + 3 \cdot (-3) = -3"
    assert answer()["matrix_2/normal_product"].value == 1
    assert cells(answer()["matrix_1/factors"]) == ((F(-2, 3),), (F(-4, 3),), (1,))


def test_counts() -> None:
    part = answer()["3"]
    assert part["network"].value == 4_722_432  # 2·4·768² + 4·768 + 768
    assert part["lora"].value == 61_440  # two times 8·(768 + 3072)
    assert part["equal"].value == F(6149, 10)  # (8·768 + 5) / 10


def test_two_steps_and_merging() -> None:
    """A = ½·draw, Ax = (1, 1), s = 4/2, h = (3, 1), g = (−2, 2); κ = 1/16 · 4 · 2."""
    part, merged = answer()["4"], answer()["5"]
    assert cells(part["b_gradient_0"]) == ((-4, -4), (4, 4))  # 2·g·(Ax)ᵀ
    assert [part[key].value for key in ("removed", "loss_0", "loss_1")] == [F(1, 2), 4, 1]
    assert cells(part["a_gradient_1"]) == ((-1, -2, -1), (-1, -2, -1))  # 2·(−½)·xᵀ
    assert part["matched"].value == F(1, 8)
    assert cells(merged["b"]) == ((F(3, 8), F(3, 8)), (F(-3, 8), F(-3, 8)))
    assert cells(merged["a"])[0] == (F(9, 16), F(1, 8), F(9, 16))
    assert (merged["rank"].value, merged["rank_of_both"].value) == (1, 2)
    assert merged["outputs"].rows["other_x_1"]["merged"] == F(-41, 8)  # (35, 18, 91)/32 · (0, 1, −2)


SLIDE = """
class FeedForwardNetwork(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        layers = torch.nn.Linear(width, 4 * width), torch.nn.ReLU(), torch.nn.Linear(4 * width, width), torch.nn.Dropout(0.2)
        self.network = torch.nn.Sequential(*layers)
    def forward(self, x):
        return self.network(x)
class LinearWithLoRA(torch.nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear, self.lora = linear, LoRALayer(linear.in_features, linear.out_features, rank, alpha)
    def forward(self, x):
        return self.linear(x) + self.lora(x)
"""


@pytest.mark.parametrize(("scaling", "sigma", "scale", "deviation"), [
    ("alpha_over_rank", "same_at_every_rank", 2.0, 1.0), ("alpha", "over_root_of_rank", 8.0, 0.5),
])  # fmt: skip
def test_the_code_on_the_page_completes_that_of_the_slide(scaling: str, sigma: str, scale: float, deviation: float) -> None:
    """At rank 4 and α = 8: the output stays, 10·D·R values are trained, and scale and deviation are those of the conventions."""
    page = composed_entry(ID, entry(conventions={"scaling": scaling, "sigma": sigma}))["site"]
    code = page[page.index("    class LoRALayer") : page.index("### 4 ")]
    names: dict[str, Any] = {"torch": torch}
    exec(textwrap.dedent(code) + SLIDE, names)
    torch.manual_seed(0)
    model, x = names["FeedForwardNetwork"](64).eval(), torch.randn(5, 64)
    before = model(x)
    names["add_lora"](model, 4, 8)
    assert torch.equal(model(x), before)
    assert sum(one.numel() for one in model.parameters() if one.requires_grad) == 10 * 64 * 4
    assert model.network[0].lora.scale == scale
    assert float(model.network[2].lora.A.detach().std()) == pytest.approx(deviation, rel=0.1)


REFUSED = [
    ({"matrices": [[[1, 2, 3], [2, 4, 6], [0, 0, 0]]]}, "matrices.0: must have a rank of at least 2 (got 1)"),
    ({"vector": [0, 0, 0]}, "vector: must not be all zeros (got all zeros)"),
    ({"rank": 769}, "rank: must be at most embedding_dim (got 769 and 768)"),
    ({"example": {"x": [1, 2]}}, "example: x: must have 3 numbers a row like the first of weight (got 2)"),
    ({"example": {"x": [0, 0, 0]}}, "example: x: must not be all zeros (got all zeros)"),
    ({"example": {"other_x": [1, 2, 1]}}, "example: other_x: must differ from x (got 1, 2, 1 twice)"),
    ({"example": {"target": [1]}}, "example: target: must have 2 numbers, one a row of weight (got 1)"),
    ({"example": {"draw": EYE}}, "example: draw: must have at most 2 rows, the smaller size of weight (got 3)"),
    ({"example": {"alpha": 1001}}, "example.alpha: must be of at most 1000 with a denominator of at most 1000 (got 1001)"),
]
