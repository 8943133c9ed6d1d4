"""Slips: rules that change a boxed number as a reader may have, so that a page can say what another number comes from.

Each rule gives words and a number; the words continue "This is the number". A question adds slips of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy

from generators.answer import Answer, Part
from generators.cells import Quantity
from generators.params import Params
from generators.pipeline.called import is_array, names
from generators.table import Table

Said = tuple[str, Fraction]
"""What was done, and the number that it gives."""

Letters = Mapping[sympy.Symbol, Any]
"""Numbers of the letters that a formula may use."""

Units = Mapping[sympy.Symbol, str]
"""Units of letters; one that is not there has none."""

NO_UNITS: Units = {}

LARGEST_BITS = 10_000
"""A letter in the place of another may make a power that no machine can hold."""

LAYERS, LONGEST = ("N_layer", "N_top"), 30
"""Letters that count layers, and characters of a sum that is said whole."""


LARGEST_FACTOR = 100
"""What a factor may be that a reader forgets."""

SIZES = (1, 2, 4, 8)
"""Bytes that a value may take."""


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """A number that the sheet asks for, its name in the box, and what rules may need."""

    quantity: Quantity
    name: str
    letters: Letters
    units: Units
    flops_per_multiply_add: int | None
    bytes_per_value: int | None

    @property
    def number(self) -> Fraction:
        """The number that is asked for; of one with logarithms or powers of e, many more digits than a reader types."""
        return as_fraction(self.quantity.value)


def as_fraction(value: Any) -> Fraction:
    """An exact number, or a real one to 20 digits."""
    return Fraction(value) if isinstance(value, int | Fraction) else Fraction(str(sympy.N(value, 20)))


def boxed(params: Params, answer: Answer) -> Iterator[Boxed]:
    """Every number that is asked for, cells of tables one by one; what was measured or sampled has no slips."""
    conventions = getattr(params, "conventions", None)
    each = getattr(conventions, "flops_per_multiply_add", None)
    sizes = [name for name in dict(conventions or ()) if name.startswith("bytes_")]
    size = getattr(conventions, "bytes_per_element", None) if len(sizes) == 1 else None
    for part in answer.parts.values():
        letters = {symbol: one.value for symbol, one in part.letters.items()}
        units = {symbol: one.unit for symbol, one in part.letters.items()}
        called = names(part)
        numbers = [_as_number(one, letters) for one in _asked(part)]
        for one in (one for one in numbers if isinstance(one.value, int | Fraction) or _is_real(one.value)):
            counted = {"flops_per_multiply_add": each, "bytes_per_value": size}
            yield Boxed(quantity=one, name=called[one.address], letters=letters, units=units, **counted)


def _as_number(one: Quantity, letters: Letters) -> Quantity:
    """A formula with numbers in the places of its letters, where they have some; all else as it is."""
    if isinstance(one.value, sympy.Expr) and one.value.free_symbols and one.value.free_symbols <= letters.keys():
        number = evaluated(one.value, letters)
        return one if number is None else replace(one, value=number, formula=one.value)
    return one


def _is_real(value: Any) -> bool:
    return isinstance(value, sympy.Expr) and bool(value.is_number and value.is_real)


def _asked(part: Part) -> Iterator[Quantity]:
    """What a part asks for; of tables the columns that answer, of arrays every entry."""
    for item in part.items.values():
        if isinstance(item, Quantity) and item.asked:
            yield item
        if isinstance(item, Table) and item.asked and not item.drawn:
            for column in item.columns if is_array(item) else _columns(item):
                yield from (item.cell(row, column) for row in item.rows)


def _columns(table: Table) -> list[str]:
    """The columns that answer; none of a table that holds measured numbers."""
    keys = list(table.columns)
    measured = any(isinstance(cell, float) for key in keys for cell in table[key].cells.values())
    return [] if measured else keys[1:]


def of_formula(formula: sympy.Basic, letters: Letters, units: Units = NO_UNITS) -> Iterator[Said]:
    """Values of another size, one layer for all, another letter of its unit, a part left out, rounding the other way."""
    at = {symbol: letters[symbol] for symbol in sorted(formula.free_symbols, key=str)}
    layers = {one for one in letters if str(one) in LAYERS}
    for symbol in (one for one in at if one in layers):
        yield from _evaluated("of one layer", formula, {**at, symbol: 1})
        for other in sorted(layers - {symbol}, key=str):
            yield from _evaluated(f"of {other} layers, not of {symbol}", formula, {**at, symbol: letters[other]})
    sizes = {one for one, number in letters.items() if units.get(one) == "B" and number in SIZES}
    for symbol in (one for one in at if one in sizes):
        for size in SIZES:
            yield from _evaluated(f"with {size} byte{'s' * (size > 1)} for a value", formula, {**at, symbol: size})
    for symbol in (one for one in at if one not in sizes):
        others = letters.keys() - sizes - (layers if symbol in layers else set())
        alike = {one for one in others if units.get(one, "") == units.get(symbol, "")}
        for other in sorted(alike - {symbol}, key=str):
            yield from _evaluated(f"with {other} in place of {symbol}", formula, {**at, symbol: letters[other]})
    for summed in sorted((one for one in sympy.preorder_traversal(formula) if one.is_Add), key=sympy.default_sort_key):
        for term in summed.args:
            left = formula.xreplace({summed: summed - term})
            within = f" in the sum {plain(summed)}" if len(plain(summed)) <= LONGEST else ""
            yield from _evaluated(f"without {plain(term)}{within}", left, at)
    for whole, (other, said) in _WHOLE.items():
        yield from _evaluated(said, formula.replace(whole, other), at)
        yield from _evaluated("before it is rounded", formula.replace(whole, lambda one: one), at)
    for said, changed in (*_without_a_factor(formula), *_with_another_power(formula)):
        yield from _evaluated(said, changed, at)


def _without_a_factor(formula: sympy.Basic) -> Iterator[tuple[str, sympy.Basic]]:
    for factor in formula.args if formula.is_Mul else ():
        top, bottom = factor.as_numer_denom()
        if top != 1 and str(top) not in LAYERS and not _is_large(top):
            yield f"without the factor {plain(top)}", formula / top
        if bottom != 1 and not _is_large(bottom):
            yield f"not divided by {plain(bottom)}", formula * bottom


def _is_large(factor: sympy.Basic) -> bool:
    """A number that no reader would know again."""
    return factor.is_Integer and abs(int(factor)) > LARGEST_FACTOR


def _with_another_power(formula: sympy.Basic) -> Iterator[tuple[str, sympy.Basic]]:
    """A square forgotten, and one more or one less in an exponent that has letters."""
    for power in sorted(formula.atoms(sympy.Pow), key=sympy.default_sort_key):
        steps = (1, -1) if power.exp.free_symbols else (1 - power.exp,) if power.exp.is_Integer and power.exp > 1 else ()
        for other in (power.base ** (power.exp + step) for step in steps):
            yield f"with {plain(other)} in place of {plain(power)}", formula.xreplace({power: other})


def of_other_sizes(number: Fraction, bytes_per_element: int, power: int) -> Iterator[Said]:
    """What elements of other sizes give for a number that grows with this power of their size."""
    yield "with 1 byte for a value" if power < 0 else "of values, not of bytes", number / Fraction(bytes_per_element) ** power
    for size in (2, 4, 8):
        yield f"with {size} bytes for a value", number * Fraction(size, bytes_per_element) ** power


def _evaluated(said: str, formula: sympy.Basic, at: Letters) -> Iterator[Said]:
    number = evaluated(formula, at)
    if number is not None and _bits(number) <= LARGEST_BITS:
        yield said, number


def evaluated(formula: sympy.Basic, at: Letters) -> Fraction | None:
    """An exact number, many times faster than sympy's; None for what has another function, divides by zero or is huge."""
    if isinstance(formula, sympy.Symbol):
        return Fraction(at[formula]) if isinstance(at[formula], int | Fraction) else None
    if isinstance(formula, sympy.Rational):
        return Fraction(int(formula.p), int(formula.q))
    numbers = [evaluated(one, at) for one in formula.args]
    known = [one for one in numbers if one is not None]
    if len(known) < len(numbers):
        return None
    if isinstance(formula, sympy.Add):
        return sum(known, Fraction(0))
    if isinstance(formula, sympy.Mul):
        return math.prod(known, start=Fraction(1))
    if formula.func in _FUNCTIONS:
        return Fraction(_FUNCTIONS[formula.func](*known))
    return _power(*known) if isinstance(formula, sympy.Pow) else None


_WHOLE = {sympy.floor: (sympy.ceiling, "rounded up"), sympy.ceiling: (sympy.floor, "rounded down")}
_FUNCTIONS: dict[Any, Callable[..., Any]] = {sympy.Min: min, sympy.Max: max, sympy.floor: math.floor, sympy.ceiling: math.ceil}


def _power(base: Fraction, power: Fraction) -> Fraction | None:
    if power.denominator > 1 or abs(power) * _bits(base) > LARGEST_BITS or (not base and power < 0):
        return None
    return base ** int(power)


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def plain(expression: sympy.Basic) -> str:
    """An expression on one line of text."""
    return str(expression).replace("**", "^").replace("*", " ")


def _by_formula(of: Boxed) -> Iterator[Said]:
    if of.quantity.formula is not None:
        yield from of_formula(of.quantity.formula, {**of.letters, **of.quantity.at}, of.units)


def _counted_otherwise(of: Boxed) -> Iterator[Said]:
    """A multiply-add as one FLOP or as two."""
    each = of.flops_per_multiply_add
    if each in (1, 2) and of.quantity.unit in ("FLOP", "FLOP/B"):
        said = {1: "with one FLOP for a multiply-add", 2: "with two FLOPs for a multiply-add"}
        yield said[3 - each], of.number * (3 - each) / each


def _in_another_unit(of: Boxed) -> Iterator[Said]:
    """Multiples of 1000 for those of 1024, bits for bytes, what is inverted, a share for a percentage."""
    if of.quantity.unit == "B":
        yield "in bits", 8 * of.number
        for power, (decimal, binary) in enumerate((("kB", "KiB"), ("MB", "MiB"), ("GB", "GiB"), ("TB", "TiB")), 1):
            yield f"with {decimal} in place of {binary}", of.number * Fraction(1000, 1024) ** power
    if of.quantity.unit == "FLOP/B" and of.number:
        yield "of FLOPs for each bit", of.number / 8
        yield "of bytes for each FLOP", 1 / of.number
    if of.quantity.unit == "%":
        yield "as a share, not in per cent", of.number / 100


def _with_values_of_another_size(of: Boxed) -> Iterator[Said]:
    """Bytes that grow with the size of a value, which no letter of the formula is."""
    if of.quantity.unit == "B" and of.bytes_per_value and not {one for one in of.units if of.units[one] == "B"}:
        yield from of_other_sizes(of.number, of.bytes_per_value, 1)


def _other_sign(of: Boxed) -> Iterator[Said]:
    yield "with the other sign", -of.number


def _other_base(of: Boxed) -> Iterator[Said]:
    """Logarithms to base 2 or 10, where each summand has one."""
    value, factor = of.quantity.value, sympy.Dummy("factor", positive=True)
    if isinstance(value, sympy.Expr) and value.has(sympy.log):
        scaled = value.replace(sympy.log, lambda one: factor * sympy.log(one))
        if sympy.expand(scaled - factor * value) == 0:
            for base in (2, 10):
                yield f"with logarithms to base {base}", as_fraction(value / sympy.log(base))


RULES: tuple[Callable[[Boxed], Iterable[Said]], ...] = (
    _counted_otherwise, _with_values_of_another_size, _in_another_unit, _other_base, _other_sign, _by_formula,
)  # fmt: skip


def slips(of: Boxed, own: Iterable[Said] = ()) -> dict[Fraction, list[str]]:
    """What each other number comes from; those of `own` stand first, and slips that change nothing are left out."""
    found: dict[Fraction, list[str]] = {}
    for said, number in (*own, *(pair for rule in RULES for pair in rule(of))):
        if number != of.number and said not in found.setdefault(number, []):
            found[number].append(said)
    return found
