"""Unrolls a bidirectional RNN, and derives its gradients line by line for both chains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy
from sympy import MatAdd, MatMul, MatrixSymbol, Transpose

from generators.answer import Answer, Derivation, Line, Part, answer, claim, derivation, formula, letter, line, part
from generators.cells import Cell, Math
from generators.courses.ift6135.a2_q3_bidirectional_rnn.chain import Chain
from generators.courses.ift6135.a2_q3_bidirectional_rnn.params import RnnParams
from generators.matrices import Tanh, TimeSum, entry, gradient, jacobian, vector
from generators.table import table

STEPS_A_PICTURE = 3

T = sympy.Symbol("T", positive=True)
i, j = sympy.symbols("i j", integer=True)


def solve(params: RnnParams) -> Answer:
    """The graph, and every gradient."""
    square = params.conventions.shapes == "square"
    forward, backward = Chain("f", "t-1", "t+1", "T", square=square), Chain("b", "t+1", "t-1", "1", square=square)
    chains = {"forward": forward, "backward": backward}
    output = MatAdd(*(MatMul(chain.v, chain.h("t")) for chain in chains.values()))
    network = {
        name: line(vector("h", "t", chain.name), Tanh(chain.argument("t", chain.before)), f"{name} chain")
        for name, chain in chains.items()
    }
    sheet = part(
        "sheet",
        "Given",
        letter(T, params.time_steps, "time steps"),
        claim("sizes_are_equal", square),
        claim("sizes_differ", not square),
        derivation("network", {**network, "output": line(vector("y", "t"), output, "both chains added up")}),
    )
    of_one_step = [derivation(name, {**_local_gradient(one), **_entries(one)}, asked=True) for name, one in chains.items()]
    matrices = [derivation(name, _matrices(one), asked=True) for name, one in chains.items()]
    by_w = _by_weight(backward, "W", backward.w, backward.x("t"), MatMul(backward.u, backward.h(backward.before)))
    by_u = _by_weight(forward, "U", forward.u, forward.h(forward.before), MatMul(forward.w, forward.x("t")))
    return answer(
        sheet,
        _graph(params.time_steps, sheet),
        part("3.2a", "Gradients of one step, and entries of the Jacobians", _loss(forward), *of_one_step),
        part("3.2b", "Jacobian matrices", *matrices),
        part("3.3", "Gradients of the weights", by_w, by_u),
    )


def _graph(steps: int, sheet: Part) -> Part:
    """Nodes row by row, edges with their weights, and how many of each."""
    times = range(1, steps + 1)
    states = ("h", "b", "backward", (*times, steps + 1)), ("h", "f", "forward", (0, *times))
    rows = ("y", "", "output", times), *states, ("x", "", "input", times)
    nodes = {
        "_".join(filter(None, (name, chain, str(t)))): (Math(vector(name, str(t), chain)), kind, t)
        for name, chain, kind, own in rows
        for t in own
    }
    starts = enumerate(times[::STEPS_A_PICTURE], 1)
    pictures = {f"graph_{n}": (first, min(first + STEPS_A_PICTURE - 1, steps)) for n, first in starts}
    return part(
        "3.1",
        "The graph unrolled",
        formula("n_nodes", 4 * T + 2, "nodes", r"n_{\text{nodes}}"),
        formula("n_edges", 6 * T, "edges", r"n_{\text{edges}}"),
        table("nodes", ["name", "row", "time"], nodes, drawn=True),
        table("edges", ["from", "to", "weight"], (edge for t in times for edge in _edges_of_step(t)), asked=True, drawn=True),
        table("pictures", ["first", "last"], pictures),
        within=sheet,
    )


def _edges_of_step(t: int) -> Iterator[tuple[str, Sequence[Cell]]]:
    for chain, before in (("f", t - 1), ("b", t + 1)):
        here = f"h_{chain}_{t}"
        ends = {"W": (f"x_{t}", here), "U": (f"h_{chain}_{before}", here), "V": (here, f"y_{t}")}
        for weight, (source, target) in ends.items():
            yield f"{source}-{target}", (source, target, Math(rf"\mathbf{{{weight}}}^{{({chain})}}"))


def _loss(chain: Chain) -> Derivation:
    error = chain.error("t")
    lines = {
        "norm": line("L_t", MatMul(Transpose(error), error), "the squared norm as a product"),
        "by_output": line(gradient("L_t", vector("y", "t")), MatMul(-2, error), "derivative of a square, once for each entry"),
    }
    return derivation("loss", lines)


def _local_gradient(chain: Chain) -> dict[str, Line]:
    """The gradient of one step's loss by the hidden state of the same step."""
    h, y = vector("h", "t", chain.name), vector("y", "t")
    output_by_state = MatrixSymbol(jacobian(y, h), chain.d_y, chain.d_h)
    loss_by_output = MatrixSymbol(gradient("L_t", y), chain.d_y, 1)
    both = MatMul(Transpose(output_by_state), loss_by_output)
    return {
        "output_by_state": line(output_by_state.name, chain.v, "the output is linear in the state"),
        "chain_rule": line(gradient("L_t", h), both, "chain rule, with gradients as columns"),
        "gradient": line(gradient("L_t", h), chain.local("t"), "both put in"),
    }


def _entries(chain: Chain) -> dict[str, Line]:
    """The Jacobian of the next state entry by entry, through the argument a of its tanh."""
    after, h = chain.h(chain.after), chain.h("t")
    a = vector("a", chain.after, chain.name)
    slope = 1 - after[i, 0] ** 2
    return {
        "argument": line(a, chain.argument(chain.after, "t"), "what tanh is applied to"),
        "argument_entry": line(jacobian(entry(a, "i"), entry(h.name, "j")), chain.u[i, j], "row i of U times the state"),
        "slope_entry": line(
            jacobian(entry(after.name, "i"), entry(a, "i")),
            slope,
            "tanh acts on each entry alone, and its derivative is one minus its square",
        ),
        "entry": line(entry(jacobian(after.name, h.name), "i j"), slope * chain.u[i, j], "chain rule"),
    }


def _matrices(chain: Chain) -> dict[str, Line]:
    """The Jacobian as a matrix, and the sheet's recursion with it put in."""
    after, h, a = vector("h", chain.after, chain.name), vector("h", "t", chain.name), vector("a", chain.after, chain.name)
    whole = MatMul(chain.slope(chain.after), chain.u)
    through = MatMul(Transpose(chain.u), chain.slope(chain.after), chain.loss_by_h(chain.after))
    return {
        "slope": line(jacobian(after, a), chain.slope(chain.after), "no entry depends on another, so the matrix is diagonal"),
        "argument": line(jacobian(a, h), chain.u, "the argument is linear in the state"),
        "jacobian": line(jacobian(after, h), whole, "their product: row i of U is scaled by the slope of entry i"),
        "recursion": line(
            gradient("L", h),
            MatAdd(chain.local("t"), through),
            "the sheet's recursion with 3.2a and the Jacobian put in; a diagonal matrix is its own transpose",
        ),
        "start": line(
            gradient("L", vector("h", chain.last, chain.name)),
            chain.local(chain.last),
            "at the end of the chain nothing follows, so the second term is missing",
        ),
    }


def _by_weight(chain: Chain, name: str, weight: MatrixSymbol, factor: MatrixSymbol, rest: MatMul) -> Derivation:
    """The gradient of a weight that multiplies `factor`: give each step its own copy, then add the copies' gradients."""
    copy = MatrixSymbol(vector(name, "t", chain.name), *weight.shape)
    a, grad_h = vector("a", "t", chain.name), chain.loss_by_h("t")
    through = MatMul(chain.slope("t"), grad_h)
    entries = grad_h[i, 0] * (1 - chain.h("t")[i, 0] ** 2) * factor[j, 0]
    own = MatMul(*through.args, Transpose(factor))
    lines = {
        "copy": line(a, MatAdd(MatMul(copy, factor), rest), "step t uses a copy of its own"),
        "argument": line(gradient("L", a), through, "the gradient passes tanh, whose Jacobian is diagonal"),
        "copy_entry": line(
            jacobian(entry(a, "i"), entry(copy.name, "i j")), factor[j, 0], "the copy's entry i, j multiplies entry j only"
        ),
        "entry": line(jacobian("L", entry(copy.name, "i j")), entries, "chain rule: only entry i of the argument holds row i"),
        "own": line(gradient("L", copy.name), own, "all entries at once: an outer product"),
        "gradient": line(gradient("L", weight.name), TimeSum(own), "the copies are one matrix, so their gradients add up"),
    }
    return derivation(name.lower(), lines, asked=True)
