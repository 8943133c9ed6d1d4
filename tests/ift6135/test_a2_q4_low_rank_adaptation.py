"""Assignment 2, question 4: LoRA and QLoRA."""

import math
from fractions import Fraction
from typing import Any

import pytest

from generators.answer import Answer
from generators.cells import Cell, Quantity
from generators.courses.ift6135.a2_q4_low_rank_adaptation.low_rank import d, n
from generators.errors import ParameterError
from generators.pipeline.catalog import QuestionId, load_params, load_question
from generators.topics.quantization import dequantized, measured_error, quantized, step_size
from tests.entries import solved_entry

ID = QuestionId("ift6135", "a2_q4_low_rank_adaptation")
SIZES = {"d_model": 4, "rank": 2, "n_heads": 3, "context_len": 5, "quantized_bits": 4}
SMALL: dict[str, Any] = {**SIZES, "memory_headroom": "1/2", "sample": {"seed": 0, "size": 8}}


def solved(**changes: Any) -> Answer:
    question = load_question(ID)
    answer: Answer = question.solve(load_params(ID, question, {**SMALL, **changes}))
    return answer


def values(part: str, prefix: str, answer: Answer) -> dict[str, Cell]:
    """Quantities of one module without its name."""
    items = answer[part].items.items()
    return {key.removeprefix(prefix): one.value for key, one in items if isinstance(one, Quantity) and key.startswith(prefix)}


def test_one_feed_forward_matrix_by_hand() -> None:
    """With n = 5, d = 4, r = 2 every number of LFFN is small enough to count."""
    assert values("4.4a", "lffn_", solved()) == {
        "multiply_adds": 160,  # XW 5·4·4 = 80, XA 5·4·2 = 40, (XA)Bᵀ 5·2·4 = 40
        "operations_lora": 20,  # add two 5×4 matrices
        "operations_qlora": 36,  # and 4·4 multiplications by Δ
        "quantization": 64,  # 4 operations for each of 16 values
        "trainable": 16,  # A and B of 4×2
        "trainable_bytes": 64,
        "in_order": 80,
        "other_order": 112,  # ABᵀ 4·2·4 = 32, X(ABᵀ) 5·4·4 = 80
        "order_ratio": Fraction(7, 5),  # 112 / 80
    }


def test_attention_by_hand() -> None:
    """Three heads of width 4, and W^O of 12×4."""
    assert values("4.4a", "mha_", solved()) == {
        "multiply_adds": 2280,  # 9 projections of 160; QKᵀ and softmax·V 3·5·5·4 = 300 each; (5×12)(12×4) 240
        "operations_lora": 600,  # 9·20 additions; 3·25 divisions by √d; softmax 3·5·(5·5 - 2) = 345
        "operations_qlora": 792,  # and 9·16 + 12·4 = 192 multiplications by Δ
        "quantization": 768,  # 4·192
        "trainable": 144,  # 9·(8 + 8)
        "trainable_bytes": 576,
        "in_order": 720,  # 9·80
        "other_order": 1008,  # 9·112
        "order_ratio": Fraction(7, 5),
    }


@pytest.mark.parametrize(
    ("reading", "heads", "multiply_adds", "operations", "dequantized_values", "trainable"),
    [
        ("hd_by_d", 3, 2280, 600, 192, 144),
        # W^O of 4×4 costs 5·4·4 = 80 instead of 240; (3 - 1)·20 additions join the heads
        ("d_by_d_summed_heads", 3, 2120, 640, 160, 144),
        # 6 projections of (40 + 40 + 5·2·2 = 20), 2·(5·5·2) twice, 80; 6·10 + 2·25 + 2·5·23; 6·8 + 16; 6·(8 + 4)
        ("d_by_d_narrow_heads", 2, 880, 340, 64, 72),
    ],
)
def test_readings_of_the_output_matrix(
    reading: str, heads: int, multiply_adds: int, operations: int, dequantized_values: int, trainable: int
) -> None:
    answer = solved(n_heads=heads, conventions={"output_matrix": reading})
    found = values("4.4a", "mha_", answer)
    assert found["multiply_adds"] == multiply_adds
    assert found["operations_lora"] == operations
    assert found["operations_qlora"] == operations + dequantized_values
    assert found["trainable"] == trainable
    rows = answer["4.4a/readings_time"].rows
    assert {name: row["value"] for name, row in rows.items() if row["used_here"] == "yes"} == {reading: multiply_adds}


def test_narrow_heads_that_do_not_fit_have_no_numbers() -> None:
    """Three heads cannot share a width of 4, so that only the formulas of that reading are given."""
    answer = solved()
    assert answer["4.4a/readings_time/d_by_d_narrow_heads/value"].value is None
    assert answer["4.4a/readings_time/d_by_d_narrow_heads/last_product"].value == n * d**2
    assert answer["4.4a/readings_space/d_by_d_narrow_heads/values_trained"].value is None


def test_choices_by_hand() -> None:
    """The assignments in the order LoRA and LoRA, LoRA and QLoRA, QLoRA and LoRA, QLoRA and QLoRA on MHA and LFFN."""
    part = solved()["4.4b"]
    combinations = part["combinations"]
    assert list(combinations["stored"].cells.values()) == [
        1472,  # MHA 4·(192 + 144) = 1344, LFFN 4·(16 + 16) = 128
        1420,  # LFFN 16·4/8 + 4 + 64 = 76
        840,  # MHA 192·4/8 + 10·4 + 576 = 712
        788,
    ]
    assert list(combinations["operations"].cells.values()) == [
        3700,  # merged: MHA 2·(9·80 + 600 + 240) + 75 + 345 = 3540, LFFN 2·80 = 160
        3896,  # LFFN 2·160 + 36 = 356
        5512,  # MHA 2·2280 + 792 = 5352
        5708,
    ]
    assert part["limit"].value == 1130  # half-way from 788 to 1472
    limits = combinations.row("qlora-lora")
    assert limits["fastest_from"].value == Fraction(84000, 1472)
    assert limits["fastest_below"].value == Fraction(142000, 1472)
    assert [tuple(row.values()) for row in part["choices"].rows.values()] == [
        ("Memory limit", "QLoRA", "QLoRA"),
        ("Faster inference", "LoRA", "LoRA"),
        ("Both", "QLoRA", "LoRA"),
    ]


@pytest.mark.parametrize(("headroom", "choice"), [(0, ("QLoRA", "QLoRA")), (0.99, ("LoRA", "QLoRA")), (1, ("LoRA", "LoRA"))])
def test_the_memory_limit_decides_the_last_choice(headroom: float, choice: tuple[str, str]) -> None:
    both = solved(memory_headroom=headroom)["4.4b/choices"].row("both")
    assert (both["mha"].value, both["lffn"].value) == choice


def test_rank_and_merging_by_hand() -> None:
    answer = solved()
    assert answer["4.2/heavier_than_full"].value == 2  # 2·4·2 = 16 values, as many as W has
    assert answer["4.2/heavier_than_codes"].value == Fraction(1, 4)  # 16 codes of 4 bits = 8 B = 8·r·4 B
    assert answer["4.2/directions"].value == 12  # 16 - (4 - 2)²
    assert answer["4.3/merged_after"].value == Fraction(20, 9)  # (2·32 + 16) / (2·(8 + 8) + 4)
    assert answer["4.3/share_of_product"].value == Fraction(1, 10)  # 16 / (2·5·16)
    more = answer["4.3/work"]["more_than_merged"].cells
    assert more["context.beside"] == 100 * Fraction(9, 8)  # (320 + 20) / 160 - 1
    assert more["context.codes"] == 100 * Fraction(49, 40)  # (320 + 36) / 160 - 1


def test_quantization_by_hand() -> None:
    """At 3 bits the largest code is 3, so that Δ = 1 here."""
    weights = [3.0, -1.4, 0.6, 0.0]
    assert step_size(weights, 3) == 1
    assert quantized(weights, 1.0) == [3, -1, 1, 0]
    assert dequantized([3, -1, 1, 0], 0.5) == [1.5, -0.5, 0.5, 0.0]
    error = measured_error(weights, 3)
    assert error.largest == pytest.approx(0.4)
    assert error.rms == pytest.approx(math.sqrt(0.32 / 4))
    assert error.relative == pytest.approx(math.sqrt(0.32 / 11.32))  # 9 + 1.96 + 0.36


def test_arithmetic_without_a_rule_is_not_passed_over() -> None:
    import torch

    from generators.courses.ift6135.a2_q4_low_rank_adaptation.torch_modules import Recorder

    x = torch.ones(2)
    with pytest.raises(TypeError, match=r"no rule says what aten\.tanh"), Recorder():
        torch.tanh(x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 5}, "rank: must be at most d_model (got 5 and 4)"),
        ({"rank": 0}, "rank: must be greater than 0 (got 0)"),
        ({"context_len": 2**20 + 1}, "context_len: must be less than or equal to 1048576 (got 1048577)"),
        ({"quantized_bits": 1}, "quantized_bits: must be greater than or equal to 2 (got 1)"),
        ({"quantized_bits": 32}, "quantized_bits: must be below the 32 bits of full precision (got 32)"),
        ({"memory_headroom": 1.5}, "memory_headroom: must be less than or equal to 1 (got 1.5)"),
        ({"sample": {"seed": -1, "size": 8}}, "sample.seed: must be greater than or equal to 0 (got -1)"),
        ({"sample": {"seed": 0, "size": 1}}, "sample.size: must be greater than or equal to 2 (got 1)"),
        (
            {"conventions": {"output_matrix": "d_by_d_narrow_heads"}},
            "d_model: must be divisible by n_heads while conventions.output_matrix is d_by_d_narrow_heads (got 4 and 3)",
        ),
    ],
)
def test_bad_parameters_are_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        load_params(ID, load_question(ID), {**SMALL, **change})
    assert str(refusal.value).endswith(message)


@pytest.mark.parametrize("reading", ["d_by_d_summed_heads", "d_by_d_narrow_heads"])
@pytest.mark.parametrize("bytes_per_value", [2, 4])
def test_everything_is_found_under_other_conventions(reading: str, bytes_per_value: int) -> None:
    conventions = {"output_matrix": reading, "bytes_per_value": bytes_per_value, "flops_per_multiply_add": 1}
    assert solved_entry(str(ID), {**SMALL, "n_heads": 2, "conventions": conventions})
