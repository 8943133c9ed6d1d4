"""Slips: rules that change a boxed number as a reader may have, so that a page can say what another number comes from.

Each rule gives words and a number; the words continue "This is the number". A question adds slips of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy

from generators.answer import Answer, Claim, Part, Text
from generators.cells import Cell, Quantity, words
from generators.params import Params
from generators.question import Slip
from generators.table import Series, Table

Said = tuple[str, Fraction]
"""What was done, and the number that it gives."""

LARGEST_POWER = 1000
"""A letter in the place of another may raise a number to a power that no machine can hold."""

Letters = Mapping[sympy.Symbol, Any]
"""Numbers of the letters that a formula may use."""


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """A number that the sheet asks for, its name in the box, and what rules may need."""

    one: Quantity
    name: str
    number: Fraction
    letters: Letters
    beside: Mapping[str, Cell] = field(default_factory=dict)
    counting: Mapping[str, int]


def boxed(params: Params, answer: Answer) -> Iterator[Boxed]:
    """Every exact number that is asked for, cells of tables one by one; what was measured or sampled has no slips."""
    held: Any = getattr(params, "conventions", None)
    counting = {name: one for name, one in (held.model_dump() if held else {}).items() if type(one) is int}
    for part in answer.parts.values():
        letters = {symbol: one.value for symbol, one in part.letters.items()}
        for name, one, beside in _asked(part):
            if isinstance(one.value, int | Fraction):
                number = Fraction(one.value)
                yield Boxed(one=one, name=name, number=number, letters=letters, beside=beside, counting=counting)


def _asked(part: Part) -> Iterator[tuple[str, Quantity, dict[str, Cell]]]:
    """What a part asks for with its name, and by name what stands beside it: in its column, or in its unit."""
    items = [item for item in part.items.values() if not isinstance(item, Text | Claim) and item.asked]
    quantities = [item for item in items if isinstance(item, Quantity)]
    for one in quantities:
        yield one.what, one, {other.what: other.value for other in quantities if other is not one and other.unit == one.unit}
    tables = [item for item in items if isinstance(item, Table) and not item.drawn]
    for table in tables:
        names = {row: _row_name(table, row) for row in table.rows}
        of = f"{words(table.address.rpartition('/')[2])}, " if len(tables) > 1 else ""
        for series in _numbers(table):
            for row in table.rows:
                beside = {names[other]: cell for other, cell in series.cells.items() if other != row}
                yield f"{of}{names[row]}: {series.label}", table.cell(row, series.column.key), beside


def _numbers(table: Table) -> list[Series]:
    """The columns, but for one that numbers the rows; none of a table that holds measured numbers."""
    columns = [table[key] for key in table.columns]
    measured = any(isinstance(cell, float) for series in columns for cell in series.cells.values())
    numbered = list(range(1, len(table.rows) + 1))
    return [] if measured else [series for series in columns if list(series.cells.values()) != numbered]


def _row_name(table: Table, row: str) -> str:
    """The first text of a row, with its heading where it is a number; else the row's key in words."""
    key, text = next(((key, cell) for key, cell in table.rows[row].items() if isinstance(cell, str)), ("", ""))
    return f"{table[key].label} {text}" if text[:1].isdigit() else text or words(row)


def of_formula(formula: sympy.Basic, letters: Letters) -> Iterator[Said]:
    """Another letter in a letter's place, a summand left out, one layer instead of all."""
    at = {symbol: letters[symbol] for symbol in sorted(formula.free_symbols, key=str)}
    for symbol in at:
        for other in sorted(letters.keys() - {symbol}, key=str):
            yield from _evaluated(f"with {other} in place of {symbol}", formula, {**at, symbol: letters[other]})
        if str(symbol).startswith("N_"):
            yield from _evaluated("of one layer", formula, {**at, symbol: 1})
    for summed in sorted((one for one in sympy.preorder_traversal(formula) if one.is_Add), key=sympy.default_sort_key):
        for term in summed.args:
            left = formula.xreplace({summed: summed - term})
            yield from _evaluated(f"without {typed(term)} in {typed(summed)}", left, at)


def _evaluated(said: str, formula: sympy.Basic, at: Letters) -> Iterator[Said]:
    number = _number(formula, at)
    if number is not None:
        yield said, number


def _number(formula: sympy.Basic, at: Letters) -> Fraction | None:
    """An exact number, many times faster than sympy's; None for what has another function, divides by zero or is huge."""
    if isinstance(formula, sympy.Symbol):
        return Fraction(at[formula]) if isinstance(at[formula], int | Fraction) else None
    if isinstance(formula, sympy.Rational):
        return Fraction(int(formula.p), int(formula.q))
    numbers = [_number(one, at) for one in formula.args]
    known = [one for one in numbers if one is not None]
    if len(known) < len(numbers):
        return None
    if isinstance(formula, sympy.Add):
        return sum(known, Fraction(0))
    if isinstance(formula, sympy.Mul):
        return math.prod(known, start=Fraction(1))
    if isinstance(formula, sympy.Pow) and known[1].denominator == 1 and abs(known[1]) <= LARGEST_POWER:
        base, power = known
        return base ** int(power) if base or power > 0 else None
    return None


def typed(expression: sympy.Basic) -> str:
    """An expression on one line of plain text."""
    return str(expression).replace("**", "^").replace("*", " ")


def _by_formula(of: Boxed) -> Iterator[Said]:
    if of.one.formula is not None:
        yield from of_formula(of.one.formula, {**of.letters, **of.one.at})


def _counted_otherwise(of: Boxed) -> Iterator[Said]:
    """A multiply-add as one FLOP or as two."""
    each = of.counting.get("flops_per_multiply_add")
    if each in (1, 2) and of.one.unit in ("FLOP", "FLOP/B"):
        said = {1: "with one FLOP for a multiply-add", 2: "with two FLOPs for a multiply-add"}
        yield said[3 - each], of.number * (3 - each) / each


def _stored_otherwise(of: Boxed) -> Iterator[Said]:
    """Elements of another size."""
    each = of.counting.get("bytes_per_element")
    power = {"B": 1, "FLOP/B": -1}.get(of.one.unit)
    if each and power:
        for size in (1, 2, 4, 8):
            yield f"with {size} byte{'s' if size > 1 else ''} for a value", of.number * Fraction(size, each) ** power


def _in_another_unit(of: Boxed) -> Iterator[Said]:
    """Multiples of 1000 for those of 1024, bits for bytes, a share for a percentage."""
    if of.one.unit == "B":
        yield "in bits", 8 * of.number
        yield "of parameters and gradients together", 2 * of.number
        for power, (decimal, binary) in enumerate((("kB", "KiB"), ("MB", "MiB"), ("GB", "GiB"), ("TB", "TiB")), 1):
            yield f"with {decimal} in place of {binary}", of.number * Fraction(1000, 1024) ** power
    if of.one.unit == "FLOP/B" and of.number:
        yield "of bytes for each FLOP", 1 / of.number
    if of.one.unit == "%":
        yield "as a share, not in per cent", of.number / 100


def _other_sign(of: Boxed) -> Iterator[Said]:
    yield "with the other sign", -of.number


def _beside(of: Boxed) -> Iterator[Said]:
    """The number of another row."""
    for name, cell in of.beside.items():
        if isinstance(cell, int | Fraction):
            yield f"of “{name}”", Fraction(cell)


RULES: tuple[Callable[[Boxed], Iterable[Said]], ...] = (
    _counted_otherwise, _stored_otherwise, _in_another_unit, _other_sign, _beside, _by_formula,
)  # fmt: skip


def slips(of: Boxed, own: Iterable[Said] = ()) -> dict[Fraction, list[str]]:
    """What each other number comes from; those of `own` stand first, and slips that change nothing are left out."""
    found: dict[Fraction, list[str]] = {}
    for said, number in (*own, *(pair for rule in RULES for pair in rule(of))):
        if number != of.number and said not in found.setdefault(number, []):
            found[number].append(said)
    return found


def explained(params: Params, answer: Answer, own: Iterable[Slip]) -> list[dict[str, Any]]:
    """Every boxed number with its slips, as plain data for the page."""
    of_question: dict[str, list[Said]] = {}
    for address, said, number in own:
        of_question.setdefault(address, []).append((said, number))
    return [
        {
            "at": one.one.address,
            "name": one.name,
            "unit": one.one.unit,
            "value": str(one.number),
            "slips": [[str(number), *said] for number, said in slips(one, of_question.get(one.one.address, ())).items()],
        }
        for one in boxed(params, answer)
    ]
