"""Trees and masks: written out by hand, against a naive definition, and every rule of the parameters."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest

from generators.answer import Part
from generators.pipeline.unit import Task
from generators.question import Whole, overlaid
from tests.conftest import worked_out
from tests.entries import ENTRIES, Far, composed_entry, id_of

SLUG = "hw4_q2_tree_attention"
PREFIX = f"comp4901y/{SLUG}"

MASK_21 = """
    1111111111111
    .11111.......
    ..11.........
    ...1.........
    ....11.......
    .....1.......
    ......1111111
    .......111...
    ........1....
    .........1...
    ..........111
    ...........11
    ............1
"""
MASK_22 = """
    111111111111111
    .1.11..1111....
    ..1..11....1111
    ...1...11......
    ....1....11....
    .....1.....11..
    ......1......11
    .......1.......
    ........1......
    .........1.....
    ..........1....
    ...........1...
    ............1..
    .............1.
    ..............1
"""


def read(picture: str) -> list[tuple[int, ...]]:
    """A mask drawn above as rows of ones and zeros."""
    return [tuple(int(mark == "1") for mark in line) for line in picture.split()]


def mask(part: Part) -> list[tuple[Any, ...]]:
    """The rows of a mask."""
    return [tuple(row.values()) for row in part["mask"].rows.values()]


def under(part: Part, column: str) -> tuple[Any, ...]:
    """A column of the tree."""
    return tuple(part["tree"][column].cells.values())


def part_of(label: str, **changes: Any) -> Part:
    """A part of the answer to the entry of params.yml with some fields changed."""
    part: Part = Task.at(id_of(PREFIX), overlaid(ENTRIES[id_of(PREFIX)], changes)).answer[label]
    return part


def medusa(heads: list[list[str]], **more: Any) -> Whole:
    """Medusa heads behind the token t1."""
    return Whole({"root": "t1", "heads": heads, **more})


def test_tree_and_mask_of_the_candidates() -> None:
    """Thirteen nodes, numbered depth first in the order in which candidates name them."""
    part = worked_out(PREFIX)[2]["2.1"]
    assert under(part, "token") == tuple(f"t{number}" for number in range(1, 14))
    assert under(part, "parent") == (None, 1, 2, 3, 2, 5, 1, 7, 8, 8, 7, 11, 12)
    assert mask(part) == read(MASK_21)
    assert part["share_saved"].value == Fraction(8, 21)  # 13 tokens instead of 4 + 4 + 4 + 4 + 5


def test_tree_and_mask_of_the_heads() -> None:
    """Each head's two guesses under every node of the level above: 1 + 2 + 4 + 8 nodes."""
    part = worked_out(PREFIX)[2]["2.2"]
    assert under(part, "token") == ("t1", "t2", "t3", *("t4", "t5") * 2, *("t6", "t7") * 4)
    assert under(part, "parent") == (None, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
    assert mask(part) == read(MASK_22)
    assert part["share_saved"].value == Fraction(17, 32)  # 15 tokens instead of 8 paths of 4


@pytest.mark.parametrize(
    ("candidates", "parents", "ones", "alone"),
    [
        ([["a", "b", "c"]], (None, 1, 2), [(1, 1, 1), (0, 1, 1), (0, 0, 1)], 3),  # a path
        ([["a", "b"], ["c"]], (None, 1, None), [(1, 1, 0), (0, 1, 0), (0, 0, 1)], 3),  # two roots
        ([["a"], ["a", "b"], ["a", "b", "c"]], (None, 1, 2), [(1, 1, 1), (0, 1, 1), (0, 0, 1)], 3),  # the longest is enough
        ([["a", "b", "a"]], (None, 1, 2), [(1, 1, 1), (0, 1, 1), (0, 0, 1)], 3),  # one token in two places is two nodes
    ],
)
def test_small_trees(candidates: list[list[str]], parents: tuple[Any, ...], ones: list[tuple[int, ...]], alone: int) -> None:
    """Parents, masks, tokens of the tree and of its leaves alone; rows of queries are the transpose."""
    part = part_of("2.1", candidates=candidates, conventions={"tokens": "repeatable"})
    turned = part_of("2.1", candidates=candidates, conventions={"tokens": "repeatable", "rows": "queries"})
    assert under(part, "parent") == parents
    assert mask(part) == list(zip(*mask(turned), strict=True)) == ones
    assert (part["tokens_in_tree"].value, part["tokens_alone"].value) == (len(parents), alone)


@pytest.mark.parametrize(
    ("changed", "tokens", "parents"),
    [
        (medusa([["a", "b"], ["c", "d"]], top_k=1), ("t1", "a", "c"), (None, 1, 2)),
        (medusa([["a", "b"], ["c"]]), ("t1", "a", "b", "c", "c"), (None, 1, 1, 2, 3)),  # heads of different sizes
        (medusa([["a", "b"], ["c", "d"]], choices=[[1, 1], [0], [1]]), ("t1", "a", "b", "d"), (None, 1, 1, 3)),
    ],
)
def test_other_heads(changed: Whole, tokens: tuple[str, ...], parents: tuple[Any, ...]) -> None:
    """One guess of each head, all guesses, and some combinations."""
    part = part_of("2.2", medusa=changed)
    assert (under(part, "token"), under(part, "parent")) == (tokens, parents)


REFUSED = [
    ({"candidates": [["a"], []]}, "candidates: sequence 2 must not be empty (got [])"),
    ({"candidates": [["a", "b"], ["c"], ["a", "b"]]}, "candidates: sequence 3 must differ from sequence 1 (got ['a', 'b'])"),
    ({"candidates": [["a", str(i)] for i in range(64)]}, "candidates: the tree must have at most 64 nodes (got 65)"),
    ({"candidates": [[str(i) for i in range(3000)]]}, "candidates: sequence 1 must have at most 64 tokens (got 3000)"),
    (
        {"candidates": [["a", "b"], ["b"]]},
        "candidates: token b must stand in one place while conventions.tokens is unique (got it under a and under the root)",
    ),
    ({"medusa": medusa([["a", "a"]])}, "medusa: heads: head 1 must not repeat a guess (got ['a', 'a'])"),
    ({"medusa": medusa([["a"]], top_k=2)}, "medusa: heads: head 1 must have at least top_k = 2 guesses (got ['a'])"),
    ({"medusa": medusa([["a", "b"]] * 6)}, "medusa: the tree must have at most 64 nodes (got 127)"),
    ({"medusa": medusa([["a"]], top_k=1, choices=[[0]])}, "medusa: choices: must not stand beside top_k (got top_k: 1)"),
    (
        {"medusa": medusa([["a"]], choices=[[5]])},
        "medusa: choices: [5] must name a guess, from 0, of each head from the first on (got [5])",
    ),
    ({"medusa": medusa([["a"]], choices=[[0], [0]])}, "medusa: choices: must not repeat [0] (got it twice)"),
    (
        {"medusa": medusa([["a"], ["b"]], choices=[[0, 0]])},
        "medusa: choices: must hold [0], under which [0, 0] stands (got [[0, 0]])",
    ),
]


ALL, SOME = "stands under every node", "Only these combinations of guesses are used"
REPEATABLE = {"tokens": "repeatable"}

FAR = [
    Far({"conventions": {"rows": "queries"}}, ("the transpose of the one shown here",), ("asks for an upper triangular mask",)),
    Far(
        {"candidates": [["t1"]], "medusa": medusa([["a"]])},
        ("has 1 candidate of", "1 Medusa head", "the 1 path to leaves, run alone, reads"),
    ),
    Far({"candidates": [["a"], ["a", "b"], ["a", "b", "c"]]}, ("The share saved is",), ("timed on a GPU",)),
    Far({"candidates": [["the", "cat", "sat"], ["the", "dog", "ran"]]}, ("2 candidates", "1 (the) has 2 (cat) and 4 (dog)")),
    Far({"candidates": [["the", "end"], ["a", "story about nothing that goes on and on, and then on"], ["an", "antitoxin"]]}),
    Far({"candidates": [["a", "b"], ["c", "b"]], "conventions": REPEATABLE}, ("only behind another prefix",), ("in it once",)),
    Far({"candidates": [["s", g] for g in map(str, range(63))]}, ("63 candidates",)),  # as many leaves as fit
    Far({"candidates": [[str(i) for i in range(64)]]}, ("1 candidate of",)),  # as deep as fits
    Far({"medusa": medusa([["a", "b", "c"], ["d", "e"]])}, ("2 Medusa heads", ALL), (SOME, "3 Medusa heads", "timed on")),
    Far({"medusa": medusa([["x", "y"]] * 5)}, ("5 Medusa heads",)),  # 63 nodes of two tokens
    Far(
        {"medusa": medusa([list("abcdefghi")] * 4, choices=[[0], [1], [0, 0], [0, 8]])},
        (SOME, "[0], [1], [0, 0], [0, 8]"),
        (ALL,),
    ),
]


@pytest.mark.parametrize("case", FAR)
def test_pictures_fit_on_a_page(case: Far) -> None:
    """A tree too wide becomes an outline, a mask too wide has small squares: 16.6 cm between the margins are 470.6 pt."""
    made = composed_entry(PREFIX, overlaid(ENTRIES[id_of(PREFIX)], case.change))
    widths = {name: float(re.findall(r'width="([\d.]+)pt"', svg)[0]) for name, svg in made.items() if name != "site"}
    assert {"tree_2.1", "tree_2.2", "mask_2.1", "mask_2.2"} == widths.keys()
    assert max(widths.values()) < 471
