"""Numbers too long to read, irrational constants, decimals in the working, and logarithms."""

from fractions import Fraction
from xml.etree import ElementTree

import sympy

from generators.answer import formula as given_by
from generators.answer import letter, part
from generators.cells import Quantity
from generators.pipeline import typeset
from generators.pipeline.site.markdown import mathml


def test_a_number_of_more_than_24_digits_is_shown_rounded_only() -> None:
    assert typeset.value(10**23) == r"100\,000\,000\,000\,000\,000\,000\,000"
    assert typeset.value(3 * 10**24, "s") == r"\approx 3 \times 10^{24}\ \text{s}"
    assert typeset.value(Fraction(10**30, 7)) == r"\approx 1.42857 \times 10^{29}"


def test_an_equation_does_not_write_equals_before_approximately() -> None:
    assert r"S &\approx 1 \times 10^{30}" in typeset.equation(Quantity(address="1/count", symbol="S", value=10**30))


def test_an_irrational_constant_gets_its_rounded_value() -> None:
    assert typeset.value(sympy.log(2)) == r"\log{\left(2 \right)} \approx 0.693147"
    x = sympy.Symbol("x")
    assert typeset.value(2 * x) == "2 x"


def test_exact_decimals_are_put_into_a_formula_as_decimals() -> None:
    a, b = sympy.symbols("a b")
    made = part("1", "One", letter(a, Fraction(-3, 10), "a"), letter(b, Fraction(1, 3), "b"), given_by("sum", a + b))
    assert typeset.substituted(made["sum"]) == r"\left(-0.3\right) + \left(\frac{1}{3}\right)"


def test_a_binary_logarithm_is_written_as_one() -> None:
    n, b = sympy.symbols("n b", positive=True)
    ceiling = typeset.formula(sympy.ceiling(sympy.log(b * n, 2)) + sympy.log(n) / 3)
    assert r"\lceil{\log_{2}{\left(b n \right)}}" in ceiling
    assert r"\frac{\log{\left(n \right)}}{3}" in ceiling
    assert typeset.formula(sympy.log(n, 2) + sympy.log(b, 2)) == r"\log_{2}{\left(b \right)} + \log_{2}{\left(n \right)}"


def test_a_named_function_becomes_mathml_that_xml_can_read() -> None:
    element = ElementTree.fromstring(mathml(r"O(B \log B) < 1", display=False))
    assert "".join(element.itertext()).replace("\u2061", "") == "O(BlogB)<1"
