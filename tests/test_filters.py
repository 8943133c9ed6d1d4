"""What templates' filters make of data: Markdown with addresses, written out by hand."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
import sympy

from generators.answer import Text, formula, letter, part
from generators.cells import Math, Quantity
from generators.pipeline import addresses, filters, tables, wording
from generators.pipeline.shown import marked
from generators.pipeline.wording import counted, noun
from generators.table import column, table

L = sympy.Symbol("L", positive=True)
TABLE = table(
    "form",
    ["name", column("time", unit="ms"), column("size", unit="B"), column("share", unit="%"), column("left", Math("x"))],
    {"a": {"name": "t13 | b", "time": 1.5, "size": 2048, "share": Fraction(100, 3), "left": None}},
)
PART = part("1.1", "Counts", letter(L, 7, "tokens"), formula("twice", 2 * L, symbol="T", unit="B"), TABLE)


def quantity(value: int | Fraction | float | str, unit: str = "") -> Quantity:
    return Quantity(address="1/a", value=value, unit=unit)


def test_the_first_place_of_an_address_gets_it_as_id() -> None:
    """Ids stand once on a page; print has none."""
    text = f"{marked('1/a', 'x')} {marked('1/a', 'x')} {filters.value(quantity(3))}"
    assert addresses.anchored(text) == '<span id="1/a">x</span> x $3$'
    assert addresses.anchored(str(filters.value(quantity(3)))) == r"$\label{1/a} 3$"
    assert addresses.bare(text) == "x x $3$"


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (Fraction(4096, 3), "FLOP/B", r"$\frac{4096}{3}$ $\approx 1365.33\ \text{FLOP/B}$"),
        (Fraction(81580, 2000), "%", r"$40.79\,\%$"),  # percent stay percent
        (40.79, "%", r"$40.79\,\%$"),
        (1.5, "ms", r"$1.5\ \text{ms}$"),
    ],
)
def test_a_value_with_its_unit(value: Fraction | float, unit: str, shown: str) -> None:
    assert addresses.bare(str(filters.value(quantity(value, unit)))) == shown


def test_a_result_shows_symbol_formula_and_value() -> None:
    """No line breaks a short one; a long one may break before each relation."""
    assert addresses.bare(str(filters.result(PART["twice"]))) == r"$T = 2 L = 14\ \text{B}$"
    assert addresses.bare(str(filters.result(PART["L"]))) == "$L = 7$"
    long = part("1.1", "Counts", letter(L, 7, "tokens"), formula("twice", 2 * L, symbol=r"T_{\text{of all tokens}}", unit="B"))
    assert addresses.bare(str(filters.result(long["twice"]))) == r"$T_{\text{of all tokens}}$ $= 2 L$ $= 14\ \text{B}$"


def test_a_table_has_units_where_readers_expect_them() -> None:
    """Behind bytes and percent, else in the heading; text is escaped, an empty cell is a dash."""
    header, rule, row = addresses.bare(str(tables.table(TABLE))).strip().splitlines()
    assert header == "| Name | Time (ms) | Size | Share | $x$ |"
    assert rule == "| :--- | ---: | ---: | ---: | ---: |"
    assert row == r"| t13 &#124; b | $1.5$ | $2048\ \text{B} = 2\ \text{KiB}$ | $\approx 33.3333\,\%$ | – |"
    headed = addresses.bare(str(tables.table(TABLE, ["size"], units_in_headings=True))).strip().splitlines()
    assert headed[::2] == ["| Size (B) |", "| $2048$ |"]


def test_columns_may_be_chosen() -> None:
    assert addresses.bare(str(tables.table(TABLE, ["name"], tokens=True))).strip().splitlines()[2] == "| t₁₃ &#124; b |"


def test_a_number_in_running_text() -> None:
    assert addresses.bare(str(filters.counted(quantity(1), "token"))) == "1 token"
    assert addresses.bare(str(filters.counted(quantity(12345), "token"))) == "12&#8239;345 tokens"
    assert addresses.bare(str(filters.counted(quantity(Fraction(1, 3)), "copy", "copies"))) == "1&#47;3 copies"


def test_only_data_and_words_are_shown() -> None:
    """A bare number in a template is no datum of the answer."""
    assert str(filters.finalized("a*b")) == "a&#42;b"
    assert addresses.bare(str(filters.finalized(Text(address="1/t", value=Math("x^2"))))) == "$x^2$"
    with pytest.raises(TypeError, match="must be a datum of the answer or text"):
        filters.finalized(3)


def shown(cell: Fraction | sympy.Expr, unit: str = "") -> str:
    """A cell of a table whose numbers are rounded."""
    made = table("t", [column("x", unit=unit)], {"a": {"x": cell}})
    return addresses.bare(str(tables.table(made, rounded=True))).splitlines()[-1].strip("| $")


def test_rounded_numbers_lose_their_exact_form() -> None:
    """Fractions and constants do, percentages have none, and letters stay."""
    assert shown(Fraction(1, 3)) == "0.333333"
    assert shown(sympy.exp(-2)) == "0.135335"
    assert shown(Fraction(25), "%") == r"25\,\%"
    assert shown(2 * L) == "2 L"


def test_numbers_with_fewer_digits() -> None:
    """An exact value stays as it is; a measured one keeps the zeros that it was rounded to."""
    assert addresses.bare(str(filters.value(quantity(Fraction(200, 3), "%"), digits=3))) == r"$\approx 66.7\,\%$"
    assert addresses.bare(str(filters.value(quantity(Fraction(10**6 + 1, 3), "%"), digits=3))) == r"$\approx 333\,334\,\%$"
    assert addresses.bare(str(filters.value(quantity(2**20 + 1, "B"), digits=3))).endswith(r"$\approx 1.00\ \text{MiB}$")
    assert addresses.bare(str(filters.value(quantity(1.7), digits=3))) == "$1.70$"


def test_aligned_numbers_have_as_many_decimals() -> None:
    """Nothing and a fraction have none."""
    made = table("t", ["x"], {"a": (-5,), "b": (Fraction(-49, 10),), "c": (0,)})
    assert re.findall(r"[-\d.]+(?=\$)", addresses.bare(str(tables.table(made, aligned=True)))) == ["-5.0", "-4.9", "0"]
    made = table("t", ["x"], {"a": (-5,), "b": (Fraction(-1, 3),)})
    assert "$-5$" in addresses.bare(str(tables.table(made, aligned=True)))


def test_a_formula_in_a_cell_has_no_bar_that_would_end_it() -> None:
    """|x| is written with a command."""
    made = table("t", ["x"], {"a": {"x": Math("|x|")}})
    assert r"\vert x\vert" in tables.table(made)


def test_a_sentence_begins_with_a_capital() -> None:
    """The rest stays as it is."""
    assert wording.sentence("bytes of FLOPs") == "Bytes of FLOPs"


def test_code_keeps_its_lines() -> None:
    """A blank line within a block is four spaces, so that the block does not end there."""
    assert filters.code(Text(address="1/a", value="a \\\n  b\n\nc")) == "    a \\\n      b\n    \n    c"
    runs = table("runs", ["set", "text"], {"a": ("k = 1", "x\ny"), "b": ("k = 2", "z")})
    assert filters.code(runs) == "    k = 1\n    x\n    y\n    \n    k = 2\n    z"


def test_a_noun_goes_with_its_number() -> None:
    """The singular goes with 1 alone."""
    assert [counted(number, "token") for number in (0, 1, 2)] == ["0 tokens", "1 token", "2 tokens"]
    assert [counted(number, "copy", "copies") for number in (1, 3)] == ["1 copy", "3 copies"]
    assert noun(1, "is", "are") == "is"
