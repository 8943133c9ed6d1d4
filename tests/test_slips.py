"""What rules make of a boxed number."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import sympy

from generators.answer import answer, formula, letter, number, part
from generators.params import Params
from generators.pipeline.catalog import load_question
from generators.pipeline.compared import compared
from generators.pipeline.published import with_formulas
from generators.pipeline.slips import evaluated, of_other_sizes
from generators.table import column, table
from tests.conftest import IDS, worked_out

a, b = sympy.symbols("a b", positive=True)


class Counted(Params):
    """How one counts."""

    flops_per_multiply_add: int = 2


class Counting(Params):
    """An entry with conventions."""

    conventions: Counted = Counted()


def said_of(*items: Any, own: Any = ()) -> dict[str, dict[Fraction, list[str]]]:
    """Slips of each boxed value of a part, by its name."""
    given = answer(part("1", "Part", letter(a, 3, "first"), letter(b, 5, "second"), *items))
    numbers = compared(Counting(), given, own)["numbers"]
    return {one["name"]: {Fraction(number): words for number, *words in one["slips"]} for one in numbers}


def test_slips_of_a_formula() -> None:
    """3 (5 + 1) = 18: 5 (5 + 1) = 30, 3 (3 + 1) = 12, 3 · 5 = 15 and 3 · 1 = 3; the second factor is 6."""
    found = said_of(formula("bytes", a * (b + 1), "room", asked=True))["room"]
    assert found == {
        Fraction(-18): ["with the other sign"],
        Fraction(30): ["with b in place of a"],
        Fraction(12): ["with a in place of b"],
        Fraction(15): ["without 1 in the sum b + 1"],
        Fraction(3): ["without b in the sum b + 1", "without the factor b + 1"],
        Fraction(6): ["without the factor a"],
    }


def test_slips_of_factors_and_powers() -> None:
    """2 · 5^3 / 3 = 250/3: half is 125/3, thrice 250, without the power 2/3; an exponent of 4 gives 1250/3, and of 2, 50/3."""
    found = said_of(formula("size", 2 * b**a / a, "size", asked=True))["size"]
    assert found[Fraction(125, 3)] == ["without the factor 2"]
    assert found[Fraction(250)] == ["not divided by a"]
    assert found[Fraction(2, 3)] == ["without the factor b^a"]
    assert found[Fraction(1250, 3)] == ["with b^(a + 1) in place of b^a"]
    assert found[Fraction(50, 3)] == ["with b^(a - 1) in place of b^a"]
    # 3 · 5^2 = 75, and with 5 for its square 15.
    assert said_of(formula("area", a * b**2, "area", asked=True))["area"][Fraction(15)] == ["with b in place of b^2"]


def test_slips_of_what_is_asked_in_letters() -> None:
    """3 + 5 = 8. A letter without a number leaves a formula as it is, and nothing is said of it."""
    assert said_of(number("sum", a + b, "sum", asked=True))["sum"][Fraction(3)] == ["without b in the sum a + b"]
    assert said_of(number("sum", a + sympy.Symbol("c"), "sum", asked=True)) == {}


def test_numbers_elsewhere_and_letters() -> None:
    """Whole numbers from 100 on and all fractions stand by name, each once."""
    rows = {"x": ("one", 700), "y": ("two", 99), "z": ("three", Fraction(1, 4))}
    letters = (letter(a, 300, "first"), letter(sympy.Symbol("lamda"), 2, "second"))
    given = answer(part("1", "Part", *letters, number("other", 700, "again"), table("t", ["name", "number"], rows)))
    found = compared(Counting(), given, ())
    assert found["more"] == [["300", "first", "1"], ["700", "again", "1"], ["1/4", "three: Number", "1"]]
    assert found["letters"] == {"1": {"a": "300", "lambda": "2"}}


def test_slips_of_a_unit_and_those_that_coincide() -> None:
    """3 · 5 = 15 FLOP/B: with one FLOP for each two 15/2, which an own slip gives too; with b for a 25; inverted 1/15."""
    own = [("1/share", said, number) for said, number in of_other_sizes(Fraction(15), 2, -1)]
    found = said_of(formula("share", a * b, "intensity", "I", "FLOP/B", asked=True), own=own)["intensity"]
    assert found[Fraction(15, 2)] == ["with 4 bytes for a value", "with one FLOP for a multiply-add"]
    assert found[Fraction(30)] == ["with 1 byte for a value"]
    assert found[Fraction(25)] == ["with b in place of a"]
    assert found[Fraction(1, 15)] == ["of bytes for each FLOP"]
    # 2 GiB are 2^31 bytes; read as 2 GB they are 2 · 10^9.
    of_bytes = said_of(formula("size", a * 2**31 / 3, "size", "M", "B", asked=True))["size"]
    assert of_bytes[Fraction(2 * 10**9)] == ["with GB in place of GiB"]


def test_slips_of_a_table() -> None:
    """The first column names the rows, and what was measured is not asked about."""
    rows = {"x": ("one", 7), "y": ("two", 9)}
    found = said_of(table("t", ["name", column("number", "Number")], rows, asked=True))
    assert set(found) == {"one: Number", "two: Number"}
    assert found["one: Number"] == {Fraction(-7): ["with the other sign"]}
    assert said_of(table("t", ["name", "time"], {"x": ("one", 1.5), "y": ("two", 2)}, asked=True)) == {}


def test_names_of_rows() -> None:
    """A number stands with its heading, an array has keys, and a name that stands twice gives way to the rows' keys."""
    assert set(said_of(table("t", ["length", "area"], {"x": (2, 4), "y": (3, 9)}, asked=True))) == {
        "Length 2: Area",
        "Length 3: Area",
    }
    assert set(said_of(table("t", ["at_1", "at_2"], {"row_1": (2, 4)}, asked=True))) == {"t, row 1, at 1", "t, row 1, at 2"}
    twice = table("t", ["name", "area"], {"x_1": ("one", 4), "x_2": ("one", 9)}, asked=True)
    assert set(said_of(twice)) == {"x 1: Area", "x 2: Area"}


def test_slips_of_a_question_stand_first_and_those_that_change_nothing_are_left_out() -> None:
    own = [("1/n", "by hand", Fraction(30)), ("1/n", "to no effect", Fraction(18))]
    found = said_of(formula("n", a * (b + 1), "room", asked=True), own=own)["room"]
    assert found[Fraction(30)] == ["by hand", "with b in place of a"]
    assert Fraction(18) not in found


@pytest.mark.parametrize(("expression", "number"), [
    (a / (b - 5), None), (a ** sympy.Rational(1, 2), None), (a ** sympy.Integer(10) ** 6, None), (sympy.log(a), None),
    (sympy.ceiling(b / a) + sympy.Min(a, b), Fraction(5)),  # 2 + 3
    (2 * a / b - a**-2, Fraction(49, 45)),  # 6/5 − 1/9 = (54 − 5) / 45
])  # fmt: skip
def test_numbers_of_formulas(expression: sympy.Expr, number: Fraction | None) -> None:
    assert evaluated(expression, {a: 3, b: 5}) == number


@pytest.mark.parametrize("question_id", IDS)
def test_every_question(question_id: str) -> None:
    """Formulas give the published values. No slip gives the boxed value, and each number stands once, with all its slips."""
    question, params, found = worked_out(question_id)
    for one in with_formulas(found):
        if isinstance(one.value, int | Fraction) and one.formula is not None:
            assert evaluated(one.formula, one.at) == one.value
    entries = compared(params, found, load_question(question).slips(params, found))["numbers"]
    names = [(entry["at"].split("/")[0], entry["name"]) for entry in entries]
    assert len(set(names)) == len(names)
    for entry in entries:
        numbers = [Fraction(number) for number, *_ in entry["slips"]]
        assert len({*numbers, Fraction(entry["value"])}) == len(numbers) + 1
        assert all(len(set(words)) == len(words) > 0 for _, *words in entry["slips"])


def slips_of(question_id: str, address: str) -> dict[str, Fraction]:
    """What each slip of a published value gives."""
    question, params, found = worked_out(question_id)
    entries = compared(params, found, load_question(question).slips(params, found))["numbers"]
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
    assert found["without 2 H in the sum 2 H + L"] == 128


def test_slips_of_a_variance() -> None:
    """2, 5 and 1 have the sum 8 and squares that sum to 30: the variance is 30/3 − 64/9 = 26/9, and 13/3 with the divisor 2."""
    found = slips_of("ift6135/a2_q1", "1/instance_variance/sample_1/channel_1")
    assert found["with one less than the number of values as the divisor"] == Fraction(13, 3)
    assert found["without taking away the square of the mean"] == 10
    assert found["not divided by the number of values"] == Fraction(26, 3)
    assert found["of the standard deviation"] ** 2 == pytest.approx(26 / 9, abs=1e-15)


def test_slips_of_batching() -> None:
    """One token keeps 2 vectors of 4096 in 32 layers, 2 bytes each; (80e9 - weights - embedding)/cache lies from 62 to 63."""
    name = "utaustin/lecture25_batching"
    found = slips_of(name, "1/cache")
    assert found["of one token"] == 2 * 4096 * 32 * 2
    assert found["of keys alone"] == 2048 * 4096 * 32 * 2
    weights = slips_of(name, "1/weights")["with the input embedding"]
    assert weights == 2 * (32 * 12 * 4096**2 + 2 * 4096 * 32000)  # 4 D^2 of attention and 8 D^2 a layer; both embeddings
    assert 62 < (80 * 10**9 - weights) / (found["of one token"] * 2048) < 63
    assert slips_of(name, "3/fitting")["rounded up"] == 63


def test_slips_of_bytes() -> None:
    """Two adapters of 2DR values in each of N layers, 2 bytes a value: 8DR N bytes."""
    letters = worked_out("comp4901y/hw4_q1")[2]["sheet"].items
    layers, width, rank = (letters[key].value for key in ("N_layer", "D", "R"))
    found = slips_of("comp4901y/hw4_q1", "1.2/parameters")
    asked = worked_out("comp4901y/hw4_q1")[2]["1.2/parameters"].value
    assert asked == 2 * layers * 4 * width * rank
    assert found["of one layer"] == 8 * width * rank
    assert found["with 4 bytes for a value"] == found["of parameters and gradients together"] == 2 * asked
    assert found["with one adapter in a layer"] == asked / 2


def test_slips_of_scores() -> None:
    """Four tokens: the last step scores 4 queries on 4 keys without the cache, and one query with it."""
    for address, scores in (("1/all", 16), ("1/needed", 4)):
        assert slips_of("sydney/seminar2_kv_cache", address)["of the last step alone"] == scores


def test_slips_of_what_is_tuned() -> None:
    """VeRA keeps a pair of 2DR values frozen, 2 bytes each; LoRA tunes three of four projections; attention is 4 of 12 D²."""
    found, letters = worked_out("comp4901y/hw4_q1")[2], worked_out("comp4901y/hw4_q1")[2]["sheet"].items
    with_pair = found["1.4/parameters"].value + 2 * 2 * letters["D"].value * letters["R"].value
    assert slips_of("comp4901y/hw4_q1", "1.4/parameters")["with the frozen pair of matrices"] == with_pair
    with_output = slips_of("comp4901y/hw4_q1", "1.3/parameters")["with the output projection too"]
    assert with_output == found["1.3/parameters"].value * 4 / 3
    attention = slips_of("comp4901y/hw4_q1", "1.1/gradients")["of attention alone"]
    assert attention == 2 * 4 * letters["D"].value ** 2 * letters["N_top"].value


def test_letters_of_one_unit_stand_for_each_other() -> None:
    """Bytes of a value, 2, do not stand for 32 layers; a value of 1 byte gives the number of values."""
    found = slips_of("utaustin/lecture25_batching", "1/weights")
    assert found["with 1 byte for a value"] == found["with 4 bytes for a value"] / 4
    assert not [said for said in found if "with s in place of" in said or "in place of s" in said]
