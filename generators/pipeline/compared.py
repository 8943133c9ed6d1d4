"""What `assets/compare.js` knows of a page: boxed numbers with their slips, rows of masks, letters, and all other numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from generators.answer import Answer, Part
from generators.params import Params
from generators.pipeline.called import names
from generators.pipeline.mask_slips import explained_rows
from generators.pipeline.slips import Said, boxed, slips
from generators.question import Slip


def compared(params: Params, answer: Answer, own: Iterable[Slip]) -> dict[str, Any]:
    """All of it, as plain data."""
    return {
        "numbers": explained(params, answer, own),
        "rows": list(explained_rows(answer)),
        "letters": {label: _letters(part) for label, part in answer.parts.items()},
        "more": [[number, *where] for number, where in _elsewhere(answer).items()],
    }


def explained(params: Params, answer: Answer, own: Iterable[Slip]) -> list[dict[str, Any]]:
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
            "slips": [[str(number), *said] for number, said in slips(one, of_question.get(one.quantity.address, ())).items()],
        }
        for one in boxed(params, answer)
    ]


def _letters(part: Part) -> dict[str, str]:
    """What a reader may write for a number in a formula."""
    letters = {str(symbol): one.value for symbol, one in part.letters.items()}
    return {name.replace("lamda", "lambda"): str(value) for name, value in letters.items() if isinstance(value, int | Fraction)}


def _elsewhere(answer: Answer) -> Mapping[str, tuple[str, str]]:
    """Names and parts of the page's numbers, each once, but for sizes of measurements; small whole numbers may stand anywhere."""
    found: dict[str, tuple[str, str]] = {}
    for label, part in ((label, part) for label, part in answer.parts.items() if not label.startswith("measured")):
        for address, name in names(part, asked_only=False).items():
            number = getattr(answer[address], "value", None)
            if isinstance(number, Fraction) or (isinstance(number, int) and abs(number) >= SMALL):
                found.setdefault(str(number), (name, label))
    return found


SMALL = 100
"""Whole numbers below are not looked for."""
