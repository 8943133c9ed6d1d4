"""Addresses, letters and formulas of an Answer, written out by hand."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import pytest
import sympy

from generators.answer import answer, claim, derivation, formula, letter, line, number, part, text, value_at
from generators.cells import Math
from generators.pipeline.exact_pickle import dumped
from generators.pipeline.published import published, with_formulas
from generators.table import column, table

L, D, m = sympy.symbols("L D m", positive=True)
SHEET = part("sheet", "Given", letter(L, 7, "input tokens"), letter(D, 12, "model width"))


def test_a_formula_is_evaluated_at_the_letters_of_its_part() -> None:
    """Those of the part it stands within come first, its own next."""
    made = part("1.1", "Counts", number("m", 3, symbol=m), formula("flops", 2 * L * D * m, unit="FLOP"), within=SHEET)
    assert made["flops"].value == 504  # 2·7·12·3
    assert {str(symbol): one.address for symbol, one in made["flops"].letters.items()} == {
        "D": "sheet/D", "L": "sheet/L", "m": "1.1/m",
    }  # fmt: skip


def test_an_own_letter_hides_that_of_the_part_around() -> None:
    made = part("1.1", "Counts", letter(L, 2, "input tokens"), formula("twice", 2 * L), within=SHEET)
    assert made["twice"].value == 4
    assert made["twice"].letters[L].address == "1.1/L"


def test_a_letter_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1.1/flops: no letter of its part has a value for m$"):
        part("1.1", "Counts", formula("flops", L * m), within=SHEET)


@pytest.mark.parametrize("key", ["", "two words", "a/b", "a@b", "ä"])
def test_a_key_is_an_address(key: str) -> None:
    """Anything that could not stand in an address is refused, also in a table."""
    with pytest.raises(ValueError, match="a key must"):
        part("1.1", "Counts", number(key, 1, "what"))
    with pytest.raises(ValueError, match="a key must"):
        part("1.1", "Counts", table("rows", ["one"], {key: {"one": 1}}))


def test_a_key_stands_once() -> None:
    with pytest.raises(ValueError, match=r"1.1/one: a key must stand once"):
        part("1.1", "Counts", number("one", 1), text("one", "two"))


def test_words_hold_no_numbers() -> None:
    """A number in words would be a datum that nothing finds; FP16 is a name."""
    assert number("bits", 16, "bits of FP16").what == "bits of FP16"
    with pytest.raises(ValueError, match="words must hold no number"):
        number("share", 1, "share of 7 GiB")


def test_a_row_has_the_columns_of_its_table() -> None:
    """Cells by column or in the order of the columns, neither fewer nor more."""
    made = table("form", ["a", "b"], [("1", (1, 2)), ("2", {"b": 4, "a": 3})])
    assert made.rows == {"1": {"a": 1, "b": 2}, "2": {"a": 3, "b": 4}}
    for row, got in (({"a": 1}, "a: 1 cells"), ((1,), "a: 1 cells"), ((1, 2, 3), "a, b: 3 cells")):
        with pytest.raises(ValueError, match=rf"form/1: columns must be a, b \(got {got}\)"):
            table("form", ["a", "b"], {"1": row})


FORM = table(
    "form",
    [column("m", symbol=m), column("formula", of="flops"), column("flops", unit="FLOP"), "name"],
    {"up": {"m": 3, "formula": 2 * L * m, "flops": 42, "name": "FFN"}, "merge": dict.fromkeys(("m", "formula", "flops", "name"))},
    asked=True,
)
ANSWER = answer(
    SHEET,
    part(
        "1.1",
        "Counts",
        FORM,
        claim("memory_bound", True),
        text("said", Math("x")),
        derivation("proof", {"first": line("y", 2 * L, "because")}),
        number("share", Fraction(1, 3), symbol="s", unit="%"),
        within=SHEET,
    ),
)


def test_an_address_leads_to_its_datum() -> None:
    assert ANSWER["1.1"].title == "Counts"
    assert ANSWER["1.1/share"].value == Fraction(1, 3)
    assert ANSWER["1.1/form/up/flops"].value == 42
    assert ANSWER["1.1/form/up/flops"].unit == "FLOP"
    assert ANSWER["1.1/proof/first"].value == 2 * L
    for unknown in ("1.2", "1.1/none", "1.1/form/up/none", "1.1/share/more"):
        with pytest.raises(KeyError):
            _ = ANSWER[unknown]


def test_a_cell_has_the_formula_of_the_column_beside_it() -> None:
    """Its letters are those of the row and of the part."""
    cell = ANSWER["1.1/form/up/flops"]
    assert cell.formula == 2 * L * m
    assert {str(symbol): one.address for symbol, one in cell.letters.items()} == {"L": "sheet/L", "m": "1.1/form/up/m"}
    assert [one.address for one in with_formulas(ANSWER)] == ["1.1/form/up/flops"]


def test_every_datum_is_published_at_its_address() -> None:
    """Values, orders, and what is said of them; a formula is evaluated instead."""
    expected: dict[str, Any] = {
        "sheet@title": "Given", "sheet/L": 7, "sheet/L@symbol": "L", "sheet/D": 12, "sheet/D@symbol": "D",
        "1.1@title": "Counts",
        "1.1/form@rows": ("up", "merge"), "1.1/form@columns": ("m", "formula", "flops", "name"),
        "1.1/form/m@symbol": "m", "1.1/form/flops@unit": "FLOP",
        "1.1/form/up/m": 3, "1.1/form/up/flops": 42, "1.1/form/up/name": "FFN",
        "1.1/form/merge/m": None, "1.1/form/merge/flops": None, "1.1/form/merge/name": None,
        "1.1/memory_bound": True, "1.1/said": Math("x"),
        "1.1/proof@lines": ("first",), "1.1/proof/first": 2 * L, "1.1/proof/first@symbol": "y",
        "1.1/share": Fraction(1, 3), "1.1/share@symbol": "s", "1.1/share@unit": "%",
    }  # fmt: skip
    assert published(ANSWER) == expected


def test_a_series_brings_its_label_and_unit() -> None:
    series = ANSWER["1.1/form"]["flops"]
    assert (series.label, series.unit, series.numbers) == ("Flops", "FLOP", {"up": 42.0})


def test_a_value_at_the_letters_of_a_part() -> None:
    assert value_at(L / D, SHEET) == Fraction(7, 12)


def test_an_answer_reaches_another_process_as_it_is_written() -> None:
    """SymPy itself would read 2·(L·D) back as 2·L·D, the power of a product as a product of powers."""
    product = sympy.Mul(L, D, evaluate=False)
    written = sympy.Mul(2, product, sympy.Pow(product, 2, evaluate=False), evaluate=False)
    sent = answer(part("1.1", "Counts", formula("twice", written), within=SHEET))
    received = pickle.loads(dumped([sent]))[0].parts["1.1"]["twice"]
    assert sympy.srepr(received.formula) == sympy.srepr(written)
    assert received.value == 2 * 84 * 84**2  # L·D = 7·12 = 84
