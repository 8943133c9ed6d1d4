"""Trees and masks: written out by hand, against a naive definition, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from generators.answer import Answer, Part
from generators.cells import Cell
from generators.errors import ParameterError
from generators.pipeline.catalog import entries, find, load_params, load_question
from tests.conftest import worked_out
from tests.entries import Far

SLUG = "hw4_q2_tree_attention"
PREFIX = f"comp4901y/{SLUG}"

MASK_21 = """
    t1   1111111111111
    t2   .11111.......
    t3   ..11.........
    t4   ...1.........
    t5   ....11.......
    t6   .....1.......
    t7   ......1111111
    t8   .......111...
    t9   ........1....
    t10  .........1...
    t11  ..........111
    t12  ...........11
    t13  ............1
"""
MASK_22 = """
    1:t1   111111111111111
    2:t2   .1.11..1111....
    3:t3   ..1..11....1111
    4:t4   ...1...11......
    5:t5   ....1....11....
    6:t4   .....1.....11..
    7:t5   ......1......11
    8:t6   .......1.......
    9:t7   ........1......
    10:t6  .........1.....
    11:t7  ..........1....
    12:t6  ...........1...
    13:t7  ............1..
    14:t6  .............1.
    15:t7  ..............1
"""


def read(picture: str) -> list[tuple[str | int, ...]]:
    """A mask drawn above as rows of a label, ones, and zeros."""
    rows = [line.split() for line in picture.strip().splitlines()]
    return [(label.replace(":", ": "), *(int(mark == "1") for mark in marks)) for label, marks in rows]


def mask(part: Part) -> list[tuple[Cell, ...]]:
    """The rows of a mask, each with its name."""
    return [tuple(row.values()) for row in part["mask"].rows.values()]


def under(part: Part, column: str) -> tuple[Cell, ...]:
    """A column of the tree."""
    return tuple(part["tree"][column].cells.values())


def answered(**changes: Any) -> Answer:
    """The answer to the entry of params.yml with some fields changed."""
    question_id = find(PREFIX)
    question = load_question(question_id)
    answer: Answer = question.solve(load_params(question_id, question, {**entries()[question_id], **changes}))
    return answer


def drafted(candidates: list[list[str]], **conventions: str) -> Part:
    """Part 2.1 for other candidates, in which a token may repeat."""
    return answered(candidates=candidates, conventions={"tokens": "repeatable", **conventions})["2.1"]


def test_tree_of_the_candidates() -> None:
    """Thirteen nodes, numbered depth first in the order in which candidates name them."""
    table = worked_out(PREFIX)[2]["2.1"]
    assert under(table, "token") == tuple(f"t{number}" for number in range(1, 14))
    assert under(table, "parent") == (None, 1, 2, 3, 2, 5, 1, 7, 8, 8, 7, 11, 12)
    assert under(table, "depth") == (0, 1, 2, 3, 2, 3, 1, 2, 3, 3, 2, 3, 4)


def test_mask_of_the_candidates() -> None:
    """A one where the row's token leads to the column's."""
    assert mask(worked_out(PREFIX)[2]["2.1"]) == read(MASK_21)


def test_tree_of_the_heads() -> None:
    """Each head's two guesses under every node of the level above: 1 + 2 + 4 + 8 nodes."""
    table = worked_out(PREFIX)[2]["2.2"]
    assert under(table, "token") == ("t1", "t2", "t3", *("t4", "t5") * 2, *("t6", "t7") * 4)
    assert under(table, "parent") == (None, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)


def test_mask_of_the_heads() -> None:
    """Repeated tokens are told apart by the number of their node."""
    assert mask(worked_out(PREFIX)[2]["2.2"]) == read(MASK_22)


def test_savings() -> None:
    """Tokens and bytes of the tree against candidates run apart, in 32 layers of width 4096 and FP16."""
    first, second = (worked_out(PREFIX)[2][label] for label in ("2.1", "2.2"))
    assert (first["tokens_in_tree"].value, first["tokens_apart"].value) == (13, 21)  # 4 + 4 + 4 + 4 + 5
    assert (second["tokens_in_tree"].value, second["tokens_apart"].value) == (15, 32)  # 8 paths of 4
    assert first["share_saved"].value == Fraction(8, 21)
    assert second["share_saved"].value == Fraction(17, 32)
    assert first["bytes_per_token"].value == 524_288  # 2·32·4096·2
    assert first["bytes_saved"].value == 4_194_304  # 8·524288 = 4 MiB
    assert first["bytes_saved_with_context"].value == 2_151_677_952  # (8 + 4·1024)·524288
    assert second["bytes_saved_with_context"].value == 3_767_009_280  # (17 + 7·1024)·524288


@pytest.mark.parametrize(
    ("candidates", "parents", "ones", "apart"),
    [
        ([["a", "b", "c"]], (None, 1, 2), [(1, 1, 1), (0, 1, 1), (0, 0, 1)], 3),  # a path
        ([["a", "b"], ["c"]], (None, 1, None), [(1, 1, 0), (0, 1, 0), (0, 0, 1)], 3),  # two roots
        ([["a", "b"], ["a"]], (None, 1), [(1, 1), (0, 1)], 3),  # a candidate that starts another is run apart all the same
        ([["a", "b", "a"]], (None, 1, 2), [(1, 1, 1), (0, 1, 1), (0, 0, 1)], 3),  # one token in two places is two nodes
    ],
)
def test_small_trees(candidates: list[list[str]], parents: tuple[Cell, ...], ones: list[tuple[int, ...]], apart: int) -> None:
    """Parents, masks, tokens of the tree and of the candidates apart; rows of queries are the transpose."""
    part, turned = drafted(candidates), drafted(candidates, rows="queries")
    assert under(part, "parent") == parents
    assert [row[1:] for row in mask(part)] == ones
    assert [row[1:] for row in mask(turned)] == list(zip(*ones, strict=True))
    assert (part["tokens_in_tree"].value, part["tokens_apart"].value) == (len(parents), apart)


def test_top_k_prunes_every_head() -> None:
    """With one guess a head the tree is a path."""
    medusa = {"root": "t1", "heads": [["t2", "t3"], ["t4", "t5"]], "top_k": 1}
    assert under(answered(medusa=medusa)["2.2"], "token") == ("t1", "t2", "t4")


MEDUSA = {"root": "t1", "heads": [["t2", "t3"]], "top_k": 2}
MODEL = {"n_layers": 2, "d_model": 4, "context_len": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": []}, "candidates: must have at least 1 item (got [])"),
        ({"candidates": [["a"], []]}, "candidates: sequence 2 must not be empty (got [])"),
        ({"candidates": [["a", "b"], ["c"], ["a", "b"]]}, "candidates: sequence 3 must differ from sequence 1 (got ['a', 'b'])"),
        (
            {"candidates": [["a", *"bcdefghi"[:n]] for n in range(9)] + [["a", str(i)] for i in range(56)]},
            "candidates: the tree must have at most 64 nodes (got 65)",
        ),
        ({"candidates": [[str(i) for i in range(3000)]]}, "candidates: sequence 1 must have at most 64 tokens (got 3000)"),
        (
            {"candidates": [["a", "b"], ["b"]]},
            "candidates: token b must stand in one place while conventions.tokens is unique (got it under a and under the root)",
        ),
        ({"medusa": {**MEDUSA, "heads": []}}, "medusa.heads: must have at least 1 item (got [])"),
        ({"medusa": {**MEDUSA, "heads": [["a", "a"]]}}, "medusa: heads: head 1 must not repeat a guess (got ['a', 'a'])"),
        ({"medusa": {**MEDUSA, "top_k": 3}}, "medusa: heads: head 1 must have at least top_k = 3 guesses (got ['t2', 't3'])"),
        ({"medusa": {**MEDUSA, "heads": [["a", "b"]] * 6}}, "medusa: top_k: the tree must have at most 64 nodes (got 127)"),
        ({"model": {**MODEL, "context_len": -1}}, "model.context_len: must be greater than or equal to 0 (got -1)"),
        ({"conventions": {"rows": "columns"}}, "conventions.rows: must be 'ancestors' or 'queries' (got 'columns')"),
        ({"conventions": {"tokens": True}}, "conventions.tokens: must be 'unique' or 'repeatable' (got True)"),
        ({"conventions": {"bytes_per_element": 3}}, "conventions.bytes_per_element: must be 2 or 4 (got 3)"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    """File, entry, field, rule and value stand on one line."""
    with pytest.raises(ParameterError) as refusal:
        answered(**changes)
    assert str(refusal.value) == f"generators/courses/comp4901y/params.yml: {SLUG}: {message}"


FAR = [
    Far({"conventions": {"rows": "queries"}}, says=("which is shown here",)),
]
