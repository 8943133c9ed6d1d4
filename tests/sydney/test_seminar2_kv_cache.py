"""The example, sums over steps and costs worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.errors import ParameterError
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "seminar2_kv_cache"
ID = f"sydney/{SLUG}"
F = Fraction
entry = partial(entry_of, ID)
solved = partial(drawn_entry, ID)
SMALL = {"n_layers": 1, "d_model": 2, "n_heads": 1, "vocabulary_size": 3}


def example(**changes: Any) -> dict[str, Any]:
    return {**entry()["example"], **changes}


def test_the_example() -> None:
    """Queries (1, 2), (2, 0), (1, 1), (0, 3); keys (1, 0), (2, 1), (0, 2), (1, 1); values (3, 1), (0, 2), (1, 1), (2, 0)."""
    part = worked_out(ID)[2]["1"]
    assert tuple(part["scores"].rows["q4"].values()) == ("q4", 0, 3, 6, 3)
    summed = "0·(3, 1) + 3·(0, 2) + 6·(1, 1) + 3·(2, 0)"
    assert tuple(part["outputs"].rows["step_4"].values()) == (4, summed, "(12, 12)", "(12, 12)")
    assert tuple(part["counts"].rows["step_4"].values()) == (4, "down", 16, 6, 6, 4, 3)


def test_negative_numbers_have_a_minus_sign() -> None:
    """Queries (−1), keys (2), values (3): a score of −2."""
    rows = solved(entry(example={"tokens": ["a", "b"], "queries": [[-1]] * 2, "keys": [[2]] * 2, "values": [[3]] * 2}))
    assert rows["1/outputs/step_2/scores_times_values"].value == "(−2)·(3) + (−2)·(3)"
    assert rows["1/outputs/step_2/without"].value == "(−12)"


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
    assert (part["positions_without"].value, part["positions_with"].value) == (2 + 3, 2 + 1)
    assert (part["scores_without"].value, part["scores_with"].value) == (4 + 9, 4 + 3)
    assert part["total_with"].value == 2 * (12 * 4 * 3 + 2 * 2 * 7 + 2 * 2 * 3)


def test_size_of_the_cache() -> None:
    part = worked_out(ID)[2]["3"]
    assert part["token"].value == 2 * 32 * 4096 * 2
    assert part["cache"].value == 575 * 2**19
    assert part["equal"].value == F(12 * 32 * 4096**2 + 4096 * 32000, 2 * 32 * 4096)


def test_other_conventions() -> None:
    """One FLOP a multiply-add halves the FLOPs, four bytes double the cache."""
    answer = solved(entry(conventions={"flops_per_multiply_add": 1, "bytes_per_element": 4}))
    usual = worked_out(ID)[2]
    assert 2 * F(answer["2"]["flops_with"].value) == usual["2"]["flops_with"].value
    assert answer["3"]["cache"].value == 2 * F(usual["3"]["cache"].value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"example": example(keys=[[1, 0]])}, "example: keys: must be as many as tokens (got 1)"),
        ({"example": example(values=[[1], [1, 2], [1], [1]])}, "example: values: must be of one length (got [1, 2])"),
        ({"example": example(keys=[[1]] * 4)}, "example: keys: must be as long as queries (got 1)"),
        ({"example": example(keys=[[10, 0]] * 4)}, "example.keys.0.0: must be less than or equal to 9 (got 10) (and 3 more)"),
        ({"model": {**SMALL, "n_heads": 3}}, "model: d_model: must be divisible by n_heads (got 2 and 3)"),
        ({"seq_lens": [8, 4]}, "seq_lens: must rise from each to the next (got [8, 4])"),
        ({"new_tokens": 1}, "new_tokens: must be greater than or equal to 2 (got 1)"),
        ({"new_tokens": 513}, "new_tokens: must be less than or equal to 512 (got 513)"),
        ({"prompt_len": 2**24 + 1}, "prompt_len: must be less than or equal to 16777216 (got 16777217)"),
    ],
)
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/sydney/params.yml: {SLUG}: {message}"
