"""Numbers as LaTeX: rounding, groups of digits, units, percent, powers, and equations."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from generators.answer import formula, letter, part
from generators.cells import Quantity, Rounded, Value, significant
from generators.pipeline import typeset

x, n_H, N_layer = sympy.symbols("x n_H N_layer", positive=True)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (4096, "4096"),  # four digits stand together
        (10000, r"10\,000"),
        (-12345, r"-12\,345"),
        (137438953472, r"137\,438\,953\,472"),
        (10**15, r"1\,000\,000\,000\,000\,000"),
    ],
)
def test_digits_stand_in_groups_of_three_from_five_on(number: int, text: str) -> None:
    """Groups are parted by thin spaces."""
    assert typeset.grouped(number) == text


@given(st.integers(-(10**40), 10**40))
def test_grouping_keeps_every_digit(number: int) -> None:
    """Without its thin spaces a grouped number is the number."""
    text = typeset.grouped(number)
    assert int(text.replace(r"\,", "")) == number
    assert all(len(group) == 3 for group in text.split(r"\,")[1:])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (Fraction(1, 2), "0.5"),
        (Fraction(1, 3), "0.333333"),
        (Fraction(2, 3), "0.666667"),
        (Fraction(-5, 3), "-1.66667"),
        (Fraction(4096, 3), "1365.33"),
        (Fraction(1_057_282, 2**20), "1.00830"),  # 1.008302...: the zero is a digit that was rounded to
        (1 / 4, "0.25"),  # exact in binary too
        (1 / 3000, "0.000333333"),
        (Fraction(2048, 2049), "0.999512"),
        (12345.6, r"12\,345.6"),
        (99999.999, r"100\,000"),  # rounding carries into a new digit
        (999999.5, r"1\,000\,000"),
        (significant(0.49999, 3), "0.500"),
        (significant(12349.0, 3), r"12\,300"),
        (Rounded(-2.0, 1), "-2.0"),
        (1e-7, "0.0000001"),
        (9.9e-8, r"9.9 \times 10^{-8}"),
        (1e15, r"1 \times 10^{15}"),
        (Fraction(10**20, 3), r"3.33333 \times 10^{19}"),
        (123456789, r"123\,456\,789"),  # digits before the point are never rounded away
    ],
)
def test_rounding_to_six_significant_digits(number: int | Fraction | float, text: str) -> None:
    """No trailing zeros; an exponent only for the very large and the very small."""
    assert typeset.rounded(number) == text


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**14))
def test_a_rounded_number_is_close(number: Fraction) -> None:
    """It differs by at most half a unit of the sixth digit, and by nothing where it is called exact."""
    text = Fraction(typeset.rounded(number).replace(r"\,", ""))
    assert abs(text - number) <= number / 199_999
    assert typeset.terminates(number) == (text == number)


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (Fraction(4096, 3), "FLOP/B", r"\frac{4096}{3} \approx 1365.33\ \text{FLOP/B}"),
        (Fraction(524416, 528641), "", r"\frac{524\,416}{528\,641} \approx 0.992008"),
        (Fraction(1649, 8), "FLOP/B", r"206.125\ \text{FLOP/B}"),  # ends within six digits: one value says all
        (Fraction(-5, 3), "", r"-\frac{5}{3} \approx -1.66667"),
        (7, "", "7"),
        (0.123456789, "s", r"0.123457\ \text{s}"),  # measured: no fraction
        (N_layer**2, "B", r"N_{\text{layer}}^{2}\ \text{B}"),
    ],
)
def test_exact_and_rounded_side_by_side(number: Value, unit: str, text: str) -> None:
    """A fraction comes first, its rounded value second."""
    assert typeset.value(number, unit) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1023, r"1023\ \text{B}"),
        (1024, r"1024\ \text{B} = 1\ \text{KiB}"),
        (789504, r"789\,504\ \text{B} = 771\ \text{KiB}"),
        (16777216, r"16\,777\,216\ \text{B} = 16\ \text{MiB}"),
        (1610612736, r"1\,610\,612\,736\ \text{B} = 1.5\ \text{GiB}"),
        (10**9, r"1\,000\,000\,000\ \text{B} \approx 953.674\ \text{MiB}"),
        (2**40, r"1\,099\,511\,627\,776\ \text{B} = 1\ \text{TiB}"),
        (-2048, r"-2048\ \text{B} = -2\ \text{KiB}"),
    ],
)
def test_bytes_are_named_by_powers_of_two(number: int, text: str) -> None:
    """Equal where the scaled value is exact, approximately equal where it was rounded."""
    assert typeset.value(number, "B") == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (999999999, r"999\,999\,999\ \text{FLOP}"),
        (10**9, r"1\,000\,000\,000\ \text{FLOP} = 1\ \text{GFLOP}"),
        (2**37, r"137\,438\,953\,472\ \text{FLOP} \approx 137.439\ \text{GFLOP}"),
        (28587302322176, r"28\,587\,302\,322\,176\ \text{FLOP} \approx 28.5873\ \text{TFLOP}"),
        (15 * 10**14, r"1\,500\,000\,000\,000\,000\ \text{FLOP} = 1.5\ \text{PFLOP}"),
    ],
)
def test_flops_are_named_by_powers_of_ten(number: int, text: str) -> None:
    """From a billion on."""
    assert typeset.value(number, "FLOP") == text


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (0, r"0\,\%"),
        (100, r"100\,\%"),
        (Fraction(25, 2), r"12.5\,\%"),
        (Fraction(300, 7), r"\approx 42.8571\,\%"),
        (Fraction(25700, 4194304), r"\approx 0.00612736\,\%"),
        (Fraction(1, 3 * 10**8), r"\approx 3.33333 \times 10^{-9}\,\%"),
    ],
)
def test_percentages(percent: int | Fraction, text: str) -> None:
    """A rounded percentage says so."""
    assert typeset.value(percent, "%") == text


def test_subscripts_of_letters_and_of_words() -> None:
    """A single letter is a variable and stays slanted, a word stands upright."""
    assert typeset.formula(n_H) == "n_{H}"
    assert typeset.formula(3 * N_layer) == r"3 N_{\text{layer}}"


def in_bytes(expression: sympy.Expr, value: int) -> Quantity:
    """A number of bytes y given by an expression in x."""
    made: Quantity = part("1", "One", letter(x, value, "x"), formula("y", expression, symbol="y", unit="B"))["y"]
    return made


def test_an_equation_shows_formula_numbers_and_value() -> None:
    """One line each, aligned at the sign of equality; a negative number put in stands in brackets."""
    line = in_bytes(2 * x + 1, -3)
    assert typeset.equation(line) == (
        "\\begin{aligned}\ny &= 2 x + 1 \\\\\n&= 2 \\times \\left(-3\\right) + 1 \\\\\n&= -5\\ \\text{B}\n\\end{aligned}"
    )
    assert typeset.equation(line, numbers=False).count("&=") == 2


def test_an_equation_of_a_bare_value_has_one_line() -> None:
    """Where there is no formula there is nothing to put in."""
    assert typeset.equation(Quantity(address="1/count", symbol="T", value=13)) == "\\begin{aligned}\nT &= 13\n\\end{aligned}"


def test_numbers_put_in_are_grouped() -> None:
    """Large numbers in a product keep their thin spaces inside braces."""
    line = in_bytes(2 * x, 100000)
    assert r"{100\,000}" in typeset.substituted(line)
