"""Tables whose numbers are shown rounded only."""

from fractions import Fraction

import sympy

from generators.pipeline.render import table
from generators.steps import Table


def shown(cell: Fraction | sympy.Expr, unit: str = "") -> str:
    text = str(table(Table(header=("x",), rows=((cell,),)), rounded=True, units={"x": unit}))
    return text.splitlines()[-1].strip("| $")


def test_fractions_and_constants_lose_their_exact_form() -> None:
    assert shown(Fraction(1, 3)) == "0.333333"
    assert shown(sympy.exp(-2)) == "0.135335"


def test_a_percentage_stays_one() -> None:
    assert shown(Fraction(1, 4), "%") == r"25\,\%"


def test_letters_stay() -> None:
    assert shown(2 * sympy.Symbol("x")) == "2 x"
