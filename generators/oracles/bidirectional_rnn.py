"""Evaluates every published line on random networks and compares with autograd; reads the graph that torch records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy
import torch

from generators.answer import Math
from generators.matrices import gradient, vector
from generators.oracles.compare import same, same_formulas, same_letters
from generators.oracles.matrix_formulas import Evaluator, relative_difference
from generators.oracles.rnn_network import CHAINS, Case, Network, by, network, nodes, recorded_edges, values_at
from generators.oracles.rnn_symbols import quantity
from generators.steps import Answer, Check, Part, Step

if TYPE_CHECKING:
    from generators.courses.ift6135.a2_q3_bidirectional_rnn import RnnParams

CASES = (Case(3, 4, 4, 4), Case(1, 3, 3, 3), Case(1, 2, 4, 3), Case(5, 2, 4, 3), Case(2, 1, 1, 1))
"""Square and other sizes, and sequences of length 1."""
OTHER_STEPS = 5
TOLERANCE = 1e-12
TORCH = f"torch {torch.__version__.split('+')[0]}"
AUTOGRAD = f"{TORCH} autograd, float64"
Found = dict[str, torch.Tensor]


def verify_rnn(params: RnnParams, answer: Answer) -> Iterator[Check]:
    """Check the graph, every line with its shape, and backpropagation with nothing but published lines."""
    yield from _check_graph(params.time_steps, answer["3.1"])
    for case in CASES:
        yield _check_states(case)
    for label in ("3.2a", "3.2b", "3.3"):
        for name, line in answer[label].steps.items():
            yield _check_line(label, name, line)
        yield _check_symbols(label, answer[label])
        yield _check_shapes(label, answer[label], params.conventions.shapes == "square")
    for chain, weight in (("b", "W"), ("f", "U")):
        yield _check_backpropagation(answer, chain, weight)


def _check_states(case: Case) -> Check:
    """The network that autograd is asked about is the one of torch.nn.RNN."""
    net = network(case)
    difference = float((net.own_states() - net.states_of_torch()).abs().max())
    what = f"hidden states of the network that the lines are evaluated on, {case}"
    return _close(what, f"{net.own_states().numel()} values", difference, f"{TORCH} nn.RNN, bidirectional, float64")


def _close(what: str, published: str, difference: float, by: str) -> Check:
    return Check(
        what=what,
        published=f"{published}, equal to {TOLERANCE:g}",
        found=f"largest difference {difference:.1e}",
        by=by,
        passed=difference <= TOLERANCE,
    )


@lru_cache(maxsize=64)
def derivatives_at(case: Case, t: int) -> Found:
    """What autograd finds for the left side of every line about step t, by the line's name."""
    net = network(case)
    found: Found = {}
    for chain, forward in CHAINS.items():
        after = t + forward
        if (chain, after) in net.a:
            found |= _next_state(net, chain, t, after)
        if (chain, t) in net.a:
            whole = by(net.loss, net.h[chain, t])[:, None]
            found[f"{chain}_recursion" if (chain, after) in net.a else f"{chain}_start"] = whole
            local = by(net.losses[t], net.h[chain, t])[:, None]
            found |= {f"{chain}_chain_rule": local, f"{chain}_local": local}
            found[f"{chain}_output_by_state"] = by(net.y[t], net.h[chain, t])
    if t in net.y:
        found |= {"loss": net.losses[t].detach()[None, None], "loss_by_output": by(net.losses[t], net.y[t])[:, None]}
        found |= _weight(net, "W", "b", t) | _weight(net, "U", "f", t)
    return found


def _next_state(net: Network, chain: str, t: int, after: int) -> Found:
    """From one hidden state to the next of its chain."""
    a, state, following = net.a[chain, after], net.h[chain, t], net.h[chain, after]
    slope, argument, jacobian = by(following, a), by(a, state), by(following, state)
    return {
        f"{chain}_argument": a.detach()[:, None],
        f"{chain}_argument_entry": argument,
        f"{chain}_argument_matrix": argument,
        f"{chain}_slope_entry": slope.diagonal()[:, None],
        f"{chain}_slope": slope,
        f"{chain}_entry": jacobian,
        f"{chain}_jacobian": jacobian,
    }


def _weight(net: Network, letter: str, chain: str, t: int) -> Found:
    """The copy of a weight that step t uses."""
    a, copy = net.a[chain, t], net.copies[letter, chain, t]
    own = by(net.loss, copy)
    return {
        f"{letter.lower()}_copy": a.detach()[:, None],
        f"{letter.lower()}_argument": by(net.loss, a)[:, None],
        f"{letter.lower()}_copy_entry": torch.stack([by(one, copy)[row] for row, one in enumerate(a)]),
        f"{letter.lower()}_entry": own,
        f"{letter.lower()}_own": own,
    }


@lru_cache(maxsize=16)
def gradients(case: Case) -> Found:
    """What autograd finds for the gradients of the weights."""
    net = network(case)
    return {"w_gradient": by(net.loss, net.weights["W", "b"]), "u_gradient": by(net.loss, net.weights["U", "f"])}


@lru_cache(maxsize=4096)
def _differences(name: str, value: sympy.Basic, case: Case) -> tuple[float, ...]:
    """Relative differences between a published right side and what autograd finds, wherever the left side exists."""
    steps = [values_at(case, t) for t in network(case).times]
    if name in gradients(case):
        return (relative_difference(value, Evaluator({}, steps), gradients(case)[name]),)
    times = [t for t in range(case.steps + 2) if name in derivatives_at(case, t)]
    return tuple(relative_difference(value, Evaluator(values_at(case, t)), derivatives_at(case, t)[name]) for t in times)


def _check_line(label: str, name: str, line: Step) -> Check:
    differences = [one for case in CASES for one in _differences(name, line.value, case)]
    count = f"{len(differences)} evaluations"
    return _close(f"{label}, {name.replace('_', ' ')}: {line.what}", count, max(differences, default=float("inf")), AUTOGRAD)


def _check_symbols(label: str, part: Part) -> Check:
    """What stands left of the sign of equality means what the right side was compared with, whole or entry by entry."""
    wrong = [line.symbol for name, line in part.steps.items() if not all(_means(name, line, case) for case in CASES)]
    count = len(part.steps)
    return Check(
        what=f"{label}, left sides of all lines",
        published=f"{count} symbols",
        found=f"{count} read as what is on their right" if not wrong else f"not so: {', '.join(wrong)}",
        by=f"{AUTOGRAD}, asked for what each symbol says",
        passed=not wrong,
    )


def _means(name: str, line: Step, case: Case) -> bool:
    """Whether the symbol's own meaning is what autograd finds for the line of this name, wherever that exists."""
    by_entries = not {"i", "j"}.isdisjoint(map(str, sympy.sympify(line.value).free_symbols))
    return _says(name, line.symbol, case) in ({by_entries}, set())


@lru_cache(maxsize=1024)
def _says(name: str, symbol: str, case: Case) -> set[bool | None]:
    """Whether the symbol speaks of entries, at each step; None where it means something else than the line of this name."""
    found: set[bool | None] = set()
    for t in range(case.steps + 2):
        tensor = gradients(case).get(name, derivatives_at(case, t).get(name))
        if tensor is None or (name in gradients(case) and t not in network(case).times):
            continue
        try:
            meant, by_entries = quantity(symbol, case, t)
        except (KeyError, RuntimeError):
            return {None}
        found.add(by_entries if meant.shape == tensor.shape and torch.allclose(meant, tensor, rtol=TOLERANCE) else None)
    return found


def _check_shapes(label: str, part: Part, square: bool) -> Check:
    """The shape beside every line, at the sizes of a network."""
    case = CASES[0] if square else CASES[3]
    sizes = {"d": case.d_h, "d_x": case.d_x, "d_h": case.d_h, "d_y": case.d_y}
    found = gradients(case) | {k: v for t in range(case.steps + 2) for k, v in derivatives_at(case, t).items()}
    wrong = []
    matrices = {name: line.value for name, line in part.steps.items() if isinstance(line.value, sympy.MatrixExpr)}
    for name, value in matrices.items():
        shape = tuple(int(size.subs({one: sizes[str(one)] for one in size.free_symbols})) for size in map(sympy.S, value.shape))
        if shape != tuple(found[name].shape):
            wrong.append(f"{name} {tuple(found[name].shape)}")
    return Check(
        what=f"{label}, shapes of all lines",
        published=f"{len(matrices)} shapes",
        found=f"{len(matrices)} equal" if not wrong else f"not so: {', '.join(wrong)}",
        by=f"{TORCH} autograd, {case}",
        passed=bool(matrices) and not wrong,
    )


def _check_backpropagation(answer: Answer, chain: str, letter: str) -> Check:
    """Let the published start and recursion give all gradients of the states, and the published sum the weight's."""
    lines = answer["3.2b"].steps
    name = f"{letter.lower()}_gradient"
    worst = 0.0
    for case in CASES:
        steps = _propagated(case, chain, {kind: lines[f"{chain}_{kind}"].value for kind in ("start", "recursion")})
        worst = max(worst, relative_difference(answer["3.3"][name].value, Evaluator({}, steps), gradients(case)[name]))
    what = f"3.3, gradient of {letter} by backpropagation through time with published lines alone"
    return _close(what, f"{len(CASES)} networks", worst, AUTOGRAD)


def _propagated(case: Case, chain: str, lines: Mapping[str, sympy.Basic]) -> list[Found]:
    """Values of every step in which the gradients of one chain's states come from the published lines."""
    forward = CHAINS[chain]
    here, following = (gradient("L", vector("h", label, chain)) for label in ("t", "t+1" if forward == 1 else "t-1"))
    steps: list[Found] = []
    for t in network(case).times[::-forward]:
        values = {name: value for name, value in values_at(case, t).items() if not name.startswith(r"\nabla")}
        if steps:
            values[following] = steps[-1][here]
        values[here] = _or_nan(lines["recursion" if steps else "start"], values, case)
        steps.append(values)
    return steps


def _or_nan(line: sympy.Basic, values: Found, case: Case) -> torch.Tensor:
    try:
        return Evaluator(values)(line)
    except (KeyError, TypeError, RuntimeError, IndexError):
        return torch.full((case.d_h, 1), torch.nan, dtype=torch.float64)


def _check_graph(steps: int, part: Part) -> Iterator[Check]:
    """Nodes and edges of the pictures against the products that torch records."""
    net = network(Case(steps, 2, 2, 2))
    recorded = f"{TORCH} autograd, the graph it records"
    edges = sorted(recorded_edges(net))
    published = sorted(tuple(_latex(cell) for cell in row) for row in part.tables["edges"].rows)
    yield _same_sets("3.1, edges with their weights", published, edges, recorded)
    ours = sorted((_latex(name), str(row), time) for name, row, time in part.tables["nodes"].rows)
    yield _same_sets("3.1, nodes with their rows and time steps", ours, sorted(nodes(net)), recorded)
    met = {name for source, target, _ in edges for name in (source, target)}
    named = {name: line.symbol for name, line in part.steps.items() if line.symbol != rf"n_{{\text{{{name}}}}}"}
    yield same("3.1, symbols named otherwise than what they count", len(named), 0, recorded)
    yield same("3.1, nodes", part["nodes"].value, len(met), recorded)
    yield same("3.1, edges", part["edges"].value, len(edges), recorded)
    yield same_letters("3.1, numbers put in", part.steps, {"T": steps})
    pictures = ", ".join(str(row[0]) for row in part.tables["pictures"].rows)
    numbered = ", ".join(f"graph_{number}" for number, _ in enumerate(part.tables["pictures"].rows, 1))
    yield same("3.1, names of the pictures", pictures, numbered, "counted")
    shown = [t for _, first, last in part.tables["pictures"].rows for t in range(int(str(first)), int(str(last)) + 1)]
    yield same("3.1, time steps drawn, in order", str(shown), str(list(net.times)), recorded)
    other = network(Case(OTHER_STEPS, 2, 2, 2))
    counts = [
        ("nodes", part["nodes"].formula, len(nodes(other))),
        ("edges", part["edges"].formula, len([*recorded_edges(other)])),
    ]
    yield same_formulas("3.1, formulas", counts, {"T": OTHER_STEPS}, recorded)


def _latex(cell: object) -> str:
    return cell.latex if isinstance(cell, Math) else str(cell)


def _same_sets(what: str, published: Sequence[object], found: Sequence[object], by: str) -> Check:
    differing = [str(one) for one in (*published, *found) if (one in published) != (one in found)]
    passed = published == found
    outcome = f"{len(found)} equal" if passed else f"{len(found)}, not so: {', '.join(differing)}"
    return Check(what=what, published=str(len(published)), found=outcome, by=by, passed=passed)
