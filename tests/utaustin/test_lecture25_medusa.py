"""Sizes and trees worked out by hand, better trees looked for by force, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.errors import ParameterError
from tests.conftest import worked_out
from tests.entries import entry_of, solved_entry

SLUG = "lecture25_medusa"
ID = f"utaustin/{SLUG}"
F = Fraction


entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def heads(*shares: list[str]) -> list[dict[str, Any]]:
    return [{"guesses": [f"g{i}" for i in range(len(head))], "accuracies": head} for head in shares]


def test_sizes() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["head"].value == 147_849_216  # 4096² + 4096 · 32000
    assert part["model"].value == 6_738_415_616  # 32·(4·4096² + 3·4096·11008 + 2·4096) + 2·4096·32000 + 4096
    assert part["bytes"].value == 1_182_793_728  # 2 · 4 · 147849216
    assert part["flops"].value == 1_182_793_728  # 2 · 4 · (4096² + 4096·32000)
    assert part["slower"].value == 1 + F(4 * 147_849_216, 6_738_415_616 - 4096 * 32000 - 65 * 4096)


def test_a_bias_is_one_value_a_width() -> None:
    conventions = {"head_bias": True, "bytes_per_value": 4, "flops_per_multiply_add": 1}
    part = solved(entry(conventions=conventions))["1"]
    assert part["head"].value == 147_849_216 + 4096
    assert part["bytes"].value == 4 * 4 * (147_849_216 + 4096)
    assert part["flops"].value == 4 * 147_849_216


def test_full_trees() -> None:
    """Rates of two guesses a head are .72 .62 .5 .4."""
    rows = worked_out(ID)[2]["2/widths"].rows
    # tokens: 1 + .6 + .3 + .12 + .036
    assert tuple(rows["width_1"].values()) == (1, F(6, 10), F(5, 10), F(4, 10), F(3, 10), 4, 1, F(2056, 1000))
    assert (rows["width_2"]["nodes"], rows["width_2"]["leaves"]) == (30, 16)  # 2 + 4 + 8 + 16
    assert rows["width_2"]["tokens_a_step"] == 1 + F(72, 100) * (1 + F(62, 100) * (1 + F(5, 10) * (1 + F(4, 10))))


def test_the_first_nodes_that_join() -> None:
    rows = worked_out(ID)[2]["3/growth"].rows
    assert [(key, row["added"], row["reached"]) for key, row in rows.items()][:6] == [
        ("root", "the root", 1),
        ("1", "to", F(6, 10)),
        ("1.1", "to the", F(3, 10)),
        ("2", "home", F(12, 100)),  # as likely as what follows, but further up
        ("1.1.1", "to the house", F(12, 100)),  # .6 · .5 · .4
        ("1.2", "to his", F(72, 1000)),  # .6 · .12
    ]
    assert rows["1.2"]["tokens_a_step"] == F(2212, 1000)  # 1 + .6 + .3 + .12 + .12 + .072


def test_two_heads_by_hand() -> None:
    """Shares 1/2, 1/4 and 1/2, 1/4: 1 + 3/4 + 9/16 in full; the best two nodes are g0 (1/2) and g0 g0 or g1 (1/4 each)."""
    answer = solved(entry(heads=heads(["1/2", "1/4"], ["1/2", "1/4"]), n_nodes=2))
    assert answer["2/tokens"].value == F(37, 16)
    assert answer["3/tokens"].value == F(7, 4)
    assert answer["3/share"].value == 100 * F(12, 21)  # 3/4 of 21/16
    assert list(answer["3/tree"].rows) == ["root", "1", "2"]
    assert tuple(answer["3/tree"]["token"].cells.values()) == ("ran", "g0", "g1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": heads(["0.5", "0.6"])}, "heads.0: accuracies: must not rise from one guess to the next (got 1/2, 3/5)"),
        ({"heads": heads(["0.6", "0.5"])}, "heads.0: accuracies: must not sum to more than 1 (got 11/10)"),
        ({"heads": [{"guesses": ["a", "a"], "accuracies": [0.5, 0.1]}]},
         "heads.0: guesses: must not repeat a token (got ['a', 'a'])"),
        ({"heads": [{"guesses": ["a"], "accuracies": [0.5, 0.1]}]}, "heads.0: accuracies: must be as many as guesses (got 2)"),
        ({"heads": heads(["0.5", "0.1"], ["0.5"])}, "heads: head 2 must have 2 guesses like head 1 (got 1)"),
        ({"heads": heads(*[["0.4", "0.3", "0.2"]] * 6)},
         "heads: the full tree must have at most 400 nodes below the root (got 1092)"),
        ({"n_nodes": 121}, "n_nodes: must be at most the 120 nodes of the full tree (got 121)"),
        ({"n_nodes": 0}, "n_nodes: must be greater than 0 (got 0)"),
    ],
)  # fmt: skip
def test_bad_parameters(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        solved(entry(**changes))
    assert str(refusal.value) == f"generators/courses/utaustin/params.yml: {SLUG}: {message}"
