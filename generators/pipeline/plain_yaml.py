"""Reads YAML that is plain data: text, decimal numbers, true, false, null, lists and mappings; anything else is refused.

The parser's events are checked one by one before lists and mappings are made of them, so that time and memory stay bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import takewhile
from typing import Any, NoReturn

import yaml

from generators.pipeline.wording import shortened

MOST_BYTES = 2**20
MOST_VALUES = 20_000
MOST_LEVELS = 100
MOST_DIGITS = 40
LONGEST_KEY = 100

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()
_TAG = "tag:yaml.org,2002:"
_WORDS = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}

_CONTROL = re.compile(r"[^\t\n\r -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"(?<![^\n\r])%\w*")
"""What a line begins with; the parser's time grows with the square of the number of directives."""
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_OTHER = re.compile(r"[-+]?(?:0o[0-7]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]+)?)")
"""Further texts that some readers of YAML take for a number, although PyYAML does not."""

_NO_CONTROL = "control characters are not allowed"
_OTHERWISE = "a number must be decimal and finite, without leading zeros, underscores or colons; text must stand in quotes"
_RULES = {
    "str": _OTHERWISE,
    "int": _OTHERWISE,
    "float": _OTHERWISE,
    "bool": "must be true or false; other words must stand in quotes",
    "timestamp": "a date must stand in quotes",
    "merge": "merge keys are not allowed",
    "value": "an equals sign must stand in quotes",
}
"""What is said of plain text that is neither text nor a plain value, by the type that YAML reads it as."""


class NotPlain(ValueError):
    """The bytes hold no plain data; the message is one line with place, rule and value."""


def loaded(data: bytes) -> Any:
    """The plain data of a file, None if it is empty; anything else raises NotPlain."""
    events = _checked(yaml.parse(_text(data), Loader=_LOADER))
    try:
        documents = [_node(event, events) for event in events]
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f"{_place(mark.line, mark.column)}: " if mark else ""
        raise NotPlain(f"{place}not valid YAML: {shortened(str(problem or error))}") from error
    return documents[0] if documents else None


def _text(data: bytes) -> str:
    """The text that the bytes stand for; what the parser must not see raises NotPlain."""
    if len(data) > MOST_BYTES:
        raise NotPlain(f"must have at most {MOST_BYTES} bytes (got more)")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        start = error.start
        raise NotPlain(f"{_end_of(data[:start].decode())}: must be text in UTF-8 (got the byte 0x{data[start]:02x})") from None
    if found := _CONTROL.search(text):
        raise NotPlain(f"{_end_of(text[: found.start()])}: {_NO_CONTROL} (got {_code_point(found)})")
    if found := _DIRECTIVE.search(text):
        raise NotPlain(f"{_end_of(text[: found.start()])}: directives are not allowed (got {shortened(found[0])})")
    return text


def _code_point(found: re.Match[str]) -> str:
    return f"U+{ord(found[0]):04X}"


def _end_of(text: str) -> str:
    return _place(text.count("\n"), len(text) - text.rfind("\n") - 1)


def _place(line: int, column: int) -> str:
    return f"line {line + 1}, column {column + 1}"


def _refuse(event: Any, rule: str, value: str) -> NoReturn:
    raise NotPlain(f"{_place(event.start_mark.line, event.start_mark.column)}: {rule} (got {shortened(value)})")


def _checked(events: Iterable[yaml.Event]) -> Iterator[yaml.Event]:
    """Values and ends of lists and mappings; a second document, anchors, aliases, tags and too many values raise NotPlain."""
    documents = values = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                _refuse(event, "a file must hold one document", "another")
        elif isinstance(event, yaml.NodeEvent):
            values += 1
            if values > MOST_VALUES:
                _refuse(event, f"a file must hold at most {MOST_VALUES} values", "more")
            _refuse_properties(event)
            yield event
        elif isinstance(event, yaml.CollectionEndEvent):
            yield event


def _refuse_properties(event: Any) -> None:
    if isinstance(event, yaml.AliasEvent):
        _refuse(event, "aliases are not allowed", f"*{event.anchor}")
    if event.anchor is not None:
        _refuse(event, "anchors are not allowed", f"&{event.anchor}")
    if event.tag is not None:
        _refuse(event, "tags are not allowed", event.tag.replace(_TAG, "!!"))


def _node(event: yaml.Event, events: Iterator[yaml.Event], level: int = 1) -> Any:
    """The value that an event begins; what it holds is taken from the events after it."""
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if level > MOST_LEVELS:
        _refuse(event, f"must have at most {MOST_LEVELS} levels", "more")
    inner = takewhile(lambda one: not isinstance(one, yaml.CollectionEndEvent), events)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_node(one, events, level + 1) for one in inner]
    mapping: dict[str, Any] = {}
    for one in inner:
        key = _key(one, mapping)
        mapping[key] = _node(next(events), events, level + 1)
    return mapping


def _key(event: yaml.Event, known: Iterable[str]) -> str:
    key = _scalar(event) if isinstance(event, yaml.ScalarEvent) else None
    if not isinstance(key, str):
        written = getattr(event, "value", "a list or mapping")
        _refuse(event, "a key must be text, in quotes where YAML reads something else", written)
    if len(key) > LONGEST_KEY or len(key.splitlines()) > 1:
        _refuse(event, f"a key must be one line of at most {LONGEST_KEY} characters", key)
    if key in known:
        _refuse(event, "a key must not stand twice", key)
    return key


def _scalar(event: yaml.ScalarEvent) -> Any:
    """Text that stands in quotes or in a block, or the value of plain text."""
    text: str = event.value
    if found := _CONTROL.search(text):
        _refuse(event, _NO_CONTROL, _code_point(found))
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return _number(event, text)
    kind = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_TAG)
    if kind != "str" or _OTHER.fullmatch(text):
        _refuse(event, _RULES[kind], text)
    return text


def _number(event: yaml.ScalarEvent, text: str) -> int | float:
    if sum(map(str.isdigit, text)) > MOST_DIGITS:
        _refuse(event, f"a number must have at most {MOST_DIGITS} digits", text)
    if _WHOLE.fullmatch(text):
        return int(text)
    value = float(text)
    if Decimal(text) != Decimal(str(value)):
        _refuse(event, "a decimal number must be one that 64 bits hold in all its digits", text)
    return value
