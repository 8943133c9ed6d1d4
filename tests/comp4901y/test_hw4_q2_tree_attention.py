"""Trees and masks: written out by hand, against a naive definition, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generators.answer import Answer, Part
from generators.cells import Cell
from generators.courses.comp4901y.hw4_q2_tree_attention.params import TreeParams
from generators.errors import ParameterError
from generators.pipeline.catalog import entries, find, load_params, load_question
from tests.conftest import worked_out

SLUG = "hw4_q2_tree_attention"
PREFIX = f"comp4901y/{SLUG}"
MESSAGE = f"generators/courses/comp4901y/params.yml: {SLUG}: "

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


def cells(part: Part, table: str = "mask") -> list[tuple[Cell, ...]]:
    """The rows of a table."""
    return [tuple(row.values()) for row in part[table].rows.values()]


def ones(part: Part) -> list[tuple[Cell, ...]]:
    """The rows of a mask without their names."""
    return [row[1:] for row in cells(part)]


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
    assert cells(worked_out(PREFIX)[2]["2.1"]) == read(MASK_21)


def test_tree_of_the_heads() -> None:
    """Each head's two guesses under every node of the level above: 1 + 2 + 4 + 8 nodes."""
    table = worked_out(PREFIX)[2]["2.2"]
    assert under(table, "token") == ("t1", "t2", "t3", *("t4", "t5") * 2, *("t6", "t7") * 4)
    assert under(table, "parent") == (None, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)


def test_mask_of_the_heads() -> None:
    """Repeated tokens are told apart by the number of their node."""
    assert cells(worked_out(PREFIX)[2]["2.2"]) == read(MASK_22)


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


def test_one_candidate_saves_nothing() -> None:
    """A tree that is a single path has a full upper triangle."""
    part = drafted([["a", "b", "c"]])
    assert ones(part) == [(1, 1, 1), (0, 1, 1), (0, 0, 1)]
    assert part["share_saved"].value == 0
    assert part["bytes_saved_with_context"].value == 0


def test_candidates_without_a_common_start() -> None:
    """Several roots: no token sees another candidate's."""
    part = drafted([["a", "b"], ["c"]])
    assert under(part, "parent") == (None, 1, None)
    assert ones(part) == [(1, 1, 0), (0, 1, 0), (0, 0, 1)]


def test_a_candidate_may_be_the_start_of_another() -> None:
    """It adds no node of its own, but would be run apart."""
    part = drafted([["a", "b"], ["a"]])
    assert part["tokens_in_tree"].value == 2
    assert part["tokens_apart"].value == 3


def test_rows_of_queries_are_the_transpose() -> None:
    """The convention turns the mask and nothing else."""
    ancestors, queries = drafted([["a", "b"], ["a", "c"]]), drafted([["a", "b"], ["a", "c"]], rows="queries")
    assert ones(queries) == [(1, 0, 0), (1, 1, 0), (1, 0, 1)]
    assert list(zip(*ones(ancestors), strict=True)) == ones(queries)
    assert ancestors["tree"] == queries["tree"]


def test_top_k_prunes_every_head() -> None:
    """With one guess a head the tree is a path."""
    medusa = {"root": "t1", "heads": [["t2", "t3"], ["t4", "t5"]], "top_k": 1}
    assert under(answered(medusa=medusa)["2.2"], "token") == ("t1", "t2", "t4")


def test_a_token_may_repeat_where_the_convention_allows_it() -> None:
    """The same token under two parents is two nodes."""
    part = drafted([["the", "cat", "the"], ["a", "cat"]])
    assert under(part, "token") == ("the", "cat", "the", "a", "cat")
    assert tuple(part["mask"]["token"].cells.values()) == ("1: the", "2: cat", "3: the", "4: a", "5: cat")


def paths(part: Part) -> list[tuple[str, ...]]:
    """Each node's tokens from its root down, by following parents in the published table."""
    found: list[tuple[str, ...]] = []
    for _, token, parent, _ in cells(part, "tree"):
        above = () if parent is None else found[int(str(parent)) - 1]
        found.append((*above, str(token)))
    return found


CANDIDATES = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(tuple), min_size=1, max_size=6, unique=True)


@settings(max_examples=60, deadline=None)
@given(candidates=CANDIDATES)
def test_a_tree_holds_every_prefix_once(candidates: list[tuple[str, ...]]) -> None:
    """Nodes are the distinct prefixes; each stands after its parent, and a subtree stands together."""
    part = drafted([list(candidate) for candidate in candidates])
    nodes = paths(part)
    assert sorted(nodes) == sorted({one[:end] for one in candidates for end in range(1, len(one) + 1)})
    for start, above in enumerate(nodes):
        below = [i for i, node in enumerate(nodes) if node[: len(above)] == above]
        assert below == list(range(start, start + len(below)))
    assert part["tokens_in_tree"].value == len(nodes)
    assert part["tokens_apart"].value == sum(map(len, candidates))


@settings(max_examples=60, deadline=None)
@given(candidates=CANDIDATES)
def test_a_mask_is_ancestry(candidates: list[tuple[str, ...]]) -> None:
    """One exactly where the row's path starts the column's; nothing below the diagonal."""
    part = drafted([list(candidate) for candidate in candidates])
    nodes = paths(part)
    for i, row in enumerate(cells(part)):
        assert row[1:] == tuple(int(column[: len(nodes[i])] == nodes[i]) for column in nodes)
        assert not any(row[1 : i + 1])


@settings(max_examples=30, deadline=None)
@given(heads=st.integers(1, 4), guesses=st.integers(1, 3), data=st.data())
def test_a_tree_of_heads_holds_every_combination(heads: int, guesses: int, data: st.DataObject) -> None:
    """Level d holds every choice of one used guess from each of the first d heads, and levels stand in order."""
    top_k = data.draw(st.integers(1, guesses))
    assume(sum(top_k**depth for depth in range(heads + 1)) <= 64)
    medusa = {"root": "r", "heads": [[f"{head}{guess}" for guess in range(guesses)] for head in range(heads)], "top_k": top_k}
    part = answered(medusa=medusa)["2.2"]
    level: list[tuple[str, ...]] = [("r",)]
    expected = list(level)
    for head in range(heads):
        level = [(*above, f"{head}{guess}") for above in level for guess in range(top_k)]
        expected += level
    assert paths(part) == expected
    assert part["candidates"].value == top_k**heads
    assert part["tokens_apart"].value == top_k**heads * (heads + 1)


MEDUSA = {"root": "t1", "heads": [["t2", "t3"]], "top_k": 2}
MODEL = {"n_layers": 2, "d_model": 4, "context_len": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": []}, "candidates: list should have at least 1 item after validation, not 0 (got [])"),
        ({"candidates": "t1 t2"}, "candidates: must be a valid list (got 't1 t2')"),
        ({"candidates": [["a"], []]}, "candidates: sequence 2 must not be empty (got [])"),
        ({"candidates": [["a", "b"], ["c"], ["a", "b"]]}, "candidates: sequence 3 must differ from sequence 1 (got ['a', 'b'])"),
        ({"candidates": [["a", 2]]}, "candidates.0.1: must be a valid string (got 2)"),
        ({"candidates": [["a", ""]]}, "candidates.0.1: string should have at least 1 character (got '')"),
        (
            {"candidates": [["a", *"bcdefghi"[:n]] for n in range(9)] + [["a", str(i)] for i in range(56)]},
            "candidates: the tree must have at most 64 nodes (got 65)",
        ),
        ({"candidates": [[str(i) for i in range(3000)]]}, "candidates: sequence 1 must have at most 64 tokens (got 3000)"),
        (
            {"candidates": [["a", "b", "x"], ["a", "c", "x"]]},
            "candidates: token x must stand in one place while conventions.tokens is unique (got it under b and under c)",
        ),
        (
            {"candidates": [["a", "b"], ["b"]]},
            "candidates: token b must stand in one place while conventions.tokens is unique (got it under a and under the root)",
        ),
        ({"medusa": {**MEDUSA, "heads": []}}, "medusa.heads: list should have at least 1 item after validation, not 0 (got [])"),
        ({"medusa": {**MEDUSA, "heads": [["a", "a"]]}}, "medusa: heads: head 1 must not repeat a guess (got ['a', 'a'])"),
        ({"medusa": {**MEDUSA, "top_k": 3}}, "medusa: heads: head 1 must have at least top_k = 3 guesses (got ['t2', 't3'])"),
        ({"medusa": {**MEDUSA, "top_k": 0}}, "medusa.top_k: must be greater than 0 (got 0)"),
        ({"medusa": {**MEDUSA, "heads": [["a", "b"]] * 6}}, "medusa: top_k: the tree must have at most 64 nodes (got 127)"),
        ({"medusa": {**MEDUSA, "root": None}}, "medusa.root: must be a valid string (got None)"),
        ({"medusa": {"root": "a", "heads": [["b"]]}}, "medusa.top_k: is required, but missing"),
        ({"model": {**MODEL, "context_len": -1}}, "model.context_len: must be greater than or equal to 0 (got -1)"),
        ({"model": {**MODEL, "n_layers": 0}}, "model.n_layers: must be greater than 0 (got 0)"),
        ({"model": {**MODEL, "d_model": 2.0}}, "model.d_model: must be a valid integer (got 2.0)"),
        ({"model": {**MODEL, "heads": 2}}, "model.heads: is not a known key (got 2)"),
        ({"conventions": {"rows": "columns"}}, "conventions.rows: must be 'ancestors' or 'queries' (got 'columns')"),
        ({"conventions": {"tokens": True}}, "conventions.tokens: must be 'unique' or 'repeatable' (got True)"),
        ({"conventions": {"bytes_per_element": 3}}, "conventions.bytes_per_element: must be 2 or 4 (got 3)"),
        ({"depth": 3}, "depth: is not a known key (got 3)"),
    ],
)
def test_a_bad_parameter_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    """File, entry, field, rule and value stand on one line."""
    with pytest.raises(ParameterError) as refusal:
        answered(**changes)
    assert str(refusal.value) == MESSAGE + message


@pytest.mark.parametrize("field", ["candidates", "medusa", "model"])
def test_a_missing_key_is_named(field: str) -> None:
    """Nothing but the conventions has a default."""
    question_id = find(PREFIX)
    entry = {name: value for name, value in entries()[question_id].items() if name != field}
    with pytest.raises(ParameterError) as refusal:
        load_params(question_id, load_question(question_id), entry)
    assert str(refusal.value) == f"{MESSAGE}{field}: is required, but missing"


def test_conventions_may_be_left_out() -> None:
    """Their defaults are the sheet's."""
    assert TreeParams.model_fields["conventions"].get_default().rows == "ancestors"
    question_id = find(PREFIX)
    entry = {name: value for name, value in entries()[question_id].items() if name != "conventions"}
    params = load_params(question_id, load_question(question_id), entry)
    assert load_question(question_id).solve(params) == worked_out(PREFIX)[2]
