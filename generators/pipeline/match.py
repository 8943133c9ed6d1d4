"""Compares every published datum with what was found at its address, and evaluates every published formula."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy

from generators.answer import Answer
from generators.cells import Math, Quantity
from generators.found import Found, Proof, Worlds
from generators.pipeline import worlds
from generators.pipeline.published import published, with_formulas

SHOWN = 3
"""Problems that a message names."""
_NOTHING = object()


@dataclass
class Findings:
    """What `find` yielded, by address; proofs stand apart."""

    at: dict[str, list[Found]] = field(default_factory=dict)
    proofs: list[Proof] = field(default_factory=list)

    @classmethod
    def gathered(cls, yielded: Iterable[Found | Proof]) -> Findings:
        """Sort what was yielded by its address."""
        made = cls()
        for one in yielded:
            if isinstance(one, Proof):
                made.proofs.append(one)
            else:
                made.at.setdefault(one.address, []).append(one)
        return made

    def value(self, address: str) -> Any:
        """What was first found at an address; KeyError if nothing was."""
        return self.at[address][0].value


def problems(answer: Answer, found: Findings) -> list[str]:
    """Every datum without an equal found value, and every found value without a datum, as messages."""
    data = published(answer)
    messages = []
    for address, value in data.items():
        for problem in _problems_at(value, found.at.get(address, [])):
            messages.append(f"{address}: {problem}")
    messages += [
        f"{address}: nothing is published there, {ones[0].route.name} found {shown(ones[0].value)}"
        for address, ones in found.at.items()
        if address not in data
    ]
    messages += [
        f"{proof.what}: differs by {proof.difference:.1e}, {proof.route.name} allows {proof.route.tolerance:g}"
        for proof in found.proofs
        if not proof.difference <= proof.route.tolerance
    ]
    return messages


def _problems_at(value: Any, ones: Sequence[Found]) -> list[str]:
    if not ones:
        return [f"published {shown(value)}, nothing found it"]
    return [
        f"published {shown(value)}, found {shown(one.value)} by {one.route.name}"
        for one in ones
        if not agree(value, one.value, one.route.tolerance, one.route.absolute)
    ]


def agree(value: Any, found: Any, tolerance: float = 0.0, absolute: float = 0.0) -> bool:
    """Whether a published value is the found one: exactly, or within a tolerance where one of them is a float."""
    if isinstance(found, Worlds):
        return bool(found.cases) and all(_gives(value, world, result, tolerance) for world, result in found.cases)
    if isinstance(value, bool) or isinstance(found, bool) or isinstance(value, str | Math | tuple) or value is None:
        return type(value) is type(found) and value == found
    if isinstance(found, float) and not isinstance(value, float) and not (tolerance or absolute):
        return False  # an exact value is found exactly, or by a route that says how near
    if isinstance(value, float) or isinstance(found, float):
        numbers = [_number(one) for one in (value, found)]
        return None not in numbers and math.isclose(*numbers, rel_tol=tolerance, abs_tol=absolute)  # type: ignore[arg-type]
    return _equal(value, found)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _gives(expression: Any, world: Mapping[str, Any], result: Any, tolerance: float) -> bool:
    if worlds.is_matrix(expression):
        return worlds.difference(expression, world, result) <= tolerance
    return agree(at(sympy.sympify(expression), world), result, tolerance)


def at(formula: sympy.Basic, values: Mapping[str, Any]) -> Any:
    """A formula's value with its letters, by their names, replaced by numbers; those without one stay."""
    pairs = tuple((symbol, values[str(symbol)]) for symbol in sorted(formula.free_symbols, key=str) if str(symbol) in values)
    return _substituted(formula, pairs)


@lru_cache(maxsize=8192)
def _substituted(formula: sympy.Basic, pairs: tuple[tuple[sympy.Symbol, Any], ...]) -> Any:
    number = formula.subs({symbol: sympy.sympify(value) for symbol, value in pairs}).doit()
    return Fraction(int(number.p), int(number.q)) if number.is_Rational else number


@lru_cache(maxsize=8192)
def _equal(left: Any, right: Any) -> bool:
    """Whether values are equal; irrational ones, which may be written in two ways, to 50 digits."""
    if left == right:
        return True
    if not all(isinstance(one, int | Fraction | sympy.Expr) for one in (left, right)):
        return False
    both = [sympy.sympify(one) for one in (left, right)]
    if any(one.has(sympy.nan, sympy.zoo) for one in both):
        return False
    if not all(one.is_number for one in both):
        return bool(sympy.expand(both[0] - both[1]) == 0)
    return bool(abs(sympy.N(both[0] - both[1], 60)) < sympy.Float("1e-50"))


def formula_problems(answer: Answer, at_entry: Findings, at_others: Sequence[Findings]) -> list[str]:
    """Formulas that do not give what was found, with the found letters put in, for the entry and at other sizes."""
    messages = []
    for quantity in with_formulas(answer):
        others = [findings for findings in at_others if quantity.address in findings.at]
        for findings in (at_entry, *others):
            for one in findings.at.get(quantity.address, []):
                messages += _formula_problem(quantity, findings, one)
        if quantity.letters and not others:
            messages.append(f"{quantity.address}: its formula is evaluated at the entry's sizes alone; add to `others`")
    return messages


def _formula_problem(quantity: Quantity, findings: Findings, one: Found) -> list[str]:
    for symbol, letter in quantity.letters.items():
        if letter.address not in findings.at:
            return [f"{quantity.address}: its letter {symbol} at {letter.address} was not found"]
    letters = {str(symbol): findings.value(letter.address) for symbol, letter in quantity.letters.items()}
    formula = quantity.formula
    assert formula is not None
    value = at(formula, letters)
    if agree(value, one.value, one.route.tolerance, one.route.absolute):
        return []
    where = ", ".join(f"{name} = {shown(number)}" for name, number in letters.items())
    return [f"{quantity.address}: its formula gives {shown(value)} at {where}, found {shown(one.value)} by {one.route.name}"]


def letters_of_one_value(answer: Answer, findings: Sequence[Findings]) -> list[str]:
    """Addresses of letters that have one value everywhere: a formula in which such a number was typed would pass.

    This is for a question's author: an entry that happens to equal the other sizes is no fault of who wrote it.
    """
    seen: dict[str, set[Any]] = {}
    for quantity in with_formulas(answer):
        for letter in quantity.letters.values():
            values = {ones.value(letter.address) for ones in findings if letter.address in ones.at}
            seen.setdefault(_column(letter.address), set()).update(values)
    return [address for address, values in seen.items() if len(values) == 1]


def _column(address: str) -> str:
    """The column of a cell, which is the letter of all rows; any other address as it is."""
    part, *keys = address.split("/")
    return f"{part}/{keys[0]}/{keys[2]}" if len(keys) == 3 else address


def summary(messages: Sequence[str]) -> str:
    """The first problems, those that nothing published first, and how many more there are."""
    ordered = sorted(messages, key=lambda message: "nothing is published there" not in message)
    more = f"; and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return "; ".join(ordered[:SHOWN]) + more


def shown(value: Any) -> str:
    """A value as messages show it: exact, a measured one to six digits, a long one by its beginning and end."""
    if value is None:
        return "an empty cell"
    if isinstance(value, Math):
        return value.latex
    if isinstance(value, Worlds):
        return f"the results of {len(value.cases)} worlds"
    if isinstance(value, bool):
        return "that it holds" if value else "that it does not hold"
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    if isinstance(value, sympy.Basic):
        value = str(value).replace("**", "^").replace("*", "·")
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:20]}… {text[-20:]}"
