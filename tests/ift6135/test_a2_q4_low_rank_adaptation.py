"""Assignment 2, question 4: LoRA and QLoRA."""

from fractions import Fraction
from typing import Any

import pytest

from generators.answer import Answer
from generators.cells import Cell
from generators.courses.ift6135.a2_q4_low_rank_adaptation.layer import d, h, n, r
from generators.pipeline.catalog import QuestionId, load_params, load_question
from tests.entries import Far

ID = QuestionId("ift6135", "a2_q4_low_rank_adaptation")
SMALL: dict[str, Any] = {
    "d_model": 4, "rank": 2, "n_heads": 3, "context_len": 5, "quantized_bits": 4, "memory_headroom": "1/2",
}  # fmt: skip
ONES = {"d_model": 1, "rank": 1, "n_heads": 1, "context_len": 1, "quantized_bits": 2, "memory_headroom": 1}
NARROW = {"conventions": {"output_matrix": "d by d"}}
MOVED = ("4.4a/sums/mha.lora/multiply_adds", "4.4a/held/mha/trainable")
FAR = [
    Far(ONES, ["= 1$ token of", "= 1$ head and", "for 1 token. After merging", "no fewer bytes"], ["side by side"]),
    Far({"n_heads": 1}, ["= 1$ head and", "MHA holds"], ["side by side they"]),
    Far({**NARROW, "n_heads": 1}, silent=["side by side they", "hd \\times d"]),
    Far(NARROW, ["each head is", "$h \\le d$"], ["the only change that keeps every equation"]),
    Far({"context_len": 131072, "d_model": 16384, "n_heads": 128}, ["for 131 072 tokens", "Quantizing MHA alone"]),
    Far({"context_len": 2**20, "d_model": 2**20, "rank": 2**20, "n_heads": 2**20, "quantized_bits": 31}),
    Far({"lora_on": ["value", "query"]}, ["only these have an adapter: query, value."]),
    Far({"lora_on": ["key"], **NARROW}, ["only these have an adapter: key."], ["the only change"]),
    Far({"rank": 4096}, ["reads no fewer bytes than merged LoRA"], ["There QLoRA can be faster"]),
    Far({"conventions": {"bytes_per_value": 2}, "quantized_bits": 8}, ["= 8$ bits in place of 16"], stays=MOVED),
    Far({"memory_headroom": 0}, ["Quantizing one of the two alone is not enough."], ["fits unquantized"], MOVED),
    Far({"memory_headroom": "999/1000"}, ["Quantizing LFFN alone is enough"], ["Quantizing MHA alone"], MOVED),
    Far({"memory_headroom": 1}, ["All fits unquantized."], ["alone is enough", "and below $"], MOVED),
]  # fmt: skip


def solved(**changes: Any) -> Answer:
    question = load_question(ID)
    answer: Answer = question.solve(load_params(ID, question, {**SMALL, **changes}))
    return answer


def counts(answer: Answer, module: str, heads: int = 3) -> list[Any]:
    """Each step's count, then trainable values, and operations to dequantize and to quantize, at n = 5, d = 4, r = 2."""
    rows, held = answer["4.4a/steps"].rows.values(), answer["4.4a/held"].rows[module.lower()]
    cells = [*(row["count"] for row in rows if row["module"] == module), *list(held.values())[-3:]]
    return [one.subs({n: 5, d: 4, r: 2, h: heads}) for one in cells]


def test_one_feed_forward_matrix_by_hand() -> None:
    """XW 5·4·4, XA 5·4·2, (XA)Bᵀ 5·2·4; adding two 5×4 matrices; A and B of 4×2; 4·4 weights, four operations each."""
    assert counts(solved(), "LFFN") == [80, 40, 40, 20, 16, 16, 64]


def test_attention_by_hand() -> None:
    """Three heads of width 4, so nine projections, and W^O of 12×4."""
    assert counts(solved(), "MHA") == [
        720, 360, 360,  # nine times the products of one feed-forward matrix
        300, 300,  # QKᵀ and softmax·V, 3·5·5·4 each
        240,  # (5×12)(12×4)
        180, 75, 345,  # 9·20 additions; 3·25 divisions by √d; softmax 3·5·(5·5 - 2)
        144, 192, 768,  # 9·(8 + 8) values; 9·16 + 12·4 weights
    ]  # fmt: skip


def test_query_and_value_alone_by_hand() -> None:
    """Six pairs in place of nine: 6·40 and 6·40 multiply-adds, 6·20 additions, 6·(8 + 8) values."""
    counted = counts(solved(lora_on=["value", "query"]), "MHA")
    assert counted == [720, 240, 240, 300, 300, 240, 120, 75, 345, 96, 192, 768]


def test_narrow_heads_by_hand() -> None:
    """Two heads of width 2: six projections of 40, 40 and 5·2·2 = 20, then 2·(5·5·2) twice, and 80; 6·(8 + 4); 6·8 + 16."""
    answer = solved(n_heads=2, **NARROW)
    assert counts(answer, "MHA", heads=2) == [240, 240, 120, 100, 100, 80, 60, 50, 230, 72, 64, 256]
    assert answer["4.4b/weights_share"].value == Fraction(4, 5)


def test_choices_by_hand() -> None:
    """The combinations in the order LoRA and LoRA, LoRA and QLoRA, QLoRA and LoRA, QLoRA and QLoRA on MHA and LFFN."""
    part = solved()["4.4b"]
    assert [*part["combinations"]["stored"].cells.values()] == [
        3392,  # MHA 4·192 + 16·144 = 3072, LFFN 4·16 + 16·16 = 320
        3340,  # LFFN 16·4/8 + 4 + 256 = 268
        2760,  # MHA 192·4/8 + 10·4 + 2304 = 2440
        2708,
    ]
    assert [*part["combinations"]["fits"].cells.values()] == ["no", "no", "yes", "yes"]
    assert [*part["combinations"]["computes_more"].cells.values()] == [
        0,  # merged: MHA 2·(9·80 + 600 + 240) + 75 + 345 = 3540, LFFN 2·80 = 160, together 3700
        Fraction(19600, 3700),  # LFFN 2·160 + 36 = 356, 196 more
        Fraction(181200, 3700),  # MHA 2·2280 + 792 = 5352, 1812 more
        Fraction(200800, 3700),
    ]
    assert part["limit"].value == 3050  # half-way from 2708 to 3392
    assert [part[key].value for key in ("holds_from", "holds_below")] == [2760, 3340]  # LoRA on MHA alone is faster and fits 3340
    assert part["weights_share"].value == Fraction(12, 13)  # 192 of 192 + 16
    assert [tuple(row.values()) for row in part["choices"].rows.values()] == [
        ("Memory limit", "QLoRA", "QLoRA"),
        ("Faster inference", "LoRA", "LoRA"),
        ("Both", "QLoRA", "LoRA"),
    ]


def test_rank_and_inference_by_hand() -> None:
    answer = solved()
    assert answer["4.2/trained"].value == 256  # 16 values, 4 of 4 bytes each
    assert answer["4.2/of_w"].value == 100  # 16 values beside 16
    assert answer["4.2/of_the_codes"].value == Fraction(6400, 12)  # 64 B beside 8 B of codes and 4 B of Δ
    assert answer["4.2/added"].value == 1  # 80 multiply-adds beside 80
    assert answer["4.3/merging"].value == 80  # ABᵀ 2·32, and 16 additions
    more: dict[str, Cell] = answer["4.3/ways"]["more_for_n"].cells
    assert more["beside"] == 100 * Fraction(9, 8)  # (320 + 20) / 160 - 1
    assert more["inside"] == 100 * Fraction(49, 40)  # (320 + 36) / 160 - 1
    assert answer["4.3/ways/copy/weights_moved"].value == 204  # codes 12, A and B 64, a copy of 64 written and read


def test_arithmetic_without_a_rule_is_not_passed_over() -> None:
    import torch

    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Recorder

    x = torch.ones(2)
    with pytest.raises(TypeError, match=r"no rule says what aten\.tanh"), Recorder():
        torch.tanh(x)


REFUSED = [
    ({**SMALL, "rank": 5}, "rank: must be at most d_model (got 5 and 4)"),
    ({"lora_on": ["output"]}, "lora_on.0: must be 'query', 'key' or 'value' (got 'output')"),
    ({"lora_on": []}, "lora_on: must have at least 1 item (got [])"),
    ({"quantized_bits": 1}, "quantized_bits: must be greater than or equal to 2 (got 1)"),
    ({"quantized_bits": 32}, "quantized_bits: must be below the 32 bits of full precision (got 32)"),
    ({**SMALL, **NARROW}, "d_model: must be divisible by n_heads while conventions.output_matrix is d by d (got 4 and 3)"),
]
