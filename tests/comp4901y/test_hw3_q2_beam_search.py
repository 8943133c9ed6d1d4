"""Tracks worked out by hand, and what bad parameters say."""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import sympy

from generators.cells import Cell
from generators.courses.comp4901y.hw3_q2_beam_search.draw import draw
from generators.oracles.token_tree import decided_steps, search
from generators.question import Whole, overlaid
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

ID = "comp4901y/hw3_q2_beam_search"


entry = partial(entry_of, ID)
solved = partial(solved_entry, ID)


def cells(address: str, *columns: str, of: Any = None) -> list[tuple[Cell, ...]]:
    """Some columns of a table, row by row."""
    rows = (of or worked_out(ID)[2])[address].rows.values()
    return [tuple(row[column] for column in columns) for row in rows]


def test_the_track_of_the_sheet() -> None:
    """Two beams on the sheet's tree, multiplied by hand."""
    assert cells("step_1/candidates", "candidate", "before", "last_token", "score", "rank", "track")[:2] == [
        ("b", 1, Fraction(1, 2), Fraction(1, 2), 1, "kept"),
        ("c", 1, Fraction(3, 10), Fraction(3, 10), 2, "kept"),
    ]
    assert cells("step_2/candidates", "candidate", "score")[:3] == [
        ("c a", Fraction(24, 100)),  # .3 · .8
        ("b c", Fraction(20, 100)),  # .5 · .4
        ("b a", Fraction(15, 100)),  # .5 · .3, as for b b, which stands further right
    ]
    assert cells("2/final", "rank", "sequence", "probability") == [
        (1, "b c a", Fraction("0.12")),  # .5 · .4 · .6
        (2, "c a b", Fraction("0.096")),  # .3 · .8 · .4
    ]


def test_the_best_sequence_needs_three_beams() -> None:
    """The likeliest of all is a b a, but a is third at the first step."""
    answer = worked_out(ID)[2]
    assert answer["comparison/smallest_width"].value == 3
    assert answer["comparison/sequences"].value == 27  # 3³
    assert answer["comparison/nodes"].value == 39  # 3 + 9 + 27
    columns = ("search", "sequence", "probability", "rank_among_all", "share_of_the_best", "best_pruned_at_step")
    assert cells("comparison/searches", *columns) == [
        ("greedy search", "b c a", Fraction(12, 100), 2, Fraction(375, 4), 1),  # 12 / .128
        ("2 beams", "b c a", Fraction(12, 100), 2, Fraction(375, 4), 1),
        ("exhaustive search", "a b a", Fraction(128, 1000), 1, 100, None),  # .2 · .8 · .8
    ]
    assert cells("comparison/widths", "candidates_scored") == [(9,), (15,), (21,)]  # 3+3+3, 3+6+6, 3+9+9


def test_the_fate_of_every_node_is_drawn() -> None:
    fates = [fate for (fate,) in cells("2/tree", "track")]
    assert {fate: fates.count(fate) for fate in fates} == {
        "not scored": 39 - 15,  # 3 + 9 + 27 nodes
        "kept": 4,
        "pruned": 1 + 4 + 4,
        "final": 2,
    }


def test_a_sum_of_logs_keeps_the_same_sequences() -> None:
    answer = solved(entry(conventions={"scoring": "sum of logs", "ties": "first"}))
    assert cells("2/final", "rank", "sequence", "probability", "sum_of_logs", of=answer) == [
        (1, "b c a", Fraction(3, 25), sympy.log(sympy.Rational(3, 25))),
        (2, "c a b", Fraction(12, 125), sympy.log(sympy.Rational(12, 125))),
    ]


@pytest.mark.parametrize(("ties", "kept"), [("first", "b a"), ("last", "b b")])
def test_a_tie_at_the_cut_goes_by_the_stated_rule(ties: str, kept: str) -> None:
    """With four beams b a and b b, both .5 · .3, compete for the fourth place of step 2."""
    answer = solved(entry(num_beams=4, conventions={"scoring": "product", "ties": ties}))
    assert [name for name, track in cells("step_2/candidates", "candidate", "track", of=answer) if track == "kept"][-1] == kept


def entry_with(change: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The entry with a mapping laid over it."""
    return overlaid(entry(), {**change, **more})


def two(gap: str) -> dict[str, Any]:
    """Two tokens that are nearly as likely: one half less and more a gap."""
    return {"tree": Whole(a=str(Fraction(1, 2) - Fraction(gap)), b=str(Fraction(1, 2) + Fraction(gap))), "num_beams": 1}


def test_candidates_too_close_for_float32_are_told_apart_by_enumeration() -> None:
    """Hugging Face's generate, which adds in float32, may keep the other one."""
    for gap in ("1e-7", "1e-30"):
        assert cells("2/final", "sequence", of=solved(entry(**two(gap)))) == [("b",)]


ENDING = {
    "a": {"p": 0.5, "next": {"a": {"p": 0.8, "next": {"b": "1/4", "a": "3/4"}}, "b": 0.2}},
    "b": {"p": 0.1, "next": {"</s>": 1}},
    "</s>": {"p": 0.4},
}
STAYS = {"tree": Whole(ENDING), "num_beams": 2, "conventions": {"ended": "stays"}}


def test_a_sequence_that_has_ended_competes_with_longer_ones() -> None:
    """</s> ends at step 1 with .4, and is second at step 2 behind a a, .5 · .8; a a a, .4 · .75, ends below it."""
    answer = solved(entry_with(STAYS))
    columns = ("candidate", "before", "last_token", "score", "track")
    assert cells("step_2/candidates", *columns, of=answer) == [
        ("a a", Fraction(1, 2), Fraction(4, 5), Fraction(2, 5), "kept"),  # .4 as well, and further left
        ("</s>", None, None, Fraction(2, 5), "kept"),
        ("a b", Fraction(1, 2), Fraction(1, 5), Fraction(1, 10), "pruned"),
    ]
    assert cells("2/final", "sequence", "probability", of=answer) == [("</s>", Fraction(2, 5)), ("a a a", Fraction(3, 10))]
    assert answer["comparison/candidates_scored"].value == 3 + 2 + 2  # </s> is scored once
    greedy = cells("comparison/searches", "sequence", "rank_among_all", "best_pruned_at_step", of=answer)[0]
    assert greedy == ("a a a", 2, 1)


def test_a_sequence_that_has_ended_may_be_pruned_later() -> None:
    """At step 2 stand a a and a b with .6 · .5 each: .35 is better, .25 is third of two beams."""
    for ended, other, fate in (("0.35", "0.05", "final"), ("0.25", "0.15", "pruned")):
        tree = Whole({"a": {"p": 0.6, "next": {"a": 0.5, "b": 0.5}}, "</s>": ended, "b": {"p": other, "next": {"a": 1}}})
        answer = solved(entry_with(STAYS, tree=tree))
        assert cells("2/tree", "token", "track", of=answer)[3] == ("</s>", fate)


def test_a_probability_of_zero_is_kept_only_where_nothing_else_is_left() -> None:
    answer = solved(
        entry_with({"tree": Whole(a={"p": 0, "next": {"a": 0, "b": 1}}, b={"p": 1, "next": {"a": "1/3", "b": "2/3"}})})
    )
    assert cells("2/final", "sequence", "probability", of=answer) == [("b b", Fraction(2, 3)), ("b a", Fraction(1, 3))]
    answer = solved(entry_with({"tree": Whole(a=0, b=1), "num_beams": 2}))
    assert cells("2/final", "sequence", "probability", of=answer) == [("b", 1), ("a", 0)]


LONG = "antidisestablish"
LEVEL = {token: {"p": "1/2", "next": {LONG: "1/4", "b": "3/4"}} for token in (LONG, "b")}


def flat(leaves: int) -> Whole:
    """A tree of one level."""
    return Whole({f"t{n}": f"1/{leaves}" for n in range(leaves)})


CHAIN: dict[str, Any] = {"a": 1}
for _ in range(7):
    CHAIN = {"a": {"p": 1, "next": CHAIN}}
FAR = [
    Far({"num_beams": 1}, ("the best is kept.", "Beam search with 1 beam"), ("With 1 beams",)),
    Far({"num_beams": 3}, ("With 3 beams a most likely sequence is found.",), ("is pruned at step",)),
    Far({"num_beams": 4, "conventions": {"ties": "last"}}, ("that stands last in the tree", "all where there are fewer")),
    Far({"num_beams": 27}, ("scores 39 of 39 nodes",)),
    Far(
        {"conventions": {"scoring": "sum of logs"}},
        ("sum of the log", "| Log-probability of last token |"),
        ("is the product",),
        ["comparison/smallest_width"],
    ),
    Far(
        {"tree": Whole(a=1), "num_beams": 1}, ("Every sequence of 1 token", "search scores 1 sequence.", "scores 1 of 1 node in")
    ),
    Far({"tree": Whole(CHAIN), "num_beams": 1}, ("Every sequence of 8 tokens", "It takes at least 1 beam to find")),
    Far({"tree": Whole(LEVEL), "num_beams": 2}, ("a path in the tree",), ("down the tree",)),
    Far(two("1e-7"), ("With 1 beam a most likely sequence is found.",)),
    Far(
        STAYS,
        ("holds sequences of at most 3 tokens", "has ended is a candidate again", "Level 1 keeps a, </s>", "scores 7 of 8 nodes"),
        ("Every sequence of",),
    ),
    Far(
        {
            "tree": Whole(a={"p": 0.5, "next": {"b": 0.25}}, b={"p": 0.25, "next": {"a": 1}}),
            "num_beams": 1,
            "vocabulary": ["a", "b", "c"],
        },
        ("the vocabulary a, b, c. Each is a path", "branches that are left out take no part", "that the tree holds after it"),
        ("has ended", "Level"),
    ),
    Far(
        {"tree": Whole(a=0, b="1/3", c="2/3"), "num_beams": 3}, ("With 3 beams a most likely sequence is found.",), ("left out",)
    ),
    Far({"tree": flat(32), "num_beams": 8}, ("search scores 32 sequences.",)),
    Far({"tree": Whole(x="1/3", y="2/3"), "num_beams": 2}, ("search scores 2 sequences.",)),
]


@pytest.mark.parametrize(("leaves", "wide", "tall"), [(2, "down", ""), (20, "down", "across"), (32, "across", "")])
def test_a_tree_too_wide_for_a_phone_has_a_tall_twin(leaves: int, wide: str, tall: str) -> None:
    """It grows to the right there, as a tree too wide for a page does everywhere."""
    figure = draw(solved(entry(tree=flat(leaves), num_beams=1)))["track"]
    assert (grows(figure.svg), figure.tall and grows(figure.tall)) == (wide, tall)


def grows(svg: str) -> str:
    """Down where the leaves, of one level, stand at one height."""
    return "down" if len(set(re.findall(r'y="([-.0-9]+)"[^>]*>t', svg))) == 1 else "across"


@pytest.mark.parametrize(("gap", "decided"), [("1/100", 1), ("1/10000000", 0), ("0", 0)])
def test_a_close_cut_is_not_left_to_float32(gap: str, decided: int) -> None:
    scores: dict[tuple[str, ...], Fraction] = {("a",): Fraction(-1), ("b",): Fraction(-1) - Fraction(gap)}
    assert decided_steps(scores, search(scores, 1, "first")) == decided


SUM = "probabilities must sum to 1, with a third written as 1/3"
SOME = "probabilities, of which some are left out, must sum to at most 1 and more than 0"


def levels(count: int) -> dict[str, Any]:
    """Levels that share their branches, as YAML aliases make them: 30 have 2³⁰ sequences, and are refused at once."""
    level: dict[str, Any] = {"a": 0.5, "b": 0.5}
    for _ in range(count):
        level = {"a": {"p": 0.5, "next": level}, "b": {"p": 0.5, "next": level}}
    return level


REFUSED = [
    ({"tree": {"a": {"p": 0.3}}}, f"tree: at the root the {SUM} (got 1.1)"),
    ({"tree": {"b": {"next": {"c": {"next": {"a": 0.6000001}}}}}}, f"tree: after 'b c' the {SUM} (got 1.0000001)"),
    ({"tree": {"c": {"next": {"c": {"next": {"a": 0.333, "b": 0.333, "c": 0.333}}}}}},
     f"tree: after 'c c' the {SUM} (got 0.999)"),
    ({"tree": {"c": {"next": {"a": {"next": {"b": -0.4}}}}}},
     "tree.c.next.a.next.b.p: must be greater than or equal to 0 (got -0.4)"),
    ({"tree": {"a": {"p": "many"}}}, "tree.a.p: must be a finite number (got 'many')"),
    ({"tree": {"a": {"next": Whole()}}}, "conventions.ended: must be given, as stays, where sequences of the tree have different "
     "lengths (got 1 and 3 tokens)"),
    ({"tree": {"a": {"next": {"b": {"next": Whole(a=0.8, b=0.4)}}}}}, f"tree: after 'a b' the {SOME} (got 1.2)"),
    ({"tree": {"a": {"next": {"b": {"next": Whole(a=0)}}}}}, f"tree: after 'a b' the {SOME} (got 0)"),
    ({"tree": Whole(a=0, b=1), "num_beams": 1, "conventions": {"scoring": "sum of logs"}},
     "conventions.scoring: must be product where a probability is 0, which has no log (got sum of logs)"),
    ({"vocabulary": ["a", "b"]}, "vocabulary: must hold every token of the tree, a, b, c (got ['a', 'b'])"),
    ({"num_beams": 0}, "num_beams: must be greater than 0 (got 0)"),
    ({"num_beams": 28}, "num_beams: must be at most the 27 sequences of the tree (got 28)"),
    ({"tree": Whole(levels(30))}, "tree: must have at most 128 tokens (got more)"),
    ({"tree": Whole((str(number), 0.025) for number in range(40)), "num_beams": 1},
     "tree: must have at most 32 sequences to be enumerated and drawn (got 40)"),
]  # fmt: skip
