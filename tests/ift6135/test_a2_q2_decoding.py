"""Counts and tracks worked out by hand, and what bad parameters say."""

from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import sympy

from generators.answer import Part
from generators.cells import Cell
from generators.courses.ift6135.a2_q2_decoding import cost
from generators.courses.ift6135.a2_q2_decoding.counted_runs import by_heap, by_scan, by_sort, counted_run, random_model
from generators.errors import ParameterError
from generators.pipeline.catalog import find, load_params, load_question
from generators.topics.growth import ORDER
from tests.conftest import worked_out
from tests.entries import entry_of, solved_entry

ID = "ift6135/a2_q2_decoding"
entry = partial(entry_of, ID)
solved = partial(solved_entry, ID)


def items(label: str, of: Any = None) -> Part:
    """A part of the answer to the entry, or of another."""
    made: Part = (of or worked_out(ID)[2])[label]
    return made


def cells(address: str, *columns: str, of: Any = None) -> list[tuple[Cell, ...]]:
    """Some columns of a table, row by row."""
    rows = (of or worked_out(ID)[2])[address].rows.values()
    return [tuple(row[column] for column in columns) for row in rows]


def test_every_later_position_takes_any_word() -> None:
    assert str(items("2.1")["sequences"].formula) == "N**T"
    assert items("2.1")["sequences"].value == 50257**20
    # 2³; 1³ if <BOS> never stands again
    assert cells("2.1/listed", "N", "T", "sequences", "under_the_other_reading")[0] == (2, 3, 8, 1)


def test_the_other_reading_of_the_start_token_can_be_chosen() -> None:
    answer = solved(entry(conventions={"bos": "start only", "ties": "first"}))
    assert answer["2.1/sequences"].value == 50256**20
    assert answer["2.2/doubling"].value == Fraction(2 * 50257 - 1, 50256) ** 20


def test_enumeration_at_a_rate() -> None:
    feasibility = {"vocabulary_size": 10, "length": 20, "sequences_per_second": 10**9, "other_vocabulary_sizes": [100]}
    answer = items("2.2", solved(entry(feasibility=feasibility)))
    assert answer["seconds"].value == 10**11  # 10²⁰ / 10⁹
    assert answer["years"].value == Fraction(10**11, 31_557_600)  # 365.25 · 86 400 s
    assert answer["doubling"].value == 2**20
    assert answer["longest"].value == 13  # 10⁹ · 86 400 = 8.64 · 10¹³


def test_every_line_at_small_sizes() -> None:
    """T = 2, B = 3, N = 4, so 12 scores a step."""
    assert list(cost.counts(2, 3, 4).values()) == [
        24,  # 2 · 3 · 4
        60,  # 2 · (11 + 10 + 9)
        66,  # 2 · W(12), and W(12) = 2 W(6) + 11 = 2 · 11 + 11 = 33
        78,  # 2 · (12 · 3 + W(3)), with W(3) = 3; 1 + 1 sibling + 1 way up = 3
        18,  # 2 · 3 · (1 + 2)
        12,  # 2 · 3 · 2
        33,  # 12 scores, 3 · 3 words, 3 · 2 saved, 2 · 3 log-likelihoods
    ]


T, B, N = cost.T, cost.B, cost.N
COPIES = B * T**2
SPACE = B * N + B * T


def test_the_orders_of_growth() -> None:
    """Scores and comparisons, beside the copies of the prefixes."""
    assert cells("2.3/growth", "selection", "time", "space") == [
        ("a new scan for each b", ORDER(B**2 * N * T + COPIES), ORDER(SPACE)),
        ("all scores sorted once", ORDER(B * N * T * sympy.log(B * N) + COPIES), ORDER(SPACE)),
        ("a heap of the best B", ORDER(B * N * T * sympy.log(B) + COPIES), ORDER(SPACE)),
    ]


def test_greedy_decoding() -> None:
    answer = items("2.4a")
    assert answer["sequence"].value == "the red rectangle"
    assert answer["log_likelihood"].value == Fraction(-91, 10)  # -1.5 - 3.1 - 4.5


def test_beam_search_with_two_beams() -> None:
    assert cells("step_2/candidates", "candidate", "score") == [
        ("a blue", Fraction(-43, 10)),  # -1.8 - 2.5
        ("a red", Fraction(-45, 10)),  # -1.8 - 2.7
        ("the red", Fraction(-46, 10)),  # -1.5 - 3.1
        ("the green", Fraction(-49, 10)),  # -1.5 - 3.4
    ]
    assert cells("2.4b/final", "rank", "sequence", "log_likelihood") == [
        (1, "a blue square", Fraction(-93, 10)),  # -4.3 - 5.0
        (2, "a red circle", Fraction(-94, 10)),  # -4.5 - 4.9
    ]


def test_the_algorithm_as_printed_returns_copies_of_the_greedy_sequence() -> None:
    answer = items("2.4b")
    found = [answer[key].value for key in ("copies", "copied", "copied_log_likelihood")]
    assert found == [2, "the red rectangle", Fraction(-91, 10)]


def test_both_searches_miss_the_best_and_the_wider_one_does_worse() -> None:
    answer = items("2.5")
    # -1.5 - 3.4 - 3.3
    assert cells("2.5/sequences", "rank", "sequence", "log_likelihood")[0] == (1, "the green rectangle", Fraction(-82, 10))
    columns = ("search", "sequence", "log_likelihood", "rank_among_all", "below_the_best", "best_pruned_at_step")
    assert cells("2.5/searches", *columns) == [
        ("greedy", "the red rectangle", Fraction(-91, 10), 3, Fraction(9, 10), 2),
        ("2 beams", "a blue square", Fraction(-93, 10), 4, Fraction(11, 10), 2),
    ]
    assert answer["beam_gain"].value == Fraction(-1, 5)  # -9.3 + 9.1
    assert answer["beams_do_worse"].holds
    assert answer["greedy_ratio"].value == sympy.exp(sympy.Rational(9, 10))
    assert answer["smallest_width"].value == 4  # the green is fourth at step 2
    assert cells("2.5/widths", "log_likelihood") == [(Fraction(x, 10),) for x in (-91, -93, -91, -82)]


@pytest.mark.parametrize("beam_width", [1, 3, 4, 8])
def test_any_beam_width_is_found_again(beam_width: int) -> None:
    """With 3 beams the red circle and a red circle, both -9.4, compete for the third place of the last step."""
    rows = cells("2.4b/final", "rank", "sequence", "log_likelihood", of=solved(entry(beam_width=beam_width)))
    assert len(rows) == beam_width
    if beam_width == 3:
        assert rows[2] == (3, "the red circle", Fraction(-94, 10))


def test_a_tie_goes_to_the_last_where_that_is_the_rule() -> None:
    changed = entry(beam_width=3, conventions={"bos": "any position", "ties": "last"})
    assert cells("2.4b/final", "sequence", "log_likelihood", of=solved(changed))[2] == ("a red circle", Fraction(-94, 10))


def test_only_the_tree_of_the_figure_is_said_to_be_found_elsewhere() -> None:
    changed = entry()
    changed["tree"]["a"]["log_p"] = -1.9
    assert worked_out(ID)[2]["sheet/tree_of_the_figure"].holds
    assert not solved(changed)["sheet/tree_of_the_figure"].holds


@pytest.mark.parametrize(
    ("group", "field", "value", "message"),
    [
        ("feasibility", "length", 65, "feasibility: length: 50257 words to this power must have at most 300 digits (got 306)"),
        ("feasibility", "length", 10**9, "feasibility.length: must be less than or equal to 1000000 (got 1000000000)"),
        ("feasibility", "vocabulary_size", 2, "feasibility.vocabulary_size: must be greater than or equal to 3 (got 2)"),
        # 10¹² · 64 · 128
        ("counted", "length", 10**12,
         "counted: length: a run must have at most 200000 comparisons, T·B²·N (got 8192000000000000)"),
        ("counted", "vocabulary_sizes", [8, 8], "counted: vocabulary_sizes: must increase (got [8, 8])"),
        ("counted", "beam_width", 0, "counted.beam_width: must be greater than 0 (got 0)"),
        ("tree", "the", {"log_p": 0.1}, "tree.the.log_p: must be less than or equal to 0 (got 0.1)"),
        # e^-0.1 + e^-1.8 = 0.904837 + 0.165299
        ("tree", "the", {"log_p": -0.1, "next": {"red": {"log_p": -1, "next": {"circle": -1}}}},
         "tree: at the root the probabilities must sum to at most 1 (got 1.07014)"),
        ("tree", "the", -1.5, "tree: every sequence must have the same length (got 1 and 3)"),
        ("", "beam_width", 0, "beam_width: must be greater than 0 (got 0)"),
        ("", "beam_width", 9, "beam_width: must be at most the 8 sequences of the tree (got 9)"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused_at_once(group: str, field: str, value: object, message: str) -> None:
    changed = entry()
    (changed[group] if group else changed)[field] = value
    with pytest.raises(ParameterError) as refused:
        load_params(find(ID), load_question(find(ID)), changed)
    assert str(refused.value) == f"generators/courses/ift6135/params.yml: a2_q2_decoding: {message}"


def test_a_run_ends_with_the_same_sequences_whatever_selects() -> None:
    runs = [counted_run(random_model(1, 9), 4, 5, select)[0] for select in (by_scan, by_sort, by_heap)]
    assert runs[0] == runs[1] == runs[2]
    assert len({tuple(words) for words in runs[0]}) == 4
