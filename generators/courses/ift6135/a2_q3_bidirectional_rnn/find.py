"""Finds every line of the derivation again by autograd, on random networks, and the graph in what torch records.

From the sheet: both chains and the outputs as it defines them, and the derivatives that it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from generators.cells import Math
from generators.courses.ift6135.a2_q3_bidirectional_rnn.params import RnnParams
from generators.found import Found, Proof, Route

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q3_bidirectional_rnn.network import Network

SHEET = Route("the sheet and the parameters, read again", restates=True)
RNN = Route("torch.nn.RNN, bidirectional, in float64", tolerance=1e-12)
AUTOGRAD = Route("torch's autograd on random networks in float64", tolerance=1e-12)
GRAPH = Route("the graph that torch's autograd records")

TITLES = {
    "sheet": "Given",
    "3.1": "The graph unrolled",
    "3.2a": "Gradients of one step, and entries of the Jacobians",
    "3.2b": "Jacobian matrices",
    "3.3": "Gradients of the weights",
}
LINES = {
    "3.2a/forward": "by_output output_by_state product gradient argument_entry slope_entry entry_product entry",
    "3.2a/backward": "gradient entry",
    "3.2b/f": "jacobian",
    "3.2b/b": "jacobian",
    "3.3/w": "copy entry argument own_entry own gradient",
    "3.3/u": "gradient",
}
SIZES = {"square": ((3, 4, 4, 4), (1, 3, 3, 3), (2, 1, 1, 1)), "general": ((5, 2, 4, 3), (1, 2, 4, 3), (3, 4, 2, 5))}
"""Time steps and sizes of inputs, hidden states and outputs of the random networks."""

Lines = dict[str, tuple[str, list[tuple[Mapping[str, Any], Any]]]]


def find(params: RnnParams) -> Iterator[Found | Proof]:
    """The graph, and every line of the derivation."""
    from generators.courses.ift6135.a2_q3_bidirectional_rnn.network import Network

    for label, title in TITLES.items():
        yield from SHEET.part(label, title)
    square = params.conventions.shapes == "square"
    yield from SHEET.letters("sheet", T=params.time_steps)
    yield from SHEET.values("sheet", sizes_are_equal=square, sizes_differ=not square)
    yield from _graph(Network(params.time_steps, 2, 2, 2))
    networks = [Network(*sizes) for sizes in SIZES[params.conventions.shapes]]
    away = max(net.away_from_torch() for net in networks)
    yield from RNN.proof("the outputs of the networks that are differentiated are those of torch.nn.RNN", away)
    yield from _derivations(networks, square)


def _graph(net: Network) -> Iterator[Found]:
    """Nodes row by row; edges by the step that they lead to, forward chain first."""
    from generators.courses.ift6135.a2_q3_bidirectional_rnn.network import nodes, recorded_edges

    found = nodes(net)
    edges = sorted(recorded_edges(net), key=lambda edge: (found[edge[1]][1], "fb".index(edge[2][1]), "WUV".index(edge[2][0])))
    rows = {name: (_math(*name.split("_")), *found[name]) for name in found}
    yield from GRAPH.table("3.1", "nodes", rows, columns=("name", "row", "time"))
    cells = {f"{a}-{b}": (a, b, _math(*weight, bold_time="")) for a, b, weight in edges}
    yield from GRAPH.table("3.1", "edges", cells, columns=("from", "to", "weight"))


def _math(letter: str, *rest: str, bold_time: str = "_{?}") -> Math:
    r"""Such as \mathbf{h}_{2}^{(f)} for h, f and 2, and without a time for weights."""
    chain = "".join(f"^{{({one})}}" for one in rest if one in "fb")
    return Math(rf"\mathbf{{{letter}}}{bold_time.replace('?', rest[-1])}{chain}")


def _derivations(networks: list[Network], square: bool) -> Iterator[Found]:
    """Each line's left side at every time step where it exists; the gradient by a weight sums over all steps."""
    from generators.courses.ift6135.a2_q3_bidirectional_rnn import moments

    found: Lines = {}
    for net in networks:
        sizes, worlds = _sizes(net, square), [moments.world(net, t) for t in range(len(net.times) + 2)]
        said = [(line, left, worlds[t]) for t in range(len(worlds)) for line, left in moments.lines(net, t)]
        for letter, chain in (("W", "b"), ("U", "f")):
            whole = moments.gradient(moments.Named("L", net.loss), moments.weight(net, letter, chain))
            said.append((f"3.3/{letter.lower()}/gradient", whole, {"steps": worlds[1:-1]}))
        for line, left, values in said:
            found.setdefault(line, (left.name, []))[1].append(({**values, **sizes}, moments.numbers(left)))
    for where, order in LINES.items():
        part, key = where.split("/")
        yield from AUTOGRAD.lines(part, key, {line: found[f"{where}/{line}"] for line in order.split()})


def _sizes(net: Network, square: bool) -> dict[str, int]:
    """The letters of the sizes, one for all where all are equal."""
    return {"d": net.sizes["d_h"]} if square else net.sizes
