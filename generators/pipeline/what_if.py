"""What a page needs to follow changes of its parameters: its numbers as nodes, and where each of them is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import reduce
from typing import Any

from pydantic.fields import FieldInfo

from generators.answer import Answer
from generators.cells import Quantity, words
from generators.errors import ParameterError
from generators.params import Params
from generators.pipeline import typeset
from generators.pipeline.site.markdown import mathml
from generators.question import Question
from generators.traced import CURRENT, Node, Trace, is_traced

RULES = "rules"
"""Stands among the labels of parts for the conditions that the parameters obey."""
LEAST, MOST = -(10**15), 10**15
"""Bounds of a number for which its field states none."""


@contextmanager
def running(trace: Trace) -> Iterator[None]:
    """What is solved or rendered within belongs to the trace."""
    token = CURRENT.set(trace)
    try:
        yield
    finally:
        CURRENT.reset(token)


def traced_params(params: Params, names: Sequence[str], trace: Trace) -> Params:
    """The parameters with traced numbers in some fields; the rules that the parameters obey are its first conditions."""
    made = params
    for name in names:
        number = _at(params, name)
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


def _at(params: Params, name: str) -> Any:
    """The value of a field, which may stand within another as `model.n_layers`."""
    return reduce(getattr, name.split("."), params)


def _changed(params: Params, names: Sequence[str], value: Any) -> Params:
    first, *others = names
    inner = _changed(getattr(params, first), others, value) if others else value
    return params.model_copy(update={first: inner})


def solved(question: Question[Any], params: Params, trace: Trace) -> Answer:
    """The answer whose numbers know how they follow from the fields that a reader may change."""
    with running(trace):
        return question.solve(traced_params(params, fields(question, params), trace))


def _recorded(question: Question[Any], params: Params, answer: Answer, trace: Trace) -> dict[str, list[int]]:
    """For the parts that were measured, the conditions under which their recording fits the entry."""
    found = {}
    for label in (one for one in answer.parts if one.startswith("measured")):
        kind = label.rpartition("_")[2]
        fitting = {name for one in question.recordings.values() for name in getattr(one, kind, ())}
        own = (trace.parameter(name, _at(params, name)) for name in fields(question, params) if name in fitting)
        found[label] = [number.stays() for number in own]
    return found


def described(question: Question[Any], params: Params, answer: Answer, trace: Trace, slots: Sequence[Any]) -> dict[str, Any]:
    """All that `assets/what_if.js` reads, as plain data."""
    parts = {**trace.parts, **_recorded(question, params, answer, trace)}
    used = sorted(_reached(trace.nodes, [*(node for node, *_ in slots), *(node for node, _ in trace.conditions)]))
    places = {node: place for place, node in enumerate(used)}
    return {
        "fields": [_field(name, params, answer) for name in fields(question, params)],
        "nodes": [_placed(trace.nodes[node], places) for node in used],
        "slots": [[places[node], *rule] for node, *rule in slots],
        "parts": parts,
        "conditions": [[places[node], holds] for node, holds in trace.conditions],
    }


def _reached(nodes: Sequence[Node], wanted: list[int]) -> set[int]:
    """The nodes that some are made of, with them."""
    found: set[int] = set()
    while wanted:
        node = wanted.pop()
        if node not in found:
            found.add(node)
            wanted += [one for one in nodes[node][1:] if isinstance(one, int)]
    return found


def _placed(node: Node, places: Mapping[int, int]) -> list[Any]:
    return [places[one] if isinstance(one, int) else one for one in node]


def fields(question: Question[Any], params: Params) -> list[str]:
    """What a reader may change: of the fields that the question names, those that have a number in the entry."""
    return [name for name in question.what_if if _at(params, name) is not None]


def _field(name: str, params: Params, answer: Answer) -> dict[str, Any]:
    number, letter = _at(params, name), _letter(name, answer)
    outer, _, own = name.rpartition(".")
    least, most = _bounds(type(_at(params, outer) if outer else params).model_fields[own])
    return {
        "name": name,
        "label": letter.what if letter else words(own),
        "symbol": mathml(typeset.named(letter.symbol), display=False) if letter and letter.symbol else "",
        "value": str(number),
        "least": str(least),
        "most": str(most),
        "whole": isinstance(number, int),
    }


def _bounds(field: FieldInfo) -> tuple[Any, Any]:
    """The least and the greatest number that a field takes, its bounds excluded or not; a whole number above 0 is at least 1."""
    limits = {kind: getattr(one, kind) for one in field.metadata for kind in ("gt", "ge", "le", "lt") if hasattr(one, kind)}
    step = 1 if field.annotation is int else 0
    least = limits.get("ge", limits["gt"] + step if "gt" in limits else LEAST)
    return least, limits.get("le", limits["lt"] - step if "lt" in limits else MOST)


def _letter(name: str, answer: Answer) -> Quantity | None:
    """What the page calls a parameter."""
    for part in answer.parts.values():
        for item in part.items.values():
            if isinstance(item, Quantity) and is_traced(item.value) and item.value.is_parameter(name):
                return item
    return None
