"""Where the nodes of a picture stand: what a page needs to point at a node in its pictures and tables at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from generators.answer import Figure

_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SHIFT = re.compile(r"translate\((-?[\d.]+)[ ,](-?[\d.]+)\)")


def pointed_at(figure: Figure) -> dict[str, Any]:
    """What `assets/nodes.js` reads: the table whose rows are nodes, their places in both forms of the picture, and steps."""
    forms = {"wide": figure.svg, "tall": figure.tall} if figure.tall else {"wide": figure.svg}
    return {"of": figure.nodes, "places": {name: places(svg) for name, svg in forms.items()}, "steps": figure.steps}


def places(svg: str) -> dict[str, list[Any]]:
    """By node its text, if it has one box, and its boxes: left, top, width and height in per cent of the picture."""
    picture = ElementTree.fromstring(svg)
    left, top, width, height = map(float, picture.get("viewBox", "").split())
    found: dict[str, list[Any]] = {}
    for node, (right, down) in _nodes(picture):
        boxes = []
        for xs, ys in _outlines(node):
            box = ((min(xs) + right - left) / width, (min(ys) + down - top) / height)
            size = ((max(xs) - min(xs)) / width, (max(ys) - min(ys)) / height)
            boxes.append([round(100 * one, 1) for one in (*box, *size)])
        text = " ".join("".join(one.itertext()) for one in node.iter(f"{_SVG}text"))
        found[node.findtext(f"{_SVG}title", "")] = [text if len(boxes) == 1 else "", *boxes]
    return found


def _nodes(picture: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, tuple[float, float]]]:
    """Each group that is a node, and how far the group around it is moved."""
    for group in picture.iter(f"{_SVG}g"):
        shift = _SHIFT.search(group.get("transform", ""))
        moved = (float(shift[1]), float(shift[2])) if shift else (0.0, 0.0)
        yield from ((one, moved) for one in group if one.get("class") == "node")


def _outlines(node: ElementTree.Element) -> Iterator[tuple[list[float], list[float]]]:
    """The coordinates of each path."""
    for path in node.iter(f"{_SVG}path"):
        numbers = [float(number) for number in _NUMBER.findall(path.get("d", ""))]
        yield numbers[::2], numbers[1::2]
