"""Policies followed by hand, softmax without evicted tokens, sizes of caches, and every rule of the parameters."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.courses.sydney.seminar2_cache_policies.policies import attention_based, initial_and_window, window
from generators.courses.sydney.seminar2_cache_policies.solve import ranges
from generators.errors import ParameterError
from generators.topics.attention import Attention, precise, relative_error
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "seminar2_cache_policies"
ID = f"sydney/{SLUG}"


entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)


def head(**changes: Any) -> dict[str, Any]:
    return {**entry()["attention"], **changes}


def test_a_window_of_three() -> None:
    assert window(5, 3) == [(0,), (0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_one_initial_token_and_a_window_of_two() -> None:
    assert initial_and_window(5, 3, 1) == [(0,), (0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 4)]


def test_numbers_as_ranges() -> None:
    assert ranges([0, 1, 4, 5, 6, 7]) == "1, 2, 5–8"
    assert ranges([0, 2, 3, 4]) == "1, 3–5"


def test_attention_chooses_by_sums() -> None:
    """Rows of softmax: 1; 1/3 2/3; 1/10 8/10 1/10. Before the fourth query the third token has 1/10 and leaves."""
    context = precise()
    weights = [[1, 1, 1, 1], [1, 2, 1, 1], [1, 8, 1, 1], [1, 1, 1, 1]]
    scores = [[context.log(w) for w in row] for row in weights]
    attention = Attention(context, scores, [[context.mpf(j)] for j in range(4)])
    kept, evictions = attention_based(attention, 3, 1)
    assert kept == [(0,), (0, 1), (0, 1, 2), (0, 1, 3)]
    ((query, candidates),) = evictions
    assert (query, [j for j, _ in candidates]) == (3, [2, 0, 1])
    assert [float(total) for _, total in candidates] == pytest.approx([1 / 10, 1 + 1 / 3 + 1 / 10, 2 / 3 + 8 / 10])
    assert float(attention.output(3, kept[3])[0]) == pytest.approx((0 + 1 + 3) / 3)


def test_relative_error_is_of_all_vectors_together() -> None:
    error = relative_error(precise(), [[3, 0], [0, 0]], [[0, 0], [0, 4]])
    assert float(error) == pytest.approx(math.sqrt(9 + 16) / 4)


def test_memory() -> None:
    part = worked_out(ID)[2]["2"]
    assert part["entries"].value == 2048
    assert part["dense"].value == 2 * 32 * 32768 * 4096 * 2
    assert part["cut"].value == 2 * 32 * 2048 * 4096 * 2
    assert part["sums"].value == 32 * 32 * 2048 * 4
    assert part["share"].value == Fraction(100, 16)


def test_without_pulls() -> None:
    answer = solved(entry(attention=head(pulls=[])))
    assert not answer["sheet/pulls"].rows


def test_one_token_is_not_counted() -> None:
    """As "the last 1 token" would read badly."""
    part = solved(entry(budget=2, n_initial=1, n_recent=1))["1"]
    said = [part[key].value for key in ("in_window", "initial", "recent")]
    assert said == ["the last token", "the first token stays", "the last token"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 14}, "budget: must be less than n_tokens (got 14 and 14)"),
        ({"n_initial": 6}, "n_initial: must be less than budget (got 6 and 6)"),
        ({"n_recent": 0}, "n_recent: must be greater than 0 (got 0)"),
        ({"attention": head(n_tokens=21)}, "attention.n_tokens: must be less than or equal to 20 (got 21)"),
        ({"attention": head(pulls=[{"token": 15, "score": 1, "value_scale": 1}])},
         "attention: pulls: token must be at most n_tokens (got 15)"),
        ({"attention": head(pulls=[{"token": 1, "score": 1, "value_scale": 1}] * 2)},
         "attention: pulls: each token must stand once (got 1 twice)"),
        ({"memory": {**entry()["memory"], "n_heads": 3}}, "memory: d_model: must be divisible by n_heads (got 4096 and 3)"),
        ({"memory": {**entry()["memory"], "seq_lens": [8, 8]}}, "memory.seq_lens: must rise from each to the next (got 8, 8)"),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/sydney/params.yml: {SLUG}: {message}"
