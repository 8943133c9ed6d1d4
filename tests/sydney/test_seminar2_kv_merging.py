"""Similarities, merged tokens and scores worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import sympy

from generators.cells import Cell
from generators.courses.sydney.seminar2_kv_merging.merging import Assigned, merged, token_scores
from generators.errors import ParameterError
from generators.table import Table
from tests.conftest import worked_out
from tests.entries import drawn_entry, entry_of

SLUG = "seminar2_kv_merging"
ID = f"sydney/{SLUG}"
F = Fraction


entry, solved = partial(entry_of, ID), partial(drawn_entry, ID)


def merging(**changes: Any) -> dict[str, Any]:
    return {**entry()["merging"], **changes}


def eviction(**changes: Any) -> dict[str, Any]:
    return {**entry()["eviction"], **changes}


def cells(table: Table) -> list[tuple[Cell, ...]]:
    """The rows of a table."""
    return [tuple(row.values()) for row in table.rows.values()]


def test_similarities() -> None:
    """Key 4 (0.7, 2.4) of length 2.5 beside (1.2, 1.6) of length 2: 4.68 / 5; key 5 (-2, 0) beside (-1.6, 1.2): 3.2 / 4."""
    rows = cells(worked_out(ID)[2]["2/matrix"])
    assert rows[0] == (4, F(117, 125), F(44, 125), 0, 1)
    assert rows[1][2:] == (F(4, 5), F(-24, 25), 2)


def test_merged_keys() -> None:
    """Tokens 4, 8 and 9 go to 1: (1.2 + 0.7 + 1.6 + 0) / 4, and pivotal (1.2 + 0.95 + 1.4 + 0.6) / 4."""
    part = worked_out(ID)[2]["3"]
    row = cells(part["keys"])[0]
    assert (row[1], row[2], row[4]) == (3, F(35, 40), F(415, 400))
    assert row[6] == (F(12, 10) + F(7, 10) * F(117, 125) + F(16, 10) * F(24, 25)) / 4
    assert part["rules"]["averaged_value"].value == row[2]


def test_values_take_the_weights_of_their_keys() -> None:
    """Token 5, with value (-1, 3) and similarity 4/5, goes to token 2 with value (0, 3)."""
    row = cells(worked_out(ID)[2]["3/values"])[1]
    assert row == (2, 1, F(-1, 2), 3, F(-1, 4), 3, F(-4, 10), (3 + F(4, 5) * 3) / 2)


def test_a_token_without_others_stays() -> None:
    vectors = [[sympy.Integer(2)], [sympy.Integer(4)], [sympy.Integer(6)]]
    goes_to = {0: [], 1: [Assigned(2, sympy.Rational(1, 2))]}
    assert merged(vectors, goes_to, "averaged") == [[2], [5]]
    assert merged(vectors, goes_to, "pivotal") == [[2], [sympy.Rational(9, 2)]]
    assert merged(vectors, goes_to, "weighted") == [[2], [sympy.Rational(7, 2)]]


def test_of_equal_similarities_the_first_takes() -> None:
    """Both cosines are 1/√2, irrational and equal; everything is found again."""
    keys = [[1, 1], [1, -1], [3, 0]]
    part = solved(entry(merging={"conserved": [1, 2], "keys": keys, "values": [[5], [6], [7]]}))["2"]
    assert cells(part["matrix"]) == [(3, 1 / sympy.sqrt(2), 1 / sympy.sqrt(2), 1)]


def test_scores_of_eviction() -> None:
    """Columns of the default matrix: patch 1 has 1 + .6 + .5 + .5 from patches and .3 + .2 + .1 from words."""
    rows = cells(worked_out(ID)[2]["1/scores"])
    assert rows[0] == ("patch 1", "image", F(26, 10), F(6, 10), F(32, 10), F(32, 10), "top", "top")
    assert rows[4] == ("pick", "text", F(8, 10), 0, F(8, 10), 4, "top", "evicted")
    assert rows[2][6:] == ("evicted", "top")


def test_without_text_nothing_is_raised() -> None:
    found = token_scores([[F(1)], [F(1, 2), F(1, 2)], [F(1, 4), F(3, 4), F(0)]], [False] * 3, 1, 1)
    assert [one.score for one in found] == [F(7, 4), F(5, 4), 0]
    assert [one.fate for one in found] == ["top", "evicted", "recent"]


def test_one_token_is_not_counted() -> None:
    """As "the last 1 token" would read badly."""
    part = solved(entry(eviction=eviction(n_recent=1, n_top=1)))["sheet"]
    assert (part["recent"].value, part["top"].value) == ("the last token", "the token")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"merging": merging(conserved=[2, 1])}, "merging: conserved: must be rising numbers of keys (got [2, 1])"),
        ({"merging": merging(conserved=[10])}, "merging: conserved: must be rising numbers of keys (got [10])"),
        ({"merging": {"conserved": [1, 2], "keys": [[1], [2]], "values": [[1], [2]]}},
         "merging: conserved: must leave a token to evict (got all 2)"),
        ({"merging": {"conserved": [1], "keys": [[1, 0], [0, 0]], "values": [[1], [2]]}},
         "merging: keys: must not be zero, which has no direction (got key 2)"),
        ({"merging": merging(values=[[1]])}, "merging: values: must be as many as keys (got 1)"),
        ({"merging": {"conserved": [1], "keys": [[1, 0], [1]], "values": [[1], [2]]}},
         "merging: keys: must be of one length (got [1, 2])"),
        ({"queries": [[1]]}, "queries: query 1 must be as long as the keys, 2 (got 1)"),
        ({"merging": merging(values=[[0, 0]] * 9)}, "queries: query 1 must have an output that is not near zero (got 0, 0)"),
        ({"eviction": eviction(attention=[[1]])}, "eviction: attention: must have a row for each token (got 1)"),
        ({"eviction": eviction(n_top=5)}, "eviction: n_top: must leave a token to evict (got 5 beside 2 recent ones)"),
        ({"eviction": eviction(attention=[[1], [0.5, 0.4], *entry()["eviction"]["attention"][2:]])},
         "eviction: attention: row 2 must sum to 1 (got 9/10)"),
        ({"eviction": eviction(attention=[[1], [1], *entry()["eviction"]["attention"][2:]])},
         "eviction: attention: row 2 must have 2 weights (got 1)"),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/sydney/params.yml: {SLUG}: {message}"
