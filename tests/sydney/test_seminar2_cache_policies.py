"""Policies followed by hand, softmax without evicted tokens, sizes of caches, and every rule of the parameters."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import mpmath
import pytest

from generators.courses.sydney.seminar2_cache_policies.policies import attention_based, window
from generators.topics.attention import Attention
from tests.conftest import worked_out
from tests.entries import Far, drawn_entry, entry_of

SLUG = "seminar2_cache_policies"
ID = f"sydney/{SLUG}"

entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)
PULL = {"token": 2, "score": "1/3", "value_scale": 2}
ONES = {"n_initial": 1, "n_recent": 1}
ONE_OF_ALL = {"n_layers": 1, "d_model": 1, "n_heads": 1, "budget": 1, "seq_len": 1}

PLAIN = tuple(f"3/plain/{name}/{column}" for name in ("window", "attention_based") for column in ("mean_error", "best_in"))
FAR = [
    Far({"budget": 2} | ONES,
        says=("attends to at most 2 of 14", "keep the first token and the last token", "keeps the last token.")),
    Far({"attention": {"pulls": []}}, ("no policy is the best in more",), ("imitate", "draw attention (the working"), PLAIN),
    Far({"attention": {"pulls": [PULL]}}, stays=PLAIN),
    Far({"attention": {"n_tokens": 3, "head_width": 1, "n_seeds": 2, "pulls": [PULL]}, "budget": 2} | ONES),
    Far({"attention": {"n_tokens": 20, "head_width": 8, "n_seeds": 3}, "budget": 19, "n_initial": 18, "n_recent": 18},
        says=("the first 18 tokens and the last token",)),
    Far({"memory": ONE_OF_ALL}, says=("1 layer (", "1 head of keys", "1 token (", r"4\ \text{B}$, or $100\,\%$ of dense")),
    Far({"memory": {"n_kv_heads": 8}}, says=("8 heads of keys", r"256\ \text{MiB}"), stays=("2/share",)),
    Far({"memory": {"head_dim": 64, "n_layers": 999, "seq_len": 2**24, "budget": 2**24}}, says=("TiB", "of width 64")),
    Far({"conventions": {"bytes_per_element": 4, "bytes_per_sum": 2}}, (r"2\ \text{GiB}", r"4\ \text{MiB}"), (), ("2/share",)),
]  # fmt: skip


def test_windows() -> None:
    """Three tokens, and one initial token with a window of two."""
    assert window(5, 3) == [(0,), (0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4)]
    assert window(5, 3, 1) == [(0,), (0, 1), (0, 1, 2), (0, 2, 3), (0, 3, 4)]


def test_attention_chooses_by_sums() -> None:
    """Rows of softmax: 1; 1/3 2/3; 1/10 8/10 1/10. Before the fourth query the third token has 1/10 and leaves."""
    weights = [[1, 1, 1, 1], [1, 2, 1, 1], [1, 8, 1, 1], [1, 1, 1, 1]]
    scores = [[math.log(w) for w in row] for row in weights]
    attention = Attention(mpmath.fp, scores, [[float(j)] for j in range(4)])
    kept, evictions = attention_based(attention, 3, 1)
    assert kept == [(0,), (0, 1), (0, 1, 2), (0, 1, 3)]
    ((query, candidates),) = evictions
    assert (query, [j for j, _ in candidates]) == (3, [2, 0, 1])
    assert [total for _, total in candidates] == pytest.approx([1 / 10, 1 + 1 / 3 + 1 / 10, 2 / 3 + 8 / 10])
    assert attention.output(3, kept[3])[0] == pytest.approx((0 + 1 + 3) / 3)


def test_memory() -> None:
    part = worked_out(ID)[2]["2"]
    assert part["entries"].value == 2048
    assert part["dense"].value == 2 * 32 * 32768 * 4096 * 2
    assert part["cut"].value == 2 * 32 * 2048 * 4096 * 2
    assert part["sums"].value == 32 * 32 * 2048 * 4
    assert part["share"].value == Fraction(100, 16)


def test_the_ranking_comes_from_the_pulls() -> None:
    """Of a hundred heads attention-based eviction errs least in most with pulls, and in about a third without."""
    part = worked_out(ID)[2]["3"]
    best = {key: part[key].rows["attention_based"]["best_in"] for key in ("pulled", "plain")}
    assert best["pulled"] > 75
    assert 20 < best["plain"] < 50


REFUSED = [
    ({"budget": 14}, "budget: must be less than n_tokens (got 14 and 14)"),
    ({"n_initial": 6}, "n_initial: must be less than budget (got 6 and 6)"),
    ({"attention": {"pulls": [{**PULL, "token": 15}]}}, "attention: pulls: token must be at most n_tokens (got 15)"),
    ({"attention": {"pulls": [{**PULL, "score": 0}]}}, "attention.pulls.0.score: must be greater than 0 (got 0)"),
    ({"attention": {"pulls": [PULL] * 2}}, "attention: pulls: each token must stand once (got 2 twice)"),
    ({"memory": {**entry()["memory"], "n_heads": 3}}, "memory: d_model: must be divisible by n_heads (got 4096 and 3)"),
    ({"memory": {**entry()["memory"], "n_kv_heads": 5}}, "memory: n_heads: must be divisible by n_kv_heads (got 32 and 5)"),
]
