"""Similarities, merged tokens and scores worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import sympy

from generators.cells import Cell
from generators.table import Table
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "seminar2_kv_merging"
ID = f"sydney/{SLUG}"
F = Fraction

entry, solved = partial(entry_of, ID), partial(solved_entry, ID)
FEW = {"n_seeds": 2}
TIED = {"conserved": [1, 2], "keys": [[1, 1], [1, -1], [3, 0]], "values": [[5], [6], [7]]}
"""Both cosines are 1/√2, irrational and equal."""
LINE = {"conserved": [2], "keys": [[1], [-2], [3]], "values": [[1], [2], [3]]}
WORDS = {"tokens": [{"name": f"word {i}", "kind": "text"} for i in range(3)], "attention": [[1], ["1/3", "2/3"], [0, 0, 1]]}
TWELVE = {
    "tokens": [{"name": f"a long name {i}", "kind": ("image", "text")[i % 2]} for i in range(12)],
    "attention": [[F(1, n)] * n for n in range(1, 13)],
    "n_recent": 6,
    "n_top": 5,
}

FAR = [
    Far({"eviction": {"n_recent": 1, "n_top": 1}}, ("keeps the last token (recent) and, of the others, the token with",)),
    Far({"eviction": {**WORDS, "n_recent": 1, "n_top": 1}, "trials": FEW}, ("Evicted: word 1.",)),
    Far({"eviction": TWELVE, "trials": FEW}, ("the last 6 tokens", "the 5 tokens with")),
    Far({"merging": TIED, "trials": FEW}, ("all 3 tokens",), ("0.707107 0.707107",)),
    Far({"merging": LINE, "queries": [[1]], "trials": FEW}, ("1 query:", r"K_c = \{ 2 \}")),
    Far({"merging": {"keys": [[x, 1, 0, -20] for x in range(9)], "values": [[20, 0, 0, x] for x in range(9)]},
         "queries": [[20, -20, 0, "1/3"]], "trials": FEW}, ("k^{(4)}", "v^{(4)}", "q^{(4)}")),
    Far({"merging": {"conserved": [9]}, "trials": FEW}, (r"K_e = \{ 1, 2, 3, 4, 5, 6, 7, 8 \}",)),
    Far({"trials": {"seed": 0, "n_seeds": 7}}, ("7 random caches",), stays=("4/errors/averaged/our_cache",)),
]  # fmt: skip


def cells(table: Table) -> list[tuple[Cell, ...]]:
    """The rows of a table."""
    return [tuple(row.values()) for row in table.rows.values()]


def test_similarities() -> None:
    """Key 4 (0.7, 2.4) of length 2.5 beside (1.2, 1.6) of length 2: 4.68 / 5; key 5 (-2, 0) beside (-1.6, 1.2): 3.2 / 4."""
    rows = cells(worked_out(ID)[2]["2/matrix"])
    assert rows[0] == (4, 1, F(117, 125), F(44, 125), 0)
    assert rows[1] == (5, 2, F(-3, 5), F(4, 5), F(-24, 25))


def test_merged_keys_and_values() -> None:
    """Tokens 4, 8 and 9 go to 1: (1.2 + 0.7 + 1.6 + 0) / 4, pivotal (1.2 + 0.95 + 1.4 + 0.6) / 4; values take the keys' weights.

    Token 5, with value (-1, 3) and similarity 4/5, goes to token 2 with value (0, 3).
    """
    keys, values = (cells(worked_out(ID)[2][f"3/{name}"]) for name in ("keys", "values"))
    assert [row[2] for row in keys[:2]] == [F(35, 40), F(415, 400)]
    assert keys[2][2] == (F(12, 10) + F(7, 10) * F(117, 125) + F(16, 10) * F(24, 25)) / 4
    assert [row[2:] for row in values[3:6]] == [(F(-1, 2), 3), (F(-1, 4), 3), (F(-4, 10), (3 + F(4, 5) * 3) / 2)]


def test_of_equal_similarities_the_first_takes() -> None:
    """A token to which none goes stays: the second has the key (1, -1)."""
    answer = solved(entry(merging=TIED, trials=FEW))
    assert cells(answer["2/matrix"]) == [(3, 1, 1 / sympy.sqrt(2), 1 / sympy.sqrt(2))]
    assert [row[2:] for row in cells(answer["3/keys"])[3:]] == [(1, -1)] * 3


def test_scores_of_eviction() -> None:
    """Columns of the default matrix: patch 1 has 1 + .6 + .5 + .5 from patches and .3 + .2 + .1 from words."""
    rows = cells(worked_out(ID)[2]["1/scores"])
    assert rows[0] == ("patch 1", "top", F(32, 10), F(32, 10), "image")
    assert rows[4] == ("pick", "top", 4, F(8, 10), "text")


def test_averaging_is_best_on_average_and_not_in_the_example() -> None:
    rows = worked_out(ID)[2]["4/errors"].rows
    assert min(rows, key=lambda name: rows[name]["mean_error"]) == "averaged"
    assert min(rows, key=lambda name: rows[name]["our_cache"]) == "weighted"


REFUSED = [
    ({"merging": {"conserved": [2, 1]}}, "merging: conserved: must be rising numbers of keys (got [2, 1])"),
    ({"merging": {"conserved": [10]}}, "merging: conserved: must be rising numbers of keys (got [10])"),
    ({"merging": {"conserved": [1, 2], "keys": [[1], [2]], "values": [[1], [2]]}},
     "merging: conserved: must leave a token to evict (got all 2)"),
    ({"merging": {"conserved": [1], "keys": [[1, 0], [0, 0]], "values": [[1], [2]]}},
     "merging: keys: must not be zero, which has no direction (got key 2)"),
    ({"merging": {"values": [[1]]}}, "merging: values: must be as many as keys (got 1)"),
    ({"merging": {"conserved": [1], "keys": [[1, 0], [1]], "values": [[1], [2]]}},
     "merging: keys: must be of one length (got [1, 2])"),
    ({"queries": [[1]]}, "queries: query 1 must be as long as the keys, 2 (got 1)"),
    ({"merging": {"values": [[0, 0]] * 9}}, "queries: query 1 must have an output that is not near zero (got 0, 0)"),
    ({"eviction": {"attention": [[1]]}}, "eviction: attention: must have a row for each token (got 1)"),
    ({"eviction": {"n_top": 5}}, "eviction: n_top: must leave a token to evict (got 5 beside 2 recent ones)"),
    ({"eviction": {"attention": [[1], [0.5, 0.4], *entry()["eviction"]["attention"][2:]]}},
     "eviction: attention: row 2 must sum to 1 (got 9/10)"),
    ({"eviction": {"attention": [[1], [1], *entry()["eviction"]["attention"][2:]]}},
     "eviction: attention: row 2 must have 2 weights (got 1)"),
]  # fmt: skip
