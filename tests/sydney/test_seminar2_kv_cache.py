"""The example, sums over steps and costs worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "seminar2_kv_cache"
ID = f"sydney/{SLUG}"
F = Fraction
entry = partial(entry_of, ID)
solved = partial(solved_entry, ID)
SMALL = {"n_layers": 1, "d_model": 2, "n_heads": 1, "n_kv_heads": 1, "vocabulary_size": 3}
LLAMA_3 = {"d_model": 4096, "n_heads": 32, "n_kv_heads": 8, "d_ff": 14336, "vocabulary_size": 128256}
ONES = {"n_layers": 1, "d_model": 1, "n_heads": 1, "n_kv_heads": None, "vocabulary_size": 1}
SIX = {
    "tokens": ["a | b", "<c>", "$d$", "e_f", "*g*", "h"],
    "queries": [[-9, 9, -9]] * 6,
    "keys": [[9, -9, 9]] * 6,
    "values": [[-9] * 3] * 6,
}
RATIOS = ("2/saved", "2/ratios/length_1/flops", "3/token", "3/as_large", "3/lengths/length_2/share_of_the_weights")

FAR = [
    Far({"model": ONES, "prompt_len": 1, "new_tokens": 2, "seq_lens": [1, 2]},
        ("1 token of prompt", "1 layer (", "1 head of queries", "from 7 tokens on", r"4\ \text{B}")),
    Far({"model": SMALL, "prompt_len": 2, "new_tokens": 512, "seq_lens": [1, 2**24]}, ("reads 513 tokens: the prompt",)),
    Far({"model": {"n_layers": 999, "d_model": 2**20, "n_heads": 2**10, "vocabulary_size": 2**20}, "prompt_len": 2**24 - 9,
         "new_tokens": 3}, ("1024 heads of queries", "TiB")),
    Far({"model": LLAMA_3}, ("8 heads of keys and values", r"131\,072\ \text{B} = 128\ \text{KiB}")),
    Far({"model": {"d_model": 3, "n_heads": 4, "n_kv_heads": 4, "head_dim": 5, "d_ff": 1, "vocabulary_size": 7}}, ("width 5 (",)),
    Far({"conventions": {"flops_per_multiply_add": 1}}, stays=RATIOS),
    Far({"conventions": {"bytes_per_element": 4}}, (r"= 1\ \text{MiB}",), stays=("2/saved", "2/flops_with", "3/as_large")),
    Far({"example": SIX}, ("(−243)·(−9, −9, −9)", "(−9, 9, −9)"), ("·-", "(-")),
    Far({"example": {"tokens": ["a", "b"], "queries": [[0], [0]], "keys": [[1], [1]], "values": [[1], [1]]}}, ("0·(1) + 0·(1)",)),
]  # fmt: skip


def test_the_example() -> None:
    """Queries (1, 2), (2, 0), (1, 1), (0, 3); keys (1, 0), (2, 1), (0, 2), (1, 1); values (3, 1), (0, 2), (1, 1), (2, 0)."""
    part = worked_out(ID)[2]["1"]
    assert tuple(part["scores"].rows["q3"].values()) == ("q3", 1, 3, 2, None)
    summed = "0·(3, 1) + 3·(0, 2) + 6·(1, 1) + 3·(2, 0)"
    assert tuple(part["outputs"].rows["step_4"].values()) == (4, "(12, 12)", "(12, 12)", summed)


def test_scores_in_all() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["all"].value == 1 + 4 + 9 + 16
    assert part["needed"].value == 1 + 2 + 3 + 4


def test_a_model_of_one_layer_by_hand() -> None:
    """D = 2, V = 3, one head, two tokens of prompt and two generated: the last step is over three."""
    part = solved(entry(model=SMALL, prompt_len=2, new_tokens=2))["2"]
    assert part["flops_with"].value == 2 * (12 * 4 + 2 * 2 * 3 + 2 * 3)
    assert part["flops_without"].value == 2 * (12 * 4 * 3 + 2 * 2 * 9 + 2 * 3)
    products = 4 * (2 + 4 + 2) + (2 + 16 + 8) + (8 + 16 + 2) + (2 + 6 + 3) + 2 * (2 + 6 + 3)
    assert part["bytes_with"].value == 2 * products  # m·k + k·n + m·n of each product, 2 bytes an element
    assert part["total_with"].value == 2 * (12 * 4 * 3 + 2 * 2 * 7 + 2 * 2 * 3)  # 2 + 1 positions, 4 + 3 scores
    assert part["total_without"].value == 2 * (12 * 4 * 5 + 2 * 2 * 13 + 2 * 2 * 3)  # 2 + 3 positions, 4 + 9 scores


def test_size_of_the_cache() -> None:
    part = worked_out(ID)[2]["3"]
    assert part["token"].value == 2 * 32 * 4096 * 2
    assert part["cache"].value == 575 * 2**19
    assert part["weights"].value == 2 * (12 * 32 * 4096**2 + 4096 * 32000)
    assert part["as_large"].value == -(-F(12 * 32 * 4096**2 + 4096 * 32000, 2 * 32 * 4096) // 1)


def test_grouped_heads_by_hand() -> None:
    """Llama-3-8B's layers: W^Q and W^O are 4096 × 4096, W^K and W^V 4096 × 1024, both others 4096 × 14336 here."""
    part = solved(entry(model={"n_layers": 32, **LLAMA_3}))["3"]
    assert part["token"].value == 2 * 32 * 1024 * 2
    assert part["weights"].value == 2 * (32 * (2 * 4096**2 + 2 * 4096 * 1024 + 2 * 4096 * 14336) + 4096 * 128256)


REFUSED = [
    ({"example": {"keys": [[1, 0]]}}, "example: keys: must be as many as tokens (got 1)"),
    ({"example": {"values": [[1], [1, 2], [1], [1]]}}, "example: values: must be of one length (got [1, 2])"),
    ({"example": {"keys": [[1]] * 4}}, "example: keys: must be as long as queries (got 1)"),
    ({"example": {"keys": [[10, 0]] * 4}}, "example.keys.0.0: must be less than or equal to 9 (got 10) (and 3 more)"),
    ({"model": {**SMALL, "n_heads": 3}}, "model: d_model: must be divisible by n_heads (got 2 and 3)"),
    ({"model": {**SMALL, "n_kv_heads": 2}}, "model: n_heads: must be divisible by n_kv_heads (got 1 and 2)"),
    ({"seq_lens": [8, 4]}, "seq_lens: must rise from each to the next (got 8, 4)"),
    ({"new_tokens": 1}, "new_tokens: must be greater than or equal to 2 (got 1)"),
    ({"new_tokens": 513}, "new_tokens: must be less than or equal to 512 (got 513)"),
    ({"prompt_len": 2**24 + 1}, "prompt_len: must be less than or equal to 16777216 (got 16777217)"),
]
