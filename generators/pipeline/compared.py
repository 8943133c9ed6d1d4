"""What `assets/compare.js` knows of a page: boxed numbers with their slips, rows of masks, letters, and all other numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import sympy

from generators.answer import Answer, Part
from generators.cells import words
from generators.params import Params
from generators.pipeline.called import names
from generators.pipeline.mask_slips import explained_rows
from generators.pipeline.slips import Boxed, Said, boxed, slips
from generators.question import Slip


def compared(params: Params, answer: Answer, own: Iterable[Slip]) -> dict[str, Any]:
    """All of it, as plain data."""
    letters = {label: _letters(part) for label, part in answer.parts.items()}
    return {
        "numbers": _numbers(params, answer, own, letters),
        "rows": list(explained_rows(answer)),
        "letters": letters,
        "parts": {label: _place(part) for label, part in answer.parts.items()},
        "more": [[number, *where] for number, where in _elsewhere(answer).items()],
    }


def _numbers(
    params: Params, answer: Answer, own: Iterable[Slip], letters: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Every boxed number with its slips."""
    of_question: dict[str, list[Said]] = {}
    for address, said, number in own:
        of_question.setdefault(address, []).append((said, number))
    return [
        {
            "at": one.quantity.address,
            "name": one.name,
            "unit": one.quantity.unit,
            "value": str(one.number),
            "formula": _formula(one, letters[one.quantity.address.partition("/")[0]]),
            "slips": [[str(number), *said] for number, said in slips(one, of_question.get(one.quantity.address, ())).items()],
        }
        for one in boxed(params, answer)
    ]


def _letters(part: Part) -> dict[str, str]:
    """What a reader may write for a number in a formula."""
    letters = {_written(symbol): one.value for symbol, one in part.letters.items()}
    return {name: str(value) for name, value in letters.items() if isinstance(value, int | Fraction)}


def _written(expression: sympy.Basic) -> str:
    """As a reader may write it."""
    return str(expression).replace("**", "^").replace(" ", "").replace("lamda", "lambda")


def _formula(one: Boxed, letters: Mapping[str, str]) -> str:
    """A number's formula, in letters that may have any numbers; else ''."""
    formula = one.quantity.formula
    if formula is None or any(not isinstance(inner, _PLAIN) for inner in sympy.preorder_traversal(formula)):
        return ""
    numbers = {**one.letters, **one.quantity.at}
    used = {_written(symbol): str(numbers.get(symbol)) for symbol in formula.free_symbols}
    return _written(formula) if used.items() <= letters.items() else ""


_PLAIN = (sympy.Add, sympy.Mul, sympy.Pow, sympy.Symbol, sympy.Rational)


def _place(part: Part) -> str:
    """How a reader finds a part."""
    if part.label[:1].isdigit():
        return part.label
    return "" if part.label == "sheet" else f"“{part.title}”"


def _elsewhere(answer: Answer) -> Mapping[str, tuple[str, str]]:
    """Names, units and parts of the page's numbers, each once, not those of measurements; small ones stand anywhere."""
    found: dict[str, tuple[str, str]] = {}
    for label, part in ((label, part) for label, part in answer.parts.items() if not label.startswith("measured")):
        for address, name in names(part, asked_only=False).items():
            number, unit = getattr(answer[address], "value", None), getattr(answer[address], "unit", "")
            is_long = isinstance(number, Fraction) or (isinstance(number, int) and abs(number) >= SMALL)
            if is_long and f"{words(address.split('/')[-2])}: " not in name:  # a row without a name on the page
                found.setdefault(str(number), (f"{name} ({unit})" if unit and unit not in name else name, label))
    return found


SMALL = 100
"""Whole numbers below are not looked for."""
