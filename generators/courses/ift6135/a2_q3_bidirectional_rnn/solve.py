"""Unrolls a bidirectional RNN, and derives its gradients line by line for both chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy
from sympy import MatAdd, MatMul, MatrixSymbol, Transpose

from generators.answer import Answer, Derivation, Line, Part, answer, claim, derivation, letter, line, part
from generators.cells import Cell, Math
from generators.courses.ift6135.a2_q3_bidirectional_rnn.chain import Chain
from generators.courses.ift6135.a2_q3_bidirectional_rnn.params import RnnParams
from generators.matrices import TimeSum, entry, gradient, jacobian, vector
from generators.table import table

T = sympy.Symbol("T", positive=True)
i, j = sympy.symbols("i j", integer=True)


def solve(params: RnnParams) -> Answer:
    """The graph, and every gradient."""
    square = params.conventions.shapes == "square"
    forward, backward = Chain("f", "t-1", "t+1", square=square), Chain("b", "t+1", "t-1", square=square)
    sheet = part(
        "sheet",
        "Given",
        letter(T, params.time_steps, "time steps"),
        claim("sizes_are_equal", square),
        claim("sizes_differ", not square),
    )
    by_w = _by_weight(backward, "W", backward.w, backward.x("t"), MatMul(backward.u, backward.h(backward.before)))
    by_u = _by_weight(forward, "U", forward.u, forward.h(forward.before), MatMul(forward.w, forward.x("t")))
    return answer(
        sheet,
        _graph(params.time_steps),
        part(
            "3.2a",
            "Gradients of one step, and entries of the Jacobians",
            derivation("forward", {**_local_gradient(forward), **_entries(forward)}, asked=True),
            _results("backward", {**_local_gradient(backward), **_entries(backward)}, "gradient", "entry"),
        ),
        part("3.2b", "Jacobian matrices", _jacobian(forward), _jacobian(backward)),
        part("3.3", "Gradients of the weights", derivation("w", by_w, asked=True), _results("u", by_u, "gradient")),
    )


def _results(key: str, lines: Mapping[str, Line], *kept: str) -> Derivation:
    """What is asked alone, where the lines before it read as those of the other chain."""
    return derivation(key, {one: lines[one] for one in kept}, asked=True)


def _graph(steps: int) -> Part:
    """Nodes row by row, and edges with their weights."""
    times = range(1, steps + 1)
    states = ("h", "b", "backward", (*times, steps + 1)), ("h", "f", "forward", (0, *times))
    rows = ("y", "", "output", times), *states, ("x", "", "input", times)
    nodes = {
        "_".join(filter(None, (name, chain, str(t)))): (Math(vector(name, str(t), chain)), kind, t)
        for name, chain, kind, own in rows
        for t in own
    }
    return part(
        "3.1",
        "The graph unrolled",
        table("nodes", ["name", "row", "time"], nodes, drawn=True),
        table("edges", ["from", "to", "weight"], (edge for t in times for edge in _edges_of_step(t)), asked=True, drawn=True),
    )


def _edges_of_step(t: int) -> Iterator[tuple[str, Sequence[Cell]]]:
    for chain, before in (("f", t - 1), ("b", t + 1)):
        here = f"h_{chain}_{t}"
        ends = {"W": (f"x_{t}", here), "U": (f"h_{chain}_{before}", here), "V": (here, f"y_{t}")}
        for weight, (source, target) in ends.items():
            yield f"{source}-{target}", (source, target, Math(rf"\mathbf{{{weight}}}^{{({chain})}}"))


def _local_gradient(chain: Chain) -> dict[str, Line]:
    """The gradient of one step's loss by the hidden state of the same step."""
    h, y, error = vector("h", "t", chain.name), vector("y", "t"), chain.error("t")
    by_output, by_state = MatrixSymbol(gradient("L_t", y), chain.d_y, 1), MatrixSymbol(jacobian(y, h), *chain.v.shape)
    return {
        "by_output": line(by_output.name, MatMul(-2, error), "derivative of the square"),
        "output_by_state": line(by_state.name, chain.v, "the output is linear in the state"),
        "product": line(gradient("L_t", h), MatMul(Transpose(by_state), by_output), "chain rule"),
        "gradient": line(gradient("L_t", h), MatMul(-2, Transpose(chain.v), error), "both lines put in"),
    }


def _entries(chain: Chain) -> dict[str, Line]:
    """The Jacobian of the next state entry by entry, through the argument a of its tanh."""
    after, h = chain.h(chain.after), chain.h("t")
    a = vector("a", chain.after, chain.name)
    by_argument, by_state = (MatrixSymbol(jacobian(*pair), chain.d_h, chain.d_h) for pair in ((after.name, a), (a, h.name)))
    slope, whole = 1 - after[i, 0] ** 2, entry(jacobian(after.name, h.name), "i j")
    return {
        "argument_entry": line(entry(by_state.name, "i j"), chain.u[i, j], "row i of U times the state"),
        "slope_entry": line(entry(by_argument.name, "i i"), slope, "derivative of tanh"),
        "entry_product": line(whole, by_argument[i, i] * by_state[i, j], "chain rule; entry i of h depends on entry i of a only"),
        "entry": line(whole, slope * chain.u[i, j], "both lines put in"),
    }


def _jacobian(chain: Chain) -> Derivation:
    """The Jacobian as a matrix."""
    name = jacobian(vector("h", chain.after, chain.name), vector("h", "t", chain.name))
    return derivation(chain.name, {"jacobian": line(name, MatMul(chain.slope(chain.after), chain.u), "all entries")}, asked=True)


def _by_weight(chain: Chain, name: str, weight: MatrixSymbol, factor: MatrixSymbol, rest: MatMul) -> dict[str, Line]:
    """The gradient of a weight that multiplies `factor`: give each step its own copy, then add the copies' gradients."""
    copy = MatrixSymbol(vector(name, "t", chain.name), *weight.shape)
    a, grad_h = vector("a", "t", chain.name), chain.loss_by_h()
    through, by_a = MatMul(chain.slope("t"), grad_h), MatrixSymbol(gradient("L", a), chain.d_h, 1)
    return {
        "copy": line(a, MatAdd(MatMul(copy, factor), rest), "step t uses a copy of its own"),
        "entry": line(jacobian(entry(a, "i"), entry(copy.name, "i j")), factor[j, 0], "row i acts on entry i of a"),
        "argument": line(by_a.name, through, "chain rule through tanh"),
        "own_entry": line(entry(gradient("L", copy.name), "i j"), by_a[i, 0] * factor[j, 0], "chain rule"),
        "own": line(gradient("L", copy.name), MatMul(by_a, Transpose(factor)), "all entries"),
        "gradient": line(
            gradient("L", weight.name), TimeSum(MatMul(*through.args, Transpose(factor))), "the copies are one matrix"
        ),
    }
