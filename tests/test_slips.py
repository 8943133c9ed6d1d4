"""Another number than the boxed one: what rules make of it, and what a page says of a number that a reader types."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
import sympy
from playwright.sync_api import Browser, Locator, Page

from generators.answer import answer, formula, letter, part
from generators.params import Params
from generators.pipeline.catalog import load_question
from generators.pipeline.published import with_formulas
from generators.pipeline.slips import _number, explained
from generators.table import column, table
from tests.browsing import needs_chromium
from tests.conftest import IDS, worked_out
from tests.project import Project

a, b = sympy.symbols("a b", positive=True)


class Counted(Params):
    """How one counts."""

    flops_per_multiply_add: int = 2
    bytes_per_element: int = 2


class Counting(Params):
    """An entry with conventions."""

    conventions: Counted = Counted()


def said(*items: Any, own: Any = ()) -> dict[str, dict[Fraction, list[str]]]:
    """Slips of each boxed value of a part, by its name."""
    given = answer(part("1", "Part", letter(a, 3, "first"), letter(b, 5, "second"), *items))
    return {
        one["name"]: {Fraction(number): words for number, *words in one["slips"]} for one in explained(Counting(), given, own)
    }


def test_slips_of_a_formula() -> None:
    """3 (5 + 1) = 18: 5 (5 + 1) = 30, 3 (3 + 1) = 12, 3 · 5 = 15 and 3 · 1 = 3."""
    found = said(formula("bytes", a * (b + 1), "room", asked=True))["room"]
    assert found == {
        Fraction(-18): ["with the other sign"],
        Fraction(30): ["with b in place of a"],
        Fraction(12): ["with a in place of b"],
        Fraction(15): ["without 1 in b + 1"],
        Fraction(3): ["without b in b + 1"],
    }


def test_slips_of_a_unit_and_those_that_coincide() -> None:
    """15 FLOP/B: with one FLOP for each of two, and with 4 bytes for each of 2, 15/2; with b for a, 25; inverted 1/15."""
    found = said(formula("share", a * b, "intensity", "I", "FLOP/B", asked=True))["intensity"]
    assert found[Fraction(15, 2)] == ["with one FLOP for a multiply-add", "with 4 bytes for a value"]
    assert found[Fraction(30)] == ["with 1 byte for a value"]
    assert found[Fraction(25)] == ["with b in place of a"]
    assert found[Fraction(1, 15)] == ["of bytes for each FLOP"]
    # 2 GiB are 2^31 bytes; read as 2 GB they are 2 · 10^9.
    of_bytes = said(formula("size", a * 2**31 / 3, "size", "M", "B", asked=True))["size"]
    assert of_bytes[Fraction(2 * 10**9)] == ["with GB in place of GiB"]


def test_slips_of_a_table() -> None:
    """A cell may be taken from another row; a column that counts the rows is not asked about, nor is what was measured."""
    rows = {"x": ("one", 1, 7), "y": ("two", 2, 9)}
    found = said(table("t", ["name", "place", column("number", "Number")], rows, asked=True))
    assert set(found) == {"one: Number", "two: Number"}
    assert found["one: Number"] == {Fraction(-7): ["with the other sign"], Fraction(9): ["of “two”"]}
    assert said(table("t", ["name", "time"], {"x": ("one", 1.5), "y": ("two", 2)}, asked=True)) == {}


def test_slips_of_a_question_stand_first_and_those_that_change_nothing_are_left_out() -> None:
    own = [("1/n", "by hand", Fraction(30)), ("1/n", "to no effect", Fraction(18))]
    found = said(formula("n", a * (b + 1), "room", asked=True), own=own)["room"]
    assert found[Fraction(30)] == ["by hand", "with b in place of a"]
    assert Fraction(18) not in found


@pytest.mark.parametrize(("expression", "number"), [
    (a / (b - 5), None), (a ** sympy.Rational(1, 2), None), (a**10**6, None), (sympy.log(a), None),
    (2 * a / b - a**-2, Fraction(49, 45)),  # 6/5 − 1/9 = (54 − 5) / 45
])  # fmt: skip
def test_numbers_of_formulas(expression: sympy.Expr, number: Fraction | None) -> None:
    assert _number(expression, {a: 3, b: 5}) == number


@pytest.mark.parametrize("question_id", IDS)
def test_every_question(question_id: str) -> None:
    """Formulas give the published values, and no other number of a value is the value, or said of two slips apart."""
    _, params, found = worked_out(question_id)
    for one in with_formulas(found):
        if isinstance(one.value, int | Fraction) and one.formula is not None:
            assert _number(one.formula, one.at) in (one.value, None)
    for entry in explained(params, found, load_question(worked_out(question_id)[0]).slips(params, found)):
        numbers = [Fraction(number) for number, *_ in entry["slips"]]
        assert len({*numbers, Fraction(entry["value"])}) == len(numbers) + 1
        assert all(len(set(words)) == len(words) > 0 for _, *words in entry["slips"])


def slips_of(question_id: str, address: str) -> dict[str, Fraction]:
    """What each slip of a published value gives."""
    _, params, found = worked_out(question_id)
    entries = explained(params, found, load_question(worked_out(question_id)[0]).slips(params, found))
    (entry,) = (one for one in entries if one["at"] == address)
    return {said: Fraction(number) for number, *words in entry["slips"] for said in words}


def test_slips_of_the_forms() -> None:
    """With L = 4096 and H = 128, a score does LH / (2H + L) FLOPs a byte.

    Without the result's bytes these are L/2, without those of an operand LH / (H + L), without the summand 2H just H.
    """
    found = slips_of("comp4901y/hw3_q1", "1.1/form/7/intensity")
    assert found["without the bytes of the result matrix"] == 2048
    assert found["without the bytes of the left matrix"] == Fraction(4096 * 128, 128 + 4096)
    assert found["with D in place of H"] == Fraction(4096, 3)
    assert found["without 2 H in 2 H + L"] == 128


def test_slips_of_a_variance() -> None:
    """Of a sample's channel with the two values x and y the variance is ((x − y) / 2)², and twice that with the divisor 1."""
    answer_of = worked_out("ift6135/a2_q1")[2]
    address = "1/instance_variance/sample_1/channel_1"
    row = answer_of["1/statistics"].row("instance.sample_1.channel_1")
    count, variance = int(row["count"]), answer_of[address].value
    found = slips_of("ift6135/a2_q1", address)
    assert found["with one less than the number of values as the divisor"] * (count - 1) == variance * count


@pytest.fixture(scope="module")
def page(built: Project, browser: Browser) -> Iterator[Page]:
    """Homework 3, question 1, opened from its file."""
    opened = browser.new_page()
    opened.goto(f"{built.path('site').as_uri()}/answers/comp4901y/hw3/question1.html")
    yield opened
    opened.close()


def of_box(page: Page, summary: str = "Why is my number different?") -> Locator:
    """What opens in the first box."""
    details = page.locator("details.compare").first
    if details.get_attribute("open") is None:
        details.get_by_text(summary).click()
    return details


ROUNDED, APART, NONE = "The same, rounded.", "Less than 1 % away.", "none of the slips"
UNREAD = "This is not read as a number."


@pytest.mark.browser
@pytest.mark.parametrize(("number", "result"), [
    # The first product's intensity is 4096/3.
    ("4096/3", "The same."), ("8192/6", "The same."), (" 4 096 / 3 ", "The same."),
    ("1365.33", ROUNDED), ("1,365.33", ROUNDED), ("1365,33", ROUNDED), ("1.37e3", ROUNDED), ("1.37E+3", ROUNDED),
    ("1.365×10^3", ROUNDED),
    ("1365.33 FLOP/B", ROUNDED),
    ("1366.0", APART), ("1365.3", ROUNDED), ("1365.4", APART), ("1300", NONE), ("1e3", NONE), ("0", NONE),
    ("682.67", "This is the number with one FLOP for a multiply-add, or with 4 bytes for a value."),
    ("\u22121365.33", "This is the number with the other sign."),
    ("1820.4", "This is the number of “No. 11”, or of “No. 13”."),
    ("", ""), ("many", UNREAD), ("1/0", UNREAD), ("1.2.3", UNREAD), ("1365.33 GB", UNREAD), ("1e9999", UNREAD),
])  # fmt: skip
@pytest.mark.parametrize("", [pytest.param(marks=needs_chromium)])
def test_a_typed_number(page: Page, number: str, result: str) -> None:
    details = of_box(page)
    details.get_by_label("Your number").fill(number)
    shown = details.get_by_role("status").inner_text()
    assert shown == result or (result and result in shown)
