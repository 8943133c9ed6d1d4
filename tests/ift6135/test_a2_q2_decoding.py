"""Counts and tracks worked out by hand, and what bad parameters say."""

from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.answer import Cell
from generators.errors import ParameterError
from generators.pipeline.catalog import find, load_params, load_question
from generators.steps import Answer, Part
from generators.topics import beam_search_cost as cost
from generators.topics.beam_search_run import Score, Tally, by_heap, by_scan, by_sort, counted_run, random_model
from generators.topics.growth import ORDER
from tests.conftest import worked_out
from tests.entries import entry_of, solved_entry

ID = "ift6135/a2_q2_decoding"


entry = partial(entry_of, ID)
solved = partial(solved_entry, ID)


def part(label: str) -> Part:
    return worked_out(ID)[2][label]


def test_every_later_position_takes_any_word() -> None:
    assert str(part("2.1")["sequences"].formula) == "N**T"
    assert part("2.1")["sequences"].value == 50257**20
    assert part("2.1").tables["listed"].rows[0] == (2, 3, 8, 1)  # 2³; 1³ if <BOS> never stands again


def test_the_other_reading_of_the_start_token_can_be_chosen() -> None:
    answer = solved(entry() | {"conventions": {"bos": "start only", "ties": "first"}})
    assert answer["2.1"]["sequences"].value == 50256**20
    assert answer["2.2"]["doubling"].value == Fraction(2 * 50257 - 1, 50256) ** 20


def test_enumeration_at_a_rate() -> None:
    feasibility = {"vocabulary_size": 10, "length": 20, "sequences_per_second": 10**9, "other_vocabulary_sizes": [100]}
    answer = solved(entry() | {"feasibility": feasibility})["2.2"]
    assert answer["seconds"].value == 10**11  # 10²⁰ / 10⁹
    assert answer["years"].value == Fraction(10**11, 31_557_600)  # 365.25 · 86 400 s
    assert answer["doubling"].value == 2**20
    assert answer["longest"].value == 13  # 10⁹ · 86 400 = 8.64 · 10¹³


def test_every_line_at_small_sizes() -> None:
    """T = 2, B = 3, N = 4, so 12 scores a step."""
    assert cost.counts({cost.T: 2, cost.B: 3, cost.N: 4}) == [
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
    assert cost.growth_table().rows == (
        ("a new scan for each b", ORDER(B**2 * N * T + COPIES), ORDER(SPACE)),
        ("all scores sorted once", ORDER(B * N * T * sympy.log(B * N) + COPIES), ORDER(SPACE)),
        ("a heap of the best B", ORDER(B * N * T * sympy.log(B) + COPIES), ORDER(SPACE)),
    )


@pytest.mark.parametrize(
    ("row", "column", "wrong"),
    [
        (0, 1, ORDER(B**2 * N * T)),  # without the copies
        (0, 1, ORDER(B * N * T + COPIES)),
        (0, 1, ORDER(B**2 * N * T + COPIES + B * N * T)),  # a term that another one outgrows
        (1, 1, ORDER(B * N * T + COPIES)),
        (1, 1, ORDER(B * N * T * sympy.log(N) + COPIES)),
        (1, 1, ORDER(B * N * T * sympy.log(B) + COPIES)),
        (2, 1, ORDER(B * N * T + COPIES)),
        (2, 1, ORDER(B * N * T * sympy.log(B * N) + COPIES)),
        (2, 1, ORDER(B * N * sympy.log(B) + COPIES)),
        (2, 1, B * N * T * sympy.log(B) + COPIES),
        (2, 2, ORDER(B * N)),
        (2, 2, ORDER(B * N * T)),
        (0, 0, "all scores sorted once"),
    ],
    ids=str,
)
def test_a_wrong_order_of_growth_is_found(row: int, column: int, wrong: Cell) -> None:
    question_id, params, answer = worked_out(ID)
    rows = [list(cells) for cells in part("2.3").tables["growth"].rows]
    rows[row][column] = wrong
    growth = replace(part("2.3").tables["growth"], rows=tuple(map(tuple, rows)))
    changed = replace(part("2.3"), tables={**part("2.3").tables, "growth": growth})
    checks = load_question(question_id).verify(params, Answer({**answer.parts, "2.3": changed}))
    failed = [check.what for check in checks if not check.passed]
    assert failed == [f"2.3, orders of growth: {part('2.3').tables['growth'].rows[row][0]}"]


def test_greedy_decoding() -> None:
    answer = part("2.4a")
    assert answer["log_likelihood"].what == "log-likelihood of the red rectangle"
    assert answer["log_likelihood"].value == Fraction(-91, 10)  # -1.5 - 3.1 - 4.5


def test_beam_search_with_two_beams() -> None:
    answer = part("2.4b")
    assert [row[:4:3] for row in answer.tables["step_2"].rows] == [
        ("a blue", Fraction(-43, 10)),  # -1.8 - 2.5
        ("a red", Fraction(-45, 10)),  # -1.8 - 2.7
        ("the red", Fraction(-46, 10)),  # -1.5 - 3.1
        ("the green", Fraction(-49, 10)),  # -1.5 - 3.4
    ]
    assert answer.tables["final"].rows == (
        (1, "a blue square", Fraction(-93, 10)),  # -4.3 - 5.0
        (2, "a red circle", Fraction(-94, 10)),  # -4.5 - 4.9
    )


def test_the_algorithm_as_printed_returns_copies_of_the_greedy_sequence() -> None:
    rows = part("2.4b").tables["as_printed"].rows
    assert rows == ((1, "the red rectangle", Fraction(-91, 10)), (2, "the red rectangle", Fraction(-91, 10)))


def test_both_searches_miss_the_best_and_the_wider_one_does_worse() -> None:
    answer = part("2.5")
    assert answer.tables["sequences"].rows[0] == (1, "the green rectangle", Fraction(-82, 10))  # -1.5 - 3.4 - 3.3
    assert answer.tables["searches"].rows == (
        ("greedy", "the red rectangle", Fraction(-91, 10), 3, Fraction(9, 10), 2),
        ("2 beams", "a blue square", Fraction(-93, 10), 4, Fraction(11, 10), 2),
    )
    assert answer["beam_gain"].value == Fraction(-1, 5)  # -9.3 + 9.1
    assert answer["greedy_ratio"].value == sympy.exp(sympy.Rational(9, 10))
    assert answer["smallest_width"].value == 4  # the green is fourth at step 2
    assert answer.tables["widths"].column("Log-likelihood") == tuple(Fraction(x, 10) for x in (-91, -93, -91, -82))


@pytest.mark.parametrize("beam_width", [1, 3, 4, 8])
def test_any_beam_width_is_verified(beam_width: int) -> None:
    """With 3 beams the red circle and a red circle, both -9.4, compete for the third place of the last step."""
    final = solved(entry() | {"beam_width": beam_width})["2.4b"].tables["final"]
    assert len(final.rows) == beam_width
    if beam_width == 3:
        assert final.rows[2] == (3, "the red circle", Fraction(-94, 10))


def test_a_tie_goes_to_the_last_where_that_is_the_rule() -> None:
    changed = entry() | {"beam_width": 3, "conventions": {"bos": "any position", "ties": "last"}}
    assert solved(changed)["2.4b"].tables["final"].rows[2] == (3, "a red circle", Fraction(-94, 10))


def refusal(changed: dict[str, Any]) -> str:
    question_id = find(ID)
    with pytest.raises(ParameterError) as refused:
        load_params(question_id, load_question(question_id), changed)
    message = str(refused.value)
    assert "\n" not in message
    return message.removeprefix("generators/courses/ift6135/params.yml: a2_q2_decoding: ")


@pytest.mark.parametrize(
    ("group", "field", "value", "message"),
    [
        ("feasibility", "length", 65, "feasibility: length: 50257 words to this power must have at most 300 digits (got 306)"),
        ("feasibility", "length", 10**9, "feasibility.length: must be less than or equal to 1000000 (got 1000000000)"),
        ("feasibility", "vocabulary_size", 2, "feasibility.vocabulary_size: must be greater than or equal to 3 (got 2)"),
        (
            "counted",
            "length",
            10**12,
            "counted: length: a run must have at most 200000 comparisons, T·B²·N (got 8192000000000000)",  # · 64 · 128
        ),
        ("counted", "vocabulary_sizes", [8, 8], "counted: vocabulary_sizes: must increase (got [8, 8])"),
        ("counted", "beam_width", 0, "counted.beam_width: must be greater than 0 (got 0)"),
    ],
)
def test_sizes_too_large_to_enumerate_or_to_run_are_refused_at_once(group: str, field: str, value: object, message: str) -> None:
    changed = entry()
    changed[group][field] = value
    assert refusal(changed) == message


def test_bad_log_probabilities_are_refused() -> None:
    changed = entry()
    changed["tree"]["the"]["log_p"] = 0.1
    assert refusal(changed) == "tree.the.log_p: must be less than or equal to 0 (got 0.1)"
    changed["tree"]["the"]["log_p"] = -0.1  # e^-0.1 + e^-1.8 = 0.904837 + 0.165299
    assert refusal(changed) == "tree: at the root the probabilities must sum to at most 1 (got 1.07014)"


def test_a_bad_beam_width_is_refused() -> None:
    assert refusal(entry() | {"beam_width": 0}) == "beam_width: must be greater than 0 (got 0)"
    assert refusal(entry() | {"beam_width": 9}) == "beam_width: must be at most the 8 sequences of the tree (got 9)"


@given(st.lists(st.integers(0, 9), min_size=6, max_size=24), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_scan_sort_and_heap_select_the_same_scores(values: list[int], width: int) -> None:
    """Ties included; and none compares more than its formula allows."""
    for select, bound in ((by_scan, cost.SCAN), (by_sort, cost.SORT), (by_heap, cost.HEAP)):
        tally = Tally()
        scores = [Score(float(value), 0, word, tally) for word, value in enumerate(values)]
        found = [score.word for score in select(scores, width)]
        assert found == sorted(range(len(values)), key=lambda word: (-values[word], word))[:width]
        if len(values) % width == 0:
            at = {cost.T: 1, cost.B: width, cost.N: len(values) // width}
            letters = {symbol: cost.levels(at)[str(symbol)].value for symbol in (cost.m, cost.q, cost.c)}
            assert tally.comparisons <= bound.subs({**at, **letters})


def test_a_run_ends_with_the_same_sequences_whatever_selects() -> None:
    runs = [counted_run(random_model(1, 9), 4, 5, select)[0] for select in (by_scan, by_sort, by_heap)]
    assert runs[0] == runs[1] == runs[2]
    assert len({tuple(words) for words in runs[0]}) == 4
