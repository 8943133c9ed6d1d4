"""Assignment 2, question 3: a bidirectional RNN unrolled, and its gradients in matrix form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import sympy
from pydantic import Field
from sympy import HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix, Transpose

from generators.answer import Figure, Math, Value
from generators.matrices import Diagonal, TimeSum, entry, gradient, jacobian, vector
from generators.params import Params
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step

MAX_STEPS = 30
STEPS_A_PICTURE = 3

T = sympy.Symbol("T", positive=True)
i, j = sympy.symbols("i j", integer=True)


class Conventions(Params):
    """What the derivation rests on."""

    shapes: Literal["square", "general"] = Field(
        "square", description="sizes of inputs, hidden states and outputs: all d (square), or d_x, d_h and d_y (general)"
    )


class RnnParams(Params):
    """How many time steps the graph is unrolled for."""

    time_steps: Annotated[int, Field(gt=0, le=MAX_STEPS)]
    conventions: Conventions = Conventions()


@dataclass(frozen=True)
class Sizes:
    """The letters of the sizes of input, hidden state and output."""

    x: sympy.Symbol
    h: sympy.Symbol
    y: sympy.Symbol


def _sizes(params: RnnParams) -> Sizes:
    names = {"square": "d d d", "general": "d_x d_h d_y"}[params.conventions.shapes]
    return Sizes(*sympy.symbols(names, integer=True, positive=True))


@dataclass(frozen=True)
class Chain:
    """One of the two directions: its superscript, the time steps it comes from and goes to, its last one, and the sizes."""

    name: str
    before: str
    after: str
    last: str
    sizes: Sizes

    @property
    def w(self) -> MatrixSymbol:
        """From input to hidden state."""
        return MatrixSymbol(rf"\mathbf{{W}}^{{({self.name})}}", self.sizes.h, self.sizes.x)

    @property
    def u(self) -> MatrixSymbol:
        """From hidden state to hidden state."""
        return MatrixSymbol(rf"\mathbf{{U}}^{{({self.name})}}", self.sizes.h, self.sizes.h)

    @property
    def v(self) -> MatrixSymbol:
        """From hidden state to output."""
        return MatrixSymbol(rf"\mathbf{{V}}^{{({self.name})}}", self.sizes.y, self.sizes.h)

    def h(self, time: str) -> MatrixSymbol:
        """The hidden state."""
        return MatrixSymbol(vector("h", time, self.name), self.sizes.h, 1)

    def loss_by_h(self, time: str) -> MatrixSymbol:
        """The gradient of the whole loss by a hidden state."""
        return MatrixSymbol(gradient("L", vector("h", time, self.name)), self.sizes.h, 1)

    def x(self, time: str) -> MatrixSymbol:
        """The input."""
        return MatrixSymbol(vector("x", time), self.sizes.x, 1)

    def error(self, time: str) -> MatAdd:
        """Target less output."""
        z, y = (MatrixSymbol(vector(letter, time), self.sizes.y, 1) for letter in "zy")
        return MatAdd(z, MatMul(-1, y))

    def slope(self, time: str) -> Diagonal:
        """The derivatives of tanh on the diagonal, written with its values."""
        h = self.h(time)
        return Diagonal(MatAdd(OneMatrix(self.sizes.h, 1), MatMul(-1, HadamardProduct(h, h))))

    def local(self, time: str) -> MatMul:
        """The gradient of one step's loss by its hidden state."""
        return MatMul(-2, Transpose(self.v), self.error(time))

    @property
    def jacobian(self) -> MatMul:
        """The derivative of the next hidden state by this one."""
        return MatMul(self.slope(self.after), self.u)


def _line(what: str, symbol: str, value: Value) -> Step:
    return Step(what=what, symbol=symbol, value=value)


def solve(params: RnnParams) -> Answer:
    """Unroll the graph, and derive every gradient line by line for both chains."""
    sizes = _sizes(params)
    forward, backward = Chain("f", "t-1", "t+1", "T", sizes), Chain("b", "t+1", "t-1", "1", sizes)
    both = (forward, backward)
    entries = {name: line for chain in both for name, line in (_local_gradient(chain) | _entries(chain)).items()}
    return Answer(
        {
            "3.1": _graph(params.time_steps),
            "3.2a": Part(title="Gradients of one step, and entries of the Jacobians", steps=_loss(forward) | entries),
            "3.2b": Part(title="Jacobian matrices", steps={k: v for chain in both for k, v in _matrices(chain).items()}),
            "3.3": Part(title="Gradients of the weights", steps=_by_w(backward) | _by_u(forward)),
        }
    )


def _graph(steps: int) -> Part:
    """Nodes row by row, edges with their weights, and how many of each."""
    times = range(1, steps + 1)
    nodes = [(Math(vector("y", str(t))), "output", t) for t in times]
    nodes += [(Math(vector("h", str(t), "b")), "backward", t) for t in range(1, steps + 2)]
    nodes += [(Math(vector("h", str(t), "f")), "forward", t) for t in range(steps + 1)]
    nodes += [(Math(vector("x", str(t))), "input", t) for t in times]
    edges = [edge for t in times for edge in _edges_of_step(t)]
    pictures = [(first, min(first + STEPS_A_PICTURE - 1, steps)) for first in range(1, steps + 1, STEPS_A_PICTURE)]
    return Part(
        title="The graph unrolled",
        steps={
            "nodes": step("nodes", r"n_{\text{nodes}}", 4 * T + 2, {T: steps}),
            "edges": step("edges", r"n_{\text{edges}}", 6 * T, {T: steps}),
        },
        tables={
            "nodes": Table(header=("Node", "Row", "Time step"), rows=tuple(nodes)),
            "edges": Table(header=("From", "To", "Weight"), rows=tuple(edges)),
            "pictures": Table(
                header=("Picture", "First step", "Last step"),
                rows=tuple((f"graph_{number}", *span) for number, span in enumerate(pictures, 1)),
            ),
        },
    )


def _edges_of_step(t: int) -> Iterator[tuple[Math, Math, Math]]:
    for chain, before in (("f", t - 1), ("b", t + 1)):
        here = Math(vector("h", str(t), chain))
        weights = [Math(rf"\mathbf{{{letter}}}^{{({chain})}}") for letter in "WUV"]
        yield Math(vector("x", str(t))), here, weights[0]
        yield Math(vector("h", str(before), chain)), here, weights[1]
        yield here, Math(vector("y", str(t))), weights[2]


def _loss(chain: Chain) -> dict[str, Step]:
    error = chain.error("t")
    return {
        "loss": _line("the squared norm as a product", "L_t", MatMul(Transpose(error), error)),
        "loss_by_output": _line(
            "derivative of a square, once for each entry", gradient("L_t", vector("y", "t")), MatMul(-2, error)
        ),
    }


def _local_gradient(chain: Chain) -> dict[str, Step]:
    """The gradient of one step's loss by the hidden state of the same step."""
    h, y = vector("h", "t", chain.name), vector("y", "t")
    output_by_state = MatrixSymbol(jacobian(y, h), chain.sizes.y, chain.sizes.h)
    loss_by_output = MatrixSymbol(gradient("L_t", y), chain.sizes.y, 1)
    return {
        f"{chain.name}_output_by_state": _line("the output is linear in the state", output_by_state.name, chain.v),
        f"{chain.name}_chain_rule": _line(
            "chain rule, with gradients as columns", gradient("L_t", h), MatMul(Transpose(output_by_state), loss_by_output)
        ),
        f"{chain.name}_local": _line("both put in", gradient("L_t", h), chain.local("t")),
    }


def _entries(chain: Chain) -> dict[str, Step]:
    """The Jacobian of the next state entry by entry, through the argument a of its tanh."""
    after, h = chain.h(chain.after), chain.h("t")
    a = vector("a", chain.after, chain.name)
    argument = MatAdd(MatMul(chain.w, chain.x(chain.after)), MatMul(chain.u, h))
    slope = 1 - after[i, 0] ** 2
    return {
        f"{chain.name}_argument": _line("what tanh is applied to", a, argument),
        f"{chain.name}_argument_entry": _line(
            "row i of U times the state", jacobian(entry(a, "i"), entry(h.name, "j")), chain.u[i, j]
        ),
        f"{chain.name}_slope_entry": _line(
            "tanh acts on each entry alone, and its derivative is one less its square",
            jacobian(entry(after.name, "i"), entry(a, "i")),
            slope,
        ),
        f"{chain.name}_entry": _line("chain rule", entry(jacobian(after.name, h.name), "i j"), slope * chain.u[i, j]),
    }


def _matrices(chain: Chain) -> dict[str, Step]:
    """The Jacobian as a matrix, and the sheet's recursion with it put in."""
    after, h, a = vector("h", chain.after, chain.name), vector("h", "t", chain.name), vector("a", chain.after, chain.name)
    through = MatMul(Transpose(chain.u), chain.slope(chain.after), chain.loss_by_h(chain.after))
    return {
        f"{chain.name}_slope": _line(
            "no entry depends on another, so the matrix is diagonal", jacobian(after, a), chain.slope(chain.after)
        ),
        f"{chain.name}_argument_matrix": _line("the argument is linear in the state", jacobian(a, h), chain.u),
        f"{chain.name}_jacobian": _line(
            "their product: row i of U is scaled by the slope of entry i", jacobian(after, h), chain.jacobian
        ),
        f"{chain.name}_recursion": _line(
            "the sheet's recursion with 3.2a and the Jacobian put in; a diagonal matrix is its own transpose",
            gradient("L", h),
            MatAdd(chain.local("t"), through),
        ),
        f"{chain.name}_start": _line(
            "at the end of the chain nothing follows, so the second term is missing",
            gradient("L", vector("h", chain.last, chain.name)),
            chain.local(chain.last),
        ),
    }


def _by_w(chain: Chain) -> dict[str, Step]:
    return _by_weight(chain, "W", chain.w, chain.x("t"), MatMul(chain.u, chain.h(chain.before)))


def _by_u(chain: Chain) -> dict[str, Step]:
    return _by_weight(chain, "U", chain.u, chain.h(chain.before), MatMul(chain.w, chain.x("t")))


def _by_weight(chain: Chain, letter: str, weight: MatrixSymbol, factor: MatrixSymbol, rest: MatMul) -> dict[str, Step]:
    """The gradient of a weight that multiplies `factor`: give each step its own copy, then add the copies' gradients."""
    copy = MatrixSymbol(vector(letter, "t", chain.name), *weight.shape)
    a, grad_h = vector("a", "t", chain.name), chain.loss_by_h("t")
    product = MatMul(chain.slope("t"), grad_h)
    entries = grad_h[i, 0] * (1 - chain.h("t")[i, 0] ** 2) * factor[j, 0]
    own = MatMul(*product.args, Transpose(factor))
    lines = {
        "copy": _line("step t uses a copy of its own", a, MatAdd(MatMul(copy, factor), rest)),
        "argument": _line("the gradient passes tanh, whose Jacobian is diagonal", gradient("L", a), product),
        "copy_entry": _line(
            "the copy's entry i, j multiplies entry j only", jacobian(entry(a, "i"), entry(copy.name, "i j")), factor[j, 0]
        ),
        "entry": _line("chain rule: only entry i of the argument holds row i", jacobian("L", entry(copy.name, "i j")), entries),
        "own": _line("all entries at once: an outer product", gradient("L", copy.name), own),
        "gradient": _line("the copies are one matrix, so their gradients add up", gradient("L", weight.name), TimeSum(own)),
    }
    return {f"{letter.lower()}_{name}": line for name, line in lines.items()}


def verify(params: RnnParams, answer: Answer) -> Iterator[Check]:
    """Evaluate every line on random networks against autograd, and read the graph that torch records."""
    from generators.oracles.bidirectional_rnn import verify_rnn

    return verify_rnn(params, answer)


def draw(params: RnnParams, answer: Answer) -> dict[str, Figure]:
    """The unrolled graph, a few time steps a picture."""
    from generators.figures.unrolled import unrolled_figure

    tables = answer["3.1"].tables
    return {
        str(name): unrolled_figure(tables["nodes"], tables["edges"], (int(str(first)), int(str(last))), params.time_steps)
        for name, first, last in tables["pictures"].rows
    }


QUESTION = SelfVerifying(
    title="Bidirectional RNN: backpropagation through time",
    points=17,
    params=RnnParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
