"""Counts and tracks worked out by hand, and what bad parameters say."""

from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from generators.cells import Cell
from generators.courses.ift6135.a2_q2_decoding.solve import B, N, T
from generators.question import Whole, overlaid
from generators.topics.growth import ORDER
from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

ID = "ift6135/a2_q2_decoding"
entry = partial(entry_of, ID)
solved = partial(solved_entry, ID)
SMALL = {"vocabulary_size": 10, "length": 3, "beam_width": 1, "sequences_per_second": 1}
ONES = {"vocabulary_size": 3, "length": 1, "beam_width": 1, "sequences_per_second": 1}
EVEN = {"log_p": "-1", "next": {"x": "-1", "y": "-1"}}
DEEP = Whole(a={"log_p": "-1/3", "next": {"b": {"log_p": 0, "next": {"c": {"log_p": 0, "next": {"d": "-2"}}}}}})
ENDING = {
    "tree": Whole(a={"log_p": -1, "next": {"</s>": -1.5, "b": {"log_p": -0.5, "next": {"</s>": -0.75}}}}, **{"</s>": -2}),
    "conventions": {"ended": "stays"},
}
FAR = [
    Far(ENDING, ["A sequence that has ended is a candidate again", "\\mathbf{w}^{(b)}", "Level 1 keeps a, </s>"], ["2021"]),
    Far({"sizes": SMALL}, ["Feasible only for", "1000\\ \\text{s}", "numbers, here $19$"], ["Not feasible."]),
    Far({"sizes": ONES, "tree": Whole(a="-1"), "beam_width": 1}, ["numbers, here $8$", "Beam search with 1 beam"], ["2021"]),
    Far({"sizes": {"vocabulary_size": 10, "length": 20}}, ["Not feasible.", "1\\,048\\,576"], ["Feasible only"]),
    Far({"sizes": {"vocabulary_size": 3, "length": 600}}, ["Not feasible."]),
    Far({"sizes": {"length": 1, "beam_width": 10**6}}, ["Feasible only", "numbers, here $50\\,262\\,000\\,000$"]),
    Far(
        {"beam_width": 1},
        ["1 beam drops it at step 2"],
        ["starts with 0", "The best of the"],
        ["2.4a/log_likelihood"],
    ),
    Far({"beam_width": 8}, ["8 beams happen to find"], ["are the fewest"], ["2.4a/log_likelihood", "2.5/smallest_width"]),
    Far({"beam_width": 3}, ["it is the one that stands first"]),
    Far({"beam_width": 3, "conventions": {"ties": "last"}}, ["it is the one that stands last"]),
    Far({"tree": Whole(a=EVEN, b=EVEN), "beam_width": 1}, ["greedy decoding, beam search", "1 beam happens"], ["2021", "drops"]),
    Far({"tree": DEEP, "beam_width": 1}, ["a b c d", "1 beam happens to find"], ["2021", "one of two equal candidates"]),
    Far({"conventions": {"bos": "start only"}}, ["words besides", "could appear again"], ["could not"], ["2.4a/log_likelihood"]),
    Far({"tree": Whole(a={"log_p": -0.7, "next": {"x": -5}}, b={"log_p": -0.8, "next": {"x": 0}})}, silent=["The best of the"]),
]


def cells(address: str, *columns: str, of: Any = None) -> list[tuple[Cell, ...]]:
    """Some columns of a table, row by row."""
    rows = (of or worked_out(ID)[2])[address].rows.values()
    return [tuple(row[column] for column in columns) for row in rows]


def test_every_later_position_takes_any_word() -> None:
    answer = worked_out(ID)[2]
    assert str(answer["2.1/sequences"].formula) == "N**T"
    assert answer["2.1/other_reading"].value == 50256**20
    assert answer["2.2/doubling"].value == 2**20


def test_the_other_reading_of_the_start_token_can_be_chosen() -> None:
    answer = solved(entry(conventions={"bos": "start only", "ties": "first"}))
    assert answer["2.1/sequences"].value == 50256**20
    assert answer["2.2/doubling"].value == Fraction(2 * 50257 - 1, 50256) ** 20


def test_enumeration_at_a_rate() -> None:
    answer = solved(entry(sizes={"vocabulary_size": 10, "length": 20, "beam_width": 1, "sequences_per_second": 10**9}))
    assert answer["2.2/seconds"].value == 10**11  # 10²⁰ / 10⁹
    assert answer["2.2/years"].value == Fraction(10**11, 31_557_600)  # 365.25 · 86 400 s


def test_every_line_at_small_sizes() -> None:
    """T = 2, B = 3, N = 4, so 12 scores a step."""
    answer = solved(entry(sizes={"vocabulary_size": 4, "length": 2, "beam_width": 3, "sequences_per_second": 1}))
    assert cells("2.3/lines", "example", of=answer) == [
        (6,),  # 2 · 3
        (24,),  # 2 · 3 · 4
        (60,),  # 2 · (11 + 10 + 9)
        (18,),  # 2 · 3 · (1 + 2)
        (12,),  # 2 · 3 · 2
    ]
    assert answer["2.3/held"].value == 33  # 12 scores, 3 · 3 words, 3 · 2 saved, 2 · 3 log-likelihoods


def test_the_orders_of_growth() -> None:
    """Comparisons, beside the copies of the prefixes; scores and what is copied at once."""
    answer = worked_out(ID)[2]
    assert answer["2.3/time"].value == ORDER(B**2 * N * T + B * T**2)
    assert answer["2.3/space"].value == ORDER(B * N + B * T)


def test_greedy_decoding() -> None:
    answer = worked_out(ID)[2]
    assert answer["2.4a/sequence"].value == "the red rectangle"
    assert answer["2.4a/log_likelihood"].value == Fraction(-91, 10)  # -1.5 - 3.1 - 4.5


def test_beam_search_with_two_beams() -> None:
    assert cells("2.4b/candidates", "step", "candidate", "log_likelihood", "kept")[2:6] == [
        (2, "a blue", Fraction(-43, 10), "yes"),  # -1.8 - 2.5
        (2, "a red", Fraction(-45, 10), "yes"),  # -1.8 - 2.7
        (2, "the red", Fraction(-46, 10), "no"),  # -1.5 - 3.1
        (2, "the green", Fraction(-49, 10), "no"),  # -1.5 - 3.4
    ]
    assert cells("2.4b/final", "rank", "sequence", "log_likelihood") == [
        (1, "a blue square", Fraction(-93, 10)),  # -4.3 - 5.0
        (2, "a red circle", Fraction(-94, 10)),  # -4.5 - 4.9
    ]


def test_a_sequence_that_has_ended_competes_with_longer_ones() -> None:
    """</s> ends at step 1 with -2; a </s> is third at step 2 with -2.5; a b </s> comes to -1 - .5 - .75."""
    answer = solved(overlaid(entry(), ENDING))
    assert cells("2.4b/candidates", "step", "candidate", "before", "last", "log_likelihood", "kept", of=answer)[2:] == [
        (2, "a b", -1, Fraction(-1, 2), Fraction(-3, 2), "yes"),
        (2, "</s>", None, None, -2, "yes"),
        (2, "a </s>", -1, Fraction(-3, 2), Fraction(-5, 2), "no"),
        (3, "</s>", None, None, -2, "yes"),
        (3, "a b </s>", Fraction(-3, 2), Fraction(-3, 4), Fraction(-9, 4), "yes"),
    ]
    assert answer["2.4a/sequence"].value == "a b </s>"
    assert answer["2.5/best"].value == "</s>"
    assert answer["2.5/greedy_loses"].value == 1


def test_both_searches_miss_the_best_and_the_wider_one_does_worse() -> None:
    answer = worked_out(ID)[2]
    # -1.5 - 3.4 - 3.3
    assert cells("2.5/sequences", "sequence", "log_likelihood", "found_by")[0] == ("the green rectangle", Fraction(-82, 10), "–")
    assert (answer["2.5/greedy_loses"].value, answer["2.5/beams_lose"].value) == (2, 2)
    assert answer["2.5/smallest_width"].value == 4  # the green is fourth at step 2
    assert answer["2.5/beams_do_worse"].holds  # -9.3 and -9.1


@pytest.mark.parametrize(("ties", "third"), [("first", "the red circle"), ("last", "a red circle")])
def test_a_tie_goes_to_the_one_that_the_rule_names(ties: str, third: str) -> None:
    """With 3 beams two sequences of -9.4 compete for the third place of the last step."""
    changed = entry(beam_width=3, conventions={"bos": "any position", "ties": ties})
    assert cells("2.4b/final", "sequence", "log_likelihood", of=solved(changed))[2] == (third, Fraction(-94, 10))


REFUSED = [
    ({"sizes": {"length": 65}}, "sizes: length: the number of sequences must have at most 300 digits (got 306 with 50257 words)"),
    ({"sizes": {"vocabulary_size": 2}}, "sizes.vocabulary_size: must be greater than or equal to 3 (got 2)"),
    ({"tree": {"the": Whole(log_p=0.1)}}, "tree.the.log_p: must be less than or equal to 0 (got 0.1)"),
    # e^-0.1 + e^-1.8 = 0.904837 + 0.165299
    ({"tree": {"the": Whole(log_p=-0.1, next={"red": {"log_p": -1, "next": {"circle": -1}}})}},
     "tree: at the root the probabilities must sum to at most 1 (got 1.07014)"),
    ({"tree": {"the": -1.5}}, "conventions.ended: must be given, as stays, where sequences of the tree have different lengths "
     "(got 1 and 3 tokens)"),
    ({"tree": {"the": float("-inf")}}, "tree.the.log_p: must be finite; leave out a branch of probability 0, whose logarithm is "
     "minus infinity (got -inf)"),
    ({"beam_width": 9}, "beam_width: must be at most the 8 sequences of the tree (got 9)"),
]  # fmt: skip
