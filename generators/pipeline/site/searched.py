"""A page as its search sees it: formulas as text on one line, as a reader would type them."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from xml.etree import ElementTree

_FORMULA = re.compile(r"<math\b.*?</math>", re.DOTALL)
_HIDDEN = re.compile(r"""<(span|div|tr)(?: [a-z-]+(?:="[^"]*")?)*? hidden(?:="[^"]*")?(?: [a-z-]+(?:="[^"]*")?)*>""")
_RELATIONS = frozenset("=≈≠<>≤≥≪≫∈→∝")
_BARE = re.compile(r"&(?!(?:lt|gt|amp|quot|apos|#\d+|#x[\da-fA-F]+);)")
"""What would begin the name of a character that XML does not know."""
_APPLIED = re.compile("\u2061")
"""Stands unseen between a function and what it is applied to."""
_ONE = re.compile(r"[\w.]*|\([^()]*\)")
_RAISED_OR_LOWERED = {"msub": "_", "munder": "_", "msup": "^", "mover": "^"}


def searchable(page: str) -> str:
    """The HTML of a page without what is hidden, and with text in the places of its formulas: 4096/3 ≈ 1365.33."""
    return _FORMULA.sub(lambda formula: html.escape(_typed_formula(formula[0])), _shown(page))


def _shown(page: str) -> str:
    """HTML without the elements that `generators/pipeline/slots.py` hides."""
    kept, begin = [], 0
    while hidden := _HIDDEN.search(page, begin):
        depth, end = 1, hidden.end()
        for tag in re.compile(rf"<(/?){hidden[1]}\b[^>]*>").finditer(page, end):
            depth += -1 if tag[1] else 1
            end = tag.end()
            if not depth:
                break
        kept.append(page[begin : hidden.start()])
        begin = end
    return "".join([*kept, page[begin:]])


@lru_cache(maxsize=4096)
def _typed_formula(mathml: str) -> str:
    typed = _typed(ElementTree.fromstring(_BARE.sub("&amp;", mathml))).replace("−", "-")
    return " ".join(_APPLIED.sub(" ", typed.replace("\u2061(", "(")).split())


def _typed(element: ElementTree.Element) -> str:
    text, parts = element.text or "", [_typed(child) for child in element]
    match element.tag:
        case "mo":
            return f" {text} " if text in _RELATIONS else f"{text} " if text in {",", ";"} else text
        case "mfrac":
            return "/".join(map(_in_brackets, parts))
        case "msqrt":
            return f"√{_in_brackets(''.join(parts))}"
        case "mover" if element.get("accent"):
            return parts[0]
        case "msub" | "msup" | "munder" | "mover":
            return f"{parts[0]}{_RAISED_OR_LOWERED[element.tag]}{_in_brackets(parts[1])}"
        case "msubsup" | "munderover":
            end = " " if element.tag == "munderover" else ""
            return f"{parts[0]}_{_in_brackets(parts[1])}^{_in_brackets(parts[2])}{end}"
        case "mtr" | "mtable":
            return " ".join(parts)
    return text + "".join(parts)


def _in_brackets(part: str) -> str:
    """What is more than one name or number, and has no brackets yet."""
    return part if _ONE.fullmatch(part) else f"({part.strip()})"
