"""What a template of an addressed answer may contain, read from jinja's syntax tree."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, nodes

from generators.pipeline.filters import FILTERS

CALLS = {"figure", "see", "definition", "joiner"}
"""What a template may call besides its own macros and `answer.starting`."""
_ARITHMETIC = (nodes.BinExpr, nodes.Neg, nodes.Pos)
_LISTED = re.compile(r"Digits: (?P<list>.*?)\.\s*-?#\}", re.DOTALL)
_NOTATION = re.compile(r"\$\$(.*?)\$\$|\$([^$]*)\$", re.DOTALL)
_RELATION = re.compile(
    r"[=<>+/*|]|-|\\(?:le|ge|ne|approx|propto|in|times|cdot|frac|tfrac|sum|prod|sqrt|odot|to|ll|gg|equiv|begin|quad|int|log|max|min)\b"
)


def problems(source: str) -> list[str]:
    """What a template computes, compares, chooses or says in digits although it is no datum of the answer."""
    tree = Environment().parse(source)
    return [*_of_tree(tree), *_of_words(tree, _listed_digits(source))]


def _of_tree(tree: nodes.Template) -> Iterator[str]:
    macros = {macro.name for macro in tree.find_all(nodes.Macro)}
    conditions = {id(node.test) for node in tree.find_all(nodes.If)}
    for node in tree.find_all(nodes.Node):
        where = f"line {node.lineno}"
        if isinstance(node, nodes.Or) or (isinstance(node, nodes.And) and id(node) not in conditions):
            yield f"{where}: `or`, or `and` outside a condition"
        elif isinstance(node, _ARITHMETIC) and not isinstance(node, nodes.And):
            yield f"{where}: arithmetic"
        elif isinstance(node, nodes.Compare) and not _is_medium(node):
            yield f"{where}: a comparison"
        elif isinstance(node, nodes.Not | nodes.Test):
            yield f"{where}: `not` or a test; use a claim of its own"
        elif isinstance(node, nodes.CondExpr) or (isinstance(node, nodes.If) and (node.else_ or node.elif_)):
            yield f"{where}: `else`; use a claim for each case"
        elif isinstance(node, nodes.For) and (node.else_ or node.test):
            yield f"{where}: a loop with a condition"
        elif isinstance(node, nodes.Getitem) and not _is_key(node.arg):
            yield f"{where}: a subscript that is no key"
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield f"{where}: filter {node.name}"
        elif isinstance(node, nodes.Call) and not _may_be_called(node, macros):
            yield f"{where}: a call of {getattr(node.node, 'name', 'something')}"


def _is_medium(node: nodes.Compare) -> bool:
    return isinstance(node.expr, nodes.Name) and node.expr.name == "medium"


def _is_key(argument: nodes.Node) -> bool:
    """Text or a name: no integer and no slice."""
    return isinstance(argument, nodes.Name | nodes.Concat | nodes.Getattr) or (
        isinstance(argument, nodes.Const) and isinstance(argument.value, str)
    )


def _may_be_called(node: nodes.Call, macros: set[str]) -> bool:
    if isinstance(node.node, nodes.Name):
        joiners = {"comma"}
        return node.node.name in CALLS | macros | joiners
    return isinstance(node.node, nodes.Getattr) and node.node.attr == "starting"


def _listed_digits(source: str) -> list[str]:
    found = _LISTED.search(source)
    return [one.strip() for one in found["list"].split(";")] if found else []


def _of_words(tree: nodes.Template, listed: list[str]) -> Iterator[str]:
    for line, text in _texts(tree):
        rest = text
        for one in sorted(listed, key=len, reverse=True):
            rest = rest.replace(one, "")
        digits = re.search(r".{0,20}\d.{0,20}", rest)
        if digits:
            yield f"line {line}: digits in running text: {digits[0]!r}"
        for notation in ("".join(found) for found in _NOTATION.findall(text)):
            if _RELATION.search(notation):
                yield f"line {line}: a relation written by hand: ${notation}$; use an expression or definition(...)"


def _texts(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """Running text, and the text that filters, macros and links are given."""
    keys: set[int] = set()
    for node in tree.find_all((nodes.Getitem, nodes.Call, nodes.Extends, nodes.Include, nodes.FromImport)):
        if isinstance(node, nodes.Getitem):
            keys.add(id(node.arg))
        elif isinstance(node, nodes.Call):
            name = getattr(node.node, "name", getattr(node.node, "attr", ""))
            named = node.args if name in {"figure", "definition", "starting"} else node.args[:1] if name == "see" else []
            keys |= {id(one) for one in named}
        elif isinstance(node, nodes.Extends | nodes.Include | nodes.FromImport):
            keys.add(id(node.template))
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name in {"table", "tensor", "derivation"}:
            for argument in (*filtered.args, *(one.value for one in filtered.kwargs)):
                keys |= {id(argument), *map(id, argument.find_all(nodes.Const))}
    for data in tree.find_all(nodes.TemplateData):
        yield data.lineno, data.data
    for const in tree.find_all(nodes.Const):
        if isinstance(const.value, str) and id(const) not in keys:
            yield const.lineno, const.value
