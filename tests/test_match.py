"""The matcher: what agrees, what it refuses and what its messages say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from generators.answer import Answer, answer, claim, formula, letter, number, part
from generators.cells import Math
from generators.found import Found, Proof, Route
from generators.matrices import Diagonal
from generators.pipeline import worlds
from generators.pipeline.ledger import ledger
from generators.pipeline.match import Findings, agree, formula_problems, letters_of_one_value, problems, summary
from generators.table import column, table

L, D = sympy.symbols("L D", positive=True)
COUNTED = Route("counting")
SHEET = Route("the sheet", restates=True)


def made(length: int = 7, width: int = 12, expression: sympy.Expr = 2 * L * D, **cells: Any) -> Answer:
    """One formula, one claim and a small table."""
    sheet = part("sheet", "Given", letter(L, length, "tokens"), letter(D, width, "width"))
    rows = {"a": {"size": 1, "share": Fraction(1, 3)}, "b": {"size": 2, "share": Fraction(2, 3)}}
    rows["a"] |= cells
    counts = part(
        "1.1",
        "Counts",
        formula("flops", expression, symbol="F", unit="FLOP", asked=True),
        claim("short", length < 10),
        table("parts", ["size", column("share", unit="%")], rows),
        within=sheet,
    )
    return answer(sheet, counts)


def found(length: int = 7, width: int = 12) -> Iterator[Found | Proof]:
    """The same, by counting."""
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.letters("sheet", L=length, D=width)
    yield from SHEET.part("1.1", "Counts")
    flops = sum(2 for _ in range(length) for _ in range(width))
    yield from COUNTED.values("1.1", {"flops": flops}, unit="FLOP", symbols={"flops": "F"})
    yield from COUNTED.values("1.1", short=length < 10)
    rows: dict[str, dict[str, Any]] = {
        "a": {"size": 1, "share": Fraction(1, 3)},
        "b": {"size": 2, "share": 1 - Fraction(1, 3)},
    }
    yield from COUNTED.table("1.1", "parts", rows, units={"share": "%"})


def matched(of: Answer, ones: Iterable[Found | Proof]) -> list[str]:
    return problems(of, Findings.gathered(ones))


def test_what_was_found_matches() -> None:
    assert matched(made(), found()) == []


def test_a_wrong_value_is_named_with_its_address() -> None:
    assert matched(made(size=3), found()) == ["1.1/parts/a/size: published 3, found 1 by counting"]


def test_what_nothing_found_is_refused() -> None:
    """A datum that is left out by `find` fails like a wrong one."""
    ones = [one for one in found() if not (isinstance(one, Found) and one.address == "1.1/parts/b/share")]
    assert matched(made(), ones) == ["1.1/parts/b/share: published 2/3, nothing found it"]


def test_what_nobody_published_is_refused() -> None:
    ones = [*found(), *COUNTED.values("1.1", more=1)]
    assert matched(made(), ones) == ["1.1/more: nothing is published there, counting found 1"]


@pytest.mark.parametrize("address", ["1.1@title", "1.1/flops@unit", "1.1/flops@symbol", "1.1/parts@rows", "1.1/parts/share@unit"])
def test_words_orders_and_units_are_data(address: str) -> None:
    """Another title, symbol, unit or order is a problem at its own address."""
    ones = [
        Found(one.address, (*one.value[::-1],) if isinstance(one.value, tuple) else f"{one.value} not", one.route)
        if isinstance(one, Found) and one.address == address
        else one
        for one in found()
    ]
    assert [message.partition(": ")[0] for message in matched(made(), ones)] == [address]


def test_exchanged_columns_are_noticed() -> None:
    """Keys address cells, so exchanged contents or an exchanged order cannot pass."""
    exchanged = table("parts", ["size", column("share", unit="%")], {"a": {"size": Fraction(1, 3), "share": 1}})
    ones = COUNTED.table("1.1", "parts", {"a": {"size": 1, "share": Fraction(1, 3)}}, units={"share": "%"})
    of = answer(part("1.1", "Counts", exchanged))
    assert len(matched(of, [*ones, *SHEET.part("1.1", "Counts")])) == 2


def test_a_second_route_must_agree_too() -> None:
    ones = [*found(), *Route("another").cells("1.1", "parts", {"b": {"size": 5}})]
    assert matched(made(), ones) == ["1.1/parts/b/size: published 2, found 5 by another"]


def test_formulas_are_evaluated_at_other_sizes() -> None:
    """24·L gives the right value at the page's width of 12 only."""
    at_entry, at_other = Findings.gathered(found()), Findings.gathered(found(5, 3))
    assert formula_problems(made(), at_entry, [at_other]) == []
    wrong = made(expression=24 * L + 0 * D)
    assert matched(wrong, found()) == []
    assert formula_problems(wrong, at_entry, [at_other]) == [
        "1.1/flops: its formula gives 120 at L = 5, found 30 by counting"  # 24·5 against 2·5·3
    ]


def test_a_formula_needs_other_sizes() -> None:
    at_entry = Findings.gathered(found())
    messages = formula_problems(made(), at_entry, [])
    assert messages[0] == "1.1/flops: its formula is evaluated at the entry's sizes alone; add to `others`"


def test_a_letter_needs_two_values() -> None:
    """One that never changes could be a number typed in."""
    at_entry, at_other = Findings.gathered(found()), Findings.gathered(found(7, 3))
    assert letters_of_one_value(made(), [at_entry, at_other]) == ["sheet/L"]
    assert letters_of_one_value(made(), [at_entry, Findings.gathered(found(5, 3))]) == []


@pytest.mark.parametrize(
    ("value", "of", "equal"),
    [
        (Fraction(4096, 3), Fraction(4096, 3), True),
        (Fraction(4096, 3), 1365.3333333333333, False),  # exact values need exact findings, or a tolerance
        (1, True, False),
        (True, True, True),
        (0, None, False),
        (None, None, True),
        ("a", "a", True),
        (Math("a"), "a", False),
        (sympy.sqrt(8), 2 * sympy.sqrt(2), True),
        (sympy.sqrt(8), 3, False),
        (L * (D + 1), L * D + L, True),
        (float("nan"), float("nan"), False),
    ],
)
def test_what_agrees_without_a_tolerance(value: Any, of: Any, equal: bool) -> None:
    assert agree(value, of) is equal


def test_floats_agree_within_the_tolerance_of_their_route() -> None:
    assert agree(1.0, 1.0 + 1e-10, 1e-9)
    assert not agree(1.0, 1.0 + 1e-8, 1e-9)
    assert agree(Fraction(1, 3), 1 / 3, 1e-12)
    assert agree(0.0, 1e-15, 0.0, 1e-12)


def test_an_expression_is_evaluated_in_worlds() -> None:
    cases = [({"L": 2, "D": 3}, 12), ({"L": 5, "D": 1}, 10)]
    of = answer(part("1", "Growth", number("cost", 2 * L * D)))
    ones = [*SHEET.part("1", "Growth"), *COUNTED.worlds("1/cost", cases)]
    assert matched(of, ones) == []
    assert matched(answer(part("1", "Growth", number("cost", L * D))), ones) != []


def test_matrices_are_evaluated_in_worlds() -> None:
    """A transpose left out changes the shape; one exchanged changes the numbers."""
    n = sympy.Symbol("n")
    a, b = sympy.MatrixSymbol("A", n, n), sympy.MatrixSymbol("B", n, n)
    world: dict[str, Any] = {"n": 2, "A": np.array([[1.0, 2.0], [3.0, 4.0]]), "B": np.array([[0.0, 1.0], [1.0, 1.0]])}
    product = world["A"].T @ world["B"]
    assert worlds.difference(sympy.MatMul(sympy.Transpose(a), b), world, product) == 0
    assert worlds.difference(sympy.MatMul(a, b), world, product) > 0.1
    assert worlds.difference(sympy.MatMul(a, b), {"n": 2, "A": world["A"]}, product) == float("inf")


def test_unknown_operations_have_no_value() -> None:
    """What evaluates expressions refuses what it does not know, rather than guessing."""
    a, b = sympy.MatrixSymbol("a", 2, 2), sympy.MatrixSymbol("b", 2, 2)
    values = {"a": np.eye(2)}
    for expression, world in (
        (sympy.Inverse(a), values),
        (sympy.MatAdd(a, b), {**values, "b": np.ones((2, 1))}),
        (Diagonal(sympy.MatrixSymbol("c", 2, 1)), values),
    ):
        with pytest.raises(worlds.NoValue):
            worlds.evaluated(expression, world)


def test_a_shape_needs_its_sizes() -> None:
    """The written shape is that of the numbers, in letters that have a size."""
    d = sympy.Symbol("d")
    a, values = sympy.MatrixSymbol("a", d, 1), {"a": np.ones((3, 1))}
    assert worlds.difference(a, {**values, "d": 3}, values["a"]) == 0
    assert worlds.difference(a, {**values, "d": 2}, values["a"]) == math.inf
    assert worlds.difference(a, values, values["a"]) == math.inf


def test_a_proof_must_hold() -> None:
    near = Route("a model", tolerance=1e-12)
    assert matched(made(), [*found(), *near.proof("logits agree", 1e-13)]) == []
    assert matched(made(), [*found(), *near.proof("logits agree", 1e-3)]) == [
        "logits agree: differs by 1.0e-03, a model allows 1e-12"
    ]
    assert matched(made(), [*found(), *near.proof("logits agree", float("nan"))]) != []


def test_a_message_shows_three_problems() -> None:
    messages = [f"1.1/form/{row}/x: published 1, nothing found it" for row in range(5)]
    assert summary(messages).count("nothing found it") == 3
    assert summary(messages).endswith("; and 2 more")
    assert summary([*messages, "1.1/x: nothing is published there, counting found 1"]).startswith("1.1/x: ")


def test_the_ledger_counts_by_route() -> None:
    """What is asked stands alone, what only the sheet says is counted apart."""
    one = ledger(made(), Findings.gathered(found()))
    # read again: 2 titles, 4 letters and symbols; flops with unit and symbol, claim, orders, unit, 4 cells: 3 + 1 + 2 + 1 + 4
    assert (one.values, one.restated, dict(one.routes), one.drawn, one.formulas) == (11, 6, {"counting": 11}, 0, 1)
    assert [astuple(boxed) for boxed in one.boxed] == [("1.1/flops", "1.1, flops", "168 FLOP", "168 FLOP", "counting")]


def boxed(n_rows: int) -> list[tuple[str, str]]:
    """What is listed of two asked tables of bytes, one with a single row."""
    rows = {"one": {"0": {"size": 0}}, "many": {str(place): {"size": place} for place in range(n_rows)}}
    items = [table(key, [column("size", unit="B")], cells, asked=True) for key, cells in rows.items()]
    ones = [one for key, cells in rows.items() for one in COUNTED.table("1.1", key, cells, units={"size": "B"})]
    held = ledger(answer(part("1.1", "Sizes", *items)), Findings.gathered([*SHEET.part("1.1", "Sizes"), *ones]))
    return [(one.address, one.published) for one in held.boxed]


def test_the_numbers_of_a_page_are_listed_up_to_twenty() -> None:
    """One more, and each table stands in one row."""
    assert boxed(19) == [("1.1/one/0/size", "0 B"), *((f"1.1/many/{place}/size", f"{place} B") for place in range(19))]
    assert boxed(20) == [("1.1/one", "1 cell"), ("1.1/many", "20 cells")]
