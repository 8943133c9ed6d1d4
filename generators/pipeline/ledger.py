"""Counts what was found again, by route, and lists what the sheet asks for with the value that was found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from generators.answer import Answer, Derivation
from generators.cells import Quantity
from generators.found import Found
from generators.pipeline.called import is_array, names
from generators.pipeline.match import Findings, shown
from generators.pipeline.published import published, with_formulas
from generators.pipeline.wording import counted
from generators.table import Table

MANY = 20
"""Boxed numbers of a page that are listed one by one; of a page with more, each table stands in one row."""


@dataclass(frozen=True)
class Boxed:
    """A value that the sheet asks for, what a reader calls it, and the value as it is published and as it was found."""

    address: str
    name: str
    published: str
    found: str
    route: str


@dataclass(frozen=True)
class Ledger:
    """What was found again: asked values one by one, and all by each route that found them.

    `values` counts what a page says and a route found, `restated` what only routes that read the sheet or the entry again
    found, `drawn` the cells of arrays that only pictures show, `formulas` the published formulas that were evaluated, each
    also at other sizes. `covers` are the parts in which each route found values.
    """

    values: int
    routes: Mapping[str, int]
    covers: Mapping[str, Sequence[str]]
    restated: int
    drawn: int
    formulas: int
    proofs: Sequence[tuple[str, str]]
    boxed: Sequence[Boxed]


def ledger(answer: Answer, found: Findings) -> Ledger:
    """Count what was found again, by route; call only where there are no problems."""
    routes: Counter[str] = Counter()
    covers: dict[str, dict[str, None]] = {}
    restated = drawn = values = 0
    hidden = tuple(f"{address}/" for address in _drawn_tables(answer))
    for address in published(answer):
        names = {one.route.name for one in found.at[address] if not one.route.restates}
        if address.startswith(hidden):
            drawn += 1
        elif names:
            values += 1
            routes.update(names)
            for name in names:
                covers.setdefault(name, {})[re.split("[/@]", address)[0]] = None
        else:
            restated += 1
    return Ledger(
        values=values,
        routes=dict(sorted(routes.items(), key=lambda pair: (-pair[1], pair[0]))),
        covers={name: list(parts) for name, parts in sorted(covers.items())},
        restated=restated,
        drawn=drawn,
        formulas=sum(1 for _ in with_formulas(answer)),
        proofs=[(proof.what, proof.route.name) for proof in found.proofs],
        boxed=_all_boxed(answer, found),
    )


def _items(answer: Answer) -> list[Any]:
    return [item for part in answer.parts.values() for item in part.items.values()]


def _drawn_tables(answer: Answer) -> list[str]:
    return [item.address for item in _items(answer) if isinstance(item, Table) and item.drawn]


def _asked(answer: Answer) -> list[Quantity | Table | Derivation]:
    return [item for item in _items(answer) if isinstance(item, Quantity | Table | Derivation) and item.asked]


def _all_boxed(answer: Answer, found: Findings) -> list[Boxed]:
    """What is asked, number by number unless they are many."""
    named = {address: f"{label}, {name}" for label, part in answer.parts.items() for address, name in names(part).items()}
    listed = [boxed for item in _asked(answer) for boxed in _boxed(item, found, named, MANY)]
    return listed if len(listed) <= MANY else [boxed for item in _asked(answer) for boxed in _boxed(item, found, named, 0)]


def _boxed(item: Quantity | Table | Derivation, found: Findings, named: Mapping[str, str], many: int) -> list[Boxed]:
    """A quantity by itself, and so the numbers of a table's columns that have a unit, up to `many`; all else by its size."""
    if isinstance(item, Quantity):
        return [_one_boxed(item, found, named)]
    if isinstance(item, Derivation):
        addresses = [f"{item.address}/{key}" for key in item.lines]
    else:
        columns = [key for key, one in item.columns.items() if one.unit and (is_array(item) or key != next(iter(item.columns)))]
        measured = [item.cell(row, key) for key in columns for row in item.rows]
        numbers = [one for one in measured if one.value is not None]
        if 0 < len(numbers) <= many:
            return [_one_boxed(one, found, named) for one in numbers]
        addresses = [f"{item.address}/{row}/{key}" for row in item.rows for key, one in item.columns.items() if not one.of]
    ones = [one for address in addresses for one in found.at[address]]
    ones = [one for one in ones if not one.route.restates] or ones
    noun = "line" if isinstance(item, Derivation) else "cell"
    return [Boxed(item.address, named[item.address], counted(len(addresses), noun), f"{len(addresses)} equal", _routes(ones))]


def _one_boxed(one: Quantity, found: Findings, named: Mapping[str, str]) -> Boxed:
    ones = found.at[one.address]
    published, also = (f"{_said(value)} {one.unit}".rstrip() for value in (one.value, ones[0].value))
    return Boxed(one.address, named[one.address], published, also, _routes(ones))


def _said(value: Any) -> str:
    """A value, and its decimals where it is a fraction or an irrational number; a long one is rounded only."""
    if isinstance(value, Fraction) and value.denominator == 1:
        value = int(value)
    text = shown(value)
    if not isinstance(value, Fraction) and not (isinstance(value, sympy.Expr) and value.is_number and not value.is_Rational):
        return text
    decimals = f"{float(value):.6g}"
    written = re.sub(r"e\+?(-?)0*", r"·10^\1", decimals)
    if "…" in text:
        return f"≈ {written}"
    return f"{text} {'=' if isinstance(value, Fraction) and Fraction(decimals) == value else '≈'} {written}"


def _routes(ones: Sequence[Found]) -> str:
    return ", ".join(dict.fromkeys(one.route.name for one in ones))
