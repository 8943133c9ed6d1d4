"""Fine-tuning memory and compute: values derived by hand, other sizes, and every rule of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.answer import Answer
from generators.cells import Cell
from generators.courses.comp4901y.hw4_q1_finetuning_memory.solve import solve
from generators.errors import ParameterError
from generators.pipeline.catalog import entries, find, load_params, load_question
from generators.topics.peft import N_LAYER, N_TOP, B, D, L, R
from tests.conftest import worked_out

SLUG = "hw4_q1_finetuning_memory"
PREFIX = f"comp4901y/{SLUG}"
MESSAGE = f"generators/courses/comp4901y/params.yml: {SLUG}: "


def answered(**changes: Any) -> Answer:
    """The answer to the entry of params.yml with some fields changed."""
    question_id = find(PREFIX)
    question = load_question(question_id)
    answer: Answer = question.solve(load_params(question_id, question, {**entries()[question_id], **changes}))
    return answer


def under(answer: Answer, address: str, column: str) -> tuple[Cell, ...]:
    """The cells of a column."""
    return tuple(answer[address][column].cells.values())


def test_formulas() -> None:
    """Two bytes for each trainable value; gradients take as many bytes as parameters."""
    expected = {
        "1.1": 24 * N_TOP * D**2,  # 2·N_top·(4D² + 2·4D²)
        "1.2": 8 * N_LAYER * D * R,  # 2·N·2 adapters·(DR + RD)
        "1.3": 12 * N_LAYER * D * R,  # 2·N·3 matrices·(DR + RD)
        "1.4": 6 * N_LAYER * (D + R),  # 2·N·3 matrices·(R + D)
    }
    answer = worked_out(PREFIX)[2]
    for label, formula in expected.items():
        for kind in ("parameters", "gradients"):
            assert sympy.expand(answer[label][kind].formula - formula) == 0


def test_bytes_at_the_example_sizes() -> None:
    """32 layers, 4 of them tuned, width 4096, rank 16."""
    answer = worked_out(PREFIX)[2]
    assert answer["1.1/values_per_layer"].value == 201_326_592  # 12·4096²
    assert answer["1.1/parameters"].value == 1_610_612_736  # 2·4·12·4096² = 1.5 GiB
    assert answer["1.2/parameters"].value == 16_777_216  # 2·32·4·4096·16 = 16 MiB
    assert answer["1.3/parameters"].value == 25_165_824  # 2·32·6·4096·16 = 24 MiB
    assert answer["1.4/parameters"].value == 789_504  # 2·32·3·(4096 + 16)
    assert answer["1.4/frozen"].value == 262_144  # 2·(4096·16 + 16·4096)
    for label in ("1.1", "1.2", "1.3", "1.4"):
        assert answer[label]["gradients"].value == answer[label]["parameters"].value


def test_share_of_all_weights() -> None:
    """Of 32·12·4096² weights."""
    assert under(worked_out(PREFIX)[2], "comparison/bytes", "share_of_all_weights") == (
        100,
        100 * Fraction(1, 8),  # 4 of 32 layers
        100 * Fraction(1, 768),  # 4DR / 12D² = R / 3D = 16 / 12288
        100 * Fraction(1, 512),  # 6DR / 12D² = R / 2D = 16 / 8192
        100 * Fraction(257, 4_194_304),  # 3(D + R) / 12D² = 4112 / (4·4096²)
    )


def test_matrices() -> None:
    """How many tensors of which kind one layer trains."""
    answer = worked_out(PREFIX)[2]
    counts = {label: under(answer, f"{label}/matrices", "in_one_layer") for label in ("1.1", "1.2", "1.3", "1.4")}
    assert counts == {"1.1": (4, 1, 1), "1.2": (2, 2), "1.3": (3, 3), "1.4": (3, 3)}


def test_flops_of_one_training_step() -> None:
    """Products of one layer: 12·BLD² multiply-adds with weights, 2·BL²D in attention; two FLOPs each."""
    weights, attention, low_rank, width = 12 * B * L * D**2, 2 * B * L**2 * D, B * L * D * R, B * L * D**2
    expected = {
        "full": (weights + attention, 2 * (weights + attention), 3 * width),  # no gradient by the model's input, for Q, K, V
        "adapters": (  # 2 adapters of 2 products; frozen weights need no gradient by weight
            weights + attention + 4 * low_rank,
            weights + 2 * attention + 8 * low_rank,
            4 * width + 2 * attention + low_rank,  # below the lowest adapter nothing is needed, nor by its own input
        ),
        "lora": (
            weights + attention + 6 * low_rank,
            weights + 2 * attention + 12 * low_rank,
            3 * width + 3 * low_rank,  # by the model's input, for Q, K, V and the three A
        ),
        "vera": (
            weights + attention + 6 * low_rank,
            weights + 2 * attention + 6 * low_rank,  # A and B are frozen
            3 * width + 3 * low_rank,
        ),
    }
    part = worked_out(PREFIX)[2]["optional"]
    for name, (forward, backward, not_needed) in expected.items():
        assert sympy.expand(part[f"{name}_forward"].formula - 2 * N_LAYER * forward) == 0
        assert sympy.expand(part[f"{name}_backward"].formula - 2 * (N_LAYER * backward - not_needed)) == 0
    tuned = 2 * (2 * N_TOP * (weights + attention) - 3 * width)  # gradients stop at the lowest tuned layer
    assert sympy.expand(part["freezing_backward"].formula - tuned) == 0
    assert part["freezing_forward"].value == part["full_forward"].value


def test_flops_at_the_example_sizes() -> None:
    """One sequence of 2048 tokens."""
    part = worked_out(PREFIX)[2]["optional"]
    assert part["full_forward"].value == 28_587_302_322_176  # 32·(24·2048·4096² + 4·2048²·4096)
    assert part["full_backward"].value == 56_968_446_214_144  # 2·28587302322176 − 6·2048·4096²
    assert part["lora_forward"].value == 28_638_841_929_728  # 28587302322176 + 32·12·2048·4096·16


def test_one_layer_of_width_one() -> None:
    """Every size 1: twelve weights, of which adapters add 4, LoRA 6, VeRA 6."""
    answer = answered(n_layers=1, n_top_layers=1, d_model=1, n_heads=1, rank=1, seq_len=1)
    assert [answer[label]["values_per_layer"].value for label in ("1.1", "1.2", "1.3", "1.4")] == [12, 4, 6, 6]
    assert tuple(answer["comparison/bytes"].rows["freezing"].values()) == (
        "Freezing layers",
        24,
        24,
        100,
    )  # all layers are the top layers
    part = answer["optional"]
    assert part["full_forward"].value == 28  # 2·(12 + 2)
    assert part["full_backward"].value == 50  # 2·28 − 2·3
    assert part["freezing_backward"].value == 50


def test_biases_of_adapters_are_a_convention() -> None:
    """With biases each adapter has R + D values more."""
    part = answered(conventions={"adapter_biases": True})["1.2"]
    assert part["values_per_layer"].value == 270_368  # 4·4096·16 + 2·(16 + 4096)
    assert part["parameters"].value == 17_303_552  # 2·32·270368


def test_four_bytes_a_value_double_the_bytes() -> None:
    """The convention scales bytes and leaves shares and FLOPs alone."""
    base, wide = worked_out(PREFIX)[2], answered(conventions={"bytes_per_element": 4})
    for label in ("1.1", "1.2", "1.3", "1.4"):
        assert wide[label]["parameters"].value == 2 * base[label]["parameters"].value
    shares = [under(one, "comparison/bytes", "share_of_all_weights") for one in (base, wide)]
    assert shares[0] == shares[1]
    assert wide["optional"]["lora_backward"].value == base["optional"]["lora_backward"].value


def test_one_flop_for_a_multiply_add_halves_the_flops() -> None:
    """The convention scales FLOPs and leaves bytes alone."""
    base, single = worked_out(PREFIX)[2], answered(conventions={"flops_per_multiply_add": 1})
    for name in ("full_forward", "freezing_backward", "adapters_backward", "vera_backward"):
        assert 2 * single["optional"][name].value == base["optional"][name].value
    assert single["1.3"]["parameters"].value == base["1.3"]["parameters"].value


def shapes(method: str, width: int, rank: int) -> Sequence[tuple[int, ...]]:
    """Every trainable tensor of one layer, written out."""
    if method == "1.1":
        return [(width, width)] * 4 + [(width, 4 * width), (4 * width, width)]
    if method == "1.2":
        return [(width, rank), (rank, width)] * 2
    return [(width, rank), (rank, width)] * 3 if method == "1.3" else [(rank,), (width,)] * 3


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_bytes_equal_the_sum_over_all_tensors(n_layers: int, frozen: int, n_heads: int, head: int, rank: int) -> None:
    """Bytes are two for each value of each tensor in each tuned layer."""
    width, tuned = n_heads * head, max(1, n_layers - frozen)
    changes = {"n_layers": n_layers, "n_top_layers": tuned, "n_heads": n_heads, "d_model": width, "rank": min(rank, width)}
    answer = solve(worked_out(PREFIX)[1].model_copy(update=changes))  # type: ignore[arg-type]
    for method in ("1.1", "1.2", "1.3", "1.4"):
        layers = tuned if method == "1.1" else n_layers
        values = [prod(shape) for _ in range(layers) for shape in shapes(method, width, min(rank, width))]
        assert answer[method]["parameters"].value == 2 * sum(values)


SIZES = ("n_layers", "n_top_layers", "d_model", "n_heads", "rank", "batch_size", "seq_len")


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (0, "must be greater than 0 (got 0)"),
        (-2, "must be greater than 0 (got -2)"),
        (1.5, "must be a valid integer (got 1.5)"),
        ("2", "must be a valid integer (got '2')"),
        ([], "must be a valid integer (got [])"),
    ],
)
def test_a_size_is_a_positive_integer(field: str, value: object, rule: str) -> None:
    """Every size follows the same rule."""
    with pytest.raises(ParameterError) as refusal:
        answered(**{field: value})
    assert str(refusal.value) == f"{MESSAGE}{field}: {rule}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_heads": 3}, "d_model: must be divisible by n_heads (got 4096 and 3)"),
        ({"n_top_layers": 33}, "n_top_layers: must be at most n_layers (got 33 and 32)"),
        ({"rank": 4097}, "rank: must be at most d_model (got 4097 and 4096)"),
        ({"conventions": {"bytes_per_element": 8}}, "conventions.bytes_per_element: must be 2 or 4 (got 8)"),
        ({"conventions": {"flops_per_multiply_add": 0}}, "conventions.flops_per_multiply_add: must be 1 or 2 (got 0)"),
        ({"conventions": {"adapter_biases": "no"}}, "conventions.adapter_biases: must be a valid boolean (got 'no')"),
        ({"conventions": {"alpha": 1}}, "conventions.alpha: is not a known key (got 1)"),
        ({"conventions": None}, "conventions: must be a valid dictionary or instance of Conventions (got None)"),
        ({"vocabulary": 50272}, "vocabulary: is not a known key (got 50272)"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    """File, entry, field, rule and value stand on one line."""
    with pytest.raises(ParameterError) as refusal:
        answered(**changes)
    assert str(refusal.value) == MESSAGE + message


@pytest.mark.parametrize("field", SIZES)
def test_a_missing_key_is_named(field: str) -> None:
    """Nothing but the conventions has a default."""
    question_id = find(PREFIX)
    entry = {name: value for name, value in entries()[question_id].items() if name != field}
    with pytest.raises(ParameterError) as refusal:
        load_params(question_id, load_question(question_id), entry)
    assert str(refusal.value) == f"{MESSAGE}{field}: is required, but missing"
