"""What a page needs to follow changes of its parameters: its numbers as nodes, and where each of them is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Any, get_args

from pydantic.fields import FieldInfo

from generators.answer import Answer, Figure
from generators.cells import Quantity, words
from generators.depending import Chosen
from generators.errors import ParameterError
from generators.params import Params
from generators.pipeline import typeset
from generators.pipeline.conventions import fixed_by
from generators.pipeline.published import published
from generators.pipeline.site.markdown import mathml
from generators.pipeline.wording import counted
from generators.question import Question
from generators.table import Table
from generators.traced import CURRENT, Node, Trace, is_condition, is_traced

RULES = "rules"
"""Stands among the labels of parts for the conditions that the parameters obey."""
LEAST, MOST = -(10**15), 10**15
"""Bounds of a number for which its field states none."""


def traced_params(params: Params, names: Sequence[str], trace: Trace) -> Params:
    """The parameters with traced numbers in some fields; the rules that the parameters obey are its first conditions."""
    made = params
    for name in names:
        number = at(params, name)
        if isinstance(number, bool) or not isinstance(number, int | Fraction):
            raise ParameterError(f"what_if: {name}: must be a number in the entry (got {number!r})")
        made = _changed(made, name.split("."), trace.parameter(name, number))
    _obeys_rules(made)
    trace.part_ends(RULES)
    return made


def _obeys_rules(params: Params) -> None:
    """Run the rules for several fields together, those of fields within fields first."""
    for name in type(params).model_fields:
        if isinstance(getattr(params, name), Params):
            _obeys_rules(getattr(params, name))
    for rule in type(params).__pydantic_decorators__.model_validators.values():
        rule.func(params)


def at(params: Any, name: str) -> Any:
    """The value of a field, which may stand within another, as `model.n_layers`, or in lists, as `tensor.0.2`."""
    return reduce(_within, name.split("."), params)


def _within(held: Any, name: str) -> Any:
    return held[int(name)] if isinstance(held, list) else getattr(held, name)


def _changed(held: Any, names: Sequence[str], value: Any) -> Any:
    first, *others = names
    inner = _changed(_within(held, first), others, value) if others else value
    if isinstance(held, list):
        return [*held[: int(first)], inner, *held[int(first) + 1 :]]
    return held.model_copy(update={first: inner})


def solved(question: Question[Any], params: Params, trace: Trace) -> tuple[Params, Answer]:
    """Parameters and answer whose numbers know how they follow from the fields that a reader may change."""
    token = CURRENT.set(trace)
    try:
        traced = traced_params(params, fields(question, params), trace)
        return traced, question.solve(traced)
    finally:
        CURRENT.reset(token)


def charts(question: Question[Any], answer: Answer, pictures: Mapping[str, Figure], trace: Trace) -> dict[str, Figure]:
    """The published pictures, each with the parts that it shows; one of lines that move has what draws them anew."""
    moving = {address for address, value in published(answer).items() if _moves(value)}
    moves = {
        name: any(f"{one}/".startswith(f"{address}/") for one in moving for address in picture.shows)
        for name, picture in pictures.items()
    }
    with trace.apart() as noted:
        drawn = question.draw(answer) if any(moves.values()) else {}
    made = {}
    for name, picture in pictures.items():
        rests_on = sorted({address.partition("/")[0] for address in picture.shows})
        own = drawn[name].chart if moves[name] else None
        if own:
            rests_on.append(f"figure/{name}")
            trace.parts[rests_on[-1]] = sorted(noted)
        chart = {**(own or {}), "of": rests_on, "moves": moves[name]}
        made[name] = replace(picture, chart=chart)
    return made


def _moves(value: Any) -> bool:
    return is_traced(value) or is_condition(value) or isinstance(value, Chosen)


def _recorded(question: Question[Any], params: Params, answer: Answer, trace: Trace) -> dict[str, list[int]]:
    """For the parts that were measured, the conditions under which their recording fits the entry."""
    found = {}
    for label in (one for one in answer.parts if one.startswith("measured")):
        kind = label.rpartition("_")[2]
        fitting = {name for one in question.recordings.values() for name in getattr(one, kind, ())}
        own = (trace.parameter(name, at(params, name)) for name in fields(question, params) if name in fitting)
        found[label] = [number.stays() for number in own]
    return found


def described(question: Question[Any], params: Params, answer: Answer, trace: Trace, slots: Sequence[Any]) -> dict[str, Any]:
    """All that `assets/what_if.js` reads, as plain data."""
    recorded = _recorded(question, params, answer, trace)
    parts = {label: sorted({*own, *recorded.get(label, ())}) for label, own in trace.parts.items()}
    used = sorted(_reached(trace.nodes, [*(node for node, *_ in slots), *(node for node, _ in trace.conditions)]))
    places = {node: place for place, node in enumerate(used)}
    return {
        "writing": typeset.WRITING,
        "fields": [_field(name, params, answer) for name in fields(question, params)],
        "nodes": [_placed(trace.nodes[node], places) for node in used],
        "slots": [[places[node], *rule] for node, *rule in slots],
        "parts": parts,
        "conditions": [[places[node], holds] for node, holds in trace.conditions],
        "rules": dict(_rules_in_words(question, params, answer, parts[RULES])),
    }


def _rules_in_words(question: Question[Any], params: Params, answer: Answer, rules: Sequence[int]) -> Iterator[tuple[str, str]]:
    """What the parameters say of themselves where a rule is broken: without what was given, which stands behind "(got"."""
    names = fields(question, params)
    labels = {name.rpartition(".")[2]: _field(name, params, answer)["label"] for name in names}
    for rule in rules:
        trace = Trace(against=rule)
        try:
            traced_params(params, names, trace)
        except (ValueError, ArithmeticError) as error:
            field, _, said = str(error).partition(" (got ")[0].partition(": ")
            if said and not _decides(trace, rule):
                full = f"{field.rpartition('.')[2]} {said}" if said.startswith("must ") else said
                yield str(rule), _KEY.sub(lambda key: labels.get(key[0]) or words(_UNIT.sub("", key[0])), full)


_KEY = re.compile("[a-z]+(?:_[a-z]+)+|^[a-z]+")
_UNIT = re.compile("^n_|_(gb|kib|mib)$")


def _decides(trace: Trace, rule: int) -> bool:
    """Whether more was compared after a condition came out the other way, but for numbers that were written."""
    return any(trace.nodes[node][0] != "==" for node, _ in list(trace.conditions)[rule + 1 :])


def _reached(nodes: Sequence[Node], wanted: Iterable[int]) -> set[int]:
    """The nodes that some are made of, with them; a node stands behind those that it is made of."""
    found = set(wanted)
    for place in range(len(nodes) - 1, -1, -1):
        found.update(one for one in nodes[place][1:] if place in found and isinstance(one, int))
    return found


def _placed(node: Node, places: Mapping[int, int]) -> list[Any]:
    return [places[one] if isinstance(one, int) else one for one in node]


def fields(question: Question[Any], params: Params) -> list[str]:
    """What a reader may change: of the fields that the question names, those with a number or a list of them in the entry."""
    return [one for name in question.what_if for one in _numbers(name, at(params, name))]


def _numbers(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [one for place, inner in enumerate(value) for one in _numbers(f"{name}.{place}", inner)]
    return [] if value is None else [name]


def _field(name: str, params: Params, answer: Answer) -> dict[str, Any]:
    number, letter = at(params, name), _letter(name, answer)
    outer, _, own = re.sub(r"(\.\d+)+$", "", name).rpartition(".")
    field = type(at(params, outer) if outer else params).model_fields[own]
    row, column = ("", "") if letter else _row_and_column(name, answer)
    if outer == "conventions":
        return {"name": name, "value": str(number), "shown": str(number), "whole": True, **_choice(field, number)}
    return {
        "name": name,
        "label": letter.what if letter else f"{row}, {column}".removesuffix(", ") if row else words(own.removeprefix("n_")),
        "row": row,
        "symbol": mathml(typeset.named(letter.symbol), display=False) if letter and letter.symbol else "",
        "unit": letter.unit if letter else "",
        "value": str(number),
        "shown": _decimal(number),
        "whole": isinstance(number, int),
        **_bounds(field, whole=isinstance(number, int)),
    }


def _choice(field: FieldInfo, number: int) -> dict[str, Any]:
    """How a convention is said, and the numbers that it may have, each with its noun."""
    limits = _bounds(field, whole=True)
    numbers = get_args(field.annotation) or range(int(limits["least"]), int(limits["most"]) + 1)
    says: Any = field.json_schema_extra["says"]  # type: ignore[index]
    said = {str(one): counted(one, says[1]) for one in numbers}
    bounds = {"least": str(min(numbers)), "most": str(max(numbers)), "above": False, "below": False}
    return {"label": says[0].format("…"), "symbol": "", "unit": fixed_by(field, number), "options": said, **bounds}


def _decimal(number: int | Fraction) -> str:
    """A number as a reader types it: as a decimal where that is exact."""
    places = next((places for places in range(1, 20) if (number * 10**places).denominator == 1), 0)
    if number.denominator == 1 or not places:
        return str(number)
    digits = str(int(number * 10**places)).zfill(places + 1)
    return f"{digits[:-places]}.{digits[-places:]}"


def _bounds(field: FieldInfo, *, whole: bool) -> dict[str, Any]:
    """The least and the greatest number that a field takes, or the numbers that it must be `above` and `below`."""
    limits = [one for outer in [*field.metadata, *_metadata(field.annotation)] for one in getattr(outer, "metadata", [outer])]
    found = {kind: getattr(one, kind) for one in limits for kind in ("gt", "ge", "le", "lt") if hasattr(one, kind)}
    least, most = found.get("ge", found.get("gt", LEAST)), found.get("le", found.get("lt", MOST))
    above, below = "gt" in found, "lt" in found
    if whole:
        return {"least": str(least + above), "above": False, "most": str(most - below), "below": False}
    return {"least": str(least), "above": above, "most": str(most), "below": below}


def _metadata(annotation: Any) -> Iterator[Any]:
    """What is said of a type and of the types within it."""
    yield from getattr(annotation, "__metadata__", ())
    for one in get_args(annotation):
        yield from _metadata(one)


def _row_and_column(name: str, answer: Answer) -> tuple[str, str]:
    """Where a parameter stands in a table, if it does."""
    tables = (item for part in answer.parts.values() for item in part.items.values() if isinstance(item, Table))
    for row, key, cell in ((row, key, cell) for one in tables for row, cells in one.rows.items() for key, cell in cells.items()):
        if is_traced(cell) and cell.is_parameter(name):
            return ", ".join(map(words, row.split("."))), "" if row.startswith(key) else words(key)
    return "", ""


def _letter(name: str, answer: Answer) -> Quantity | None:
    """What the page calls a parameter."""
    for part in answer.parts.values():
        for item in part.items.values():
            if isinstance(item, Quantity) and is_traced(item.value) and item.value.is_parameter(name):
                return item
    return None
