"""What a line of the derivation says about one time step: its left side as notation, and its number from autograd.

Notation and number of a derivative are made together, from the same two quantities of the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from generators.courses.ift6135.a2_q3_bidirectional_rnn.network import CHAINS, Network, derivative

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Named:
    """A tensor of the network as the derivation writes it, whole and by its entries."""

    name: str
    value: torch.Tensor
    stem: str = ""
    time: str = ""
    chain: str = ""

    @property
    def numbers(self) -> Numbers:
        """As a matrix; a vector is a column."""
        found = self.value.detach()
        array: Numbers = (found if found.dim() == 2 else found.reshape(-1, 1)).numpy()
        return array

    def entry(self, indices: str) -> str:
        """One entry, which is not bold."""
        return f"{self.stem}_{{{self.time},{indices}}}{self.chain}"


@dataclass(frozen=True)
class Result:
    """The line of a derivation, by its address, at one time step."""

    derivation: str
    line: str
    left: str
    numbers: Numbers


def _bold(letter: str, time: str, chain: str, value: torch.Tensor) -> Named:
    above = f"^{{({chain})}}" if chain else ""
    return Named(rf"\mathbf{{{letter}}}_{{{time}}}{above}", value, letter, time, above)


def gradient(of: Named, by: Named) -> Named:
    """A column, or a matrix in the shape of a weight."""
    return Named(rf"\nabla_{{{by.name}}} {of.name}", derivative(of.value, by.value))


def jacobian(of: Named, by: Named) -> Named:
    """A matrix with a row for each entry of `of`."""
    return Named(rf"\frac{{\partial {of.name}}}{{\partial {by.name}}}", derivative(of.value, by.value))


def entries(of: str, by: str, value: torch.Tensor) -> Named:
    """A derivative that is written for entries, with the numbers of all of them."""
    return Named(rf"\frac{{\partial {of}}}{{\partial {by}}}", value)


@dataclass(frozen=True)
class Moment:
    """A network as seen from step t, which may be one before its first or one after its last."""

    net: Network
    t: int

    def at(self, label: str) -> int:
        """The time step that a label such as t+1 stands for."""
        return {"t-1": self.t - 1, "t": self.t, "t+1": self.t + 1, "T": self.net.case.steps, "1": 1}[label]

    def vector(self, letter: str, label: str, chain: str = "") -> Named | None:
        """A vector of the network, if there is one at that time."""
        held = getattr(self.net, letter)
        where = (chain, self.at(label)) if chain else self.at(label)
        return _bold(letter, label, chain, held[where]) if where in held else None

    @property
    def loss(self) -> Named:
        """The whole loss."""
        return Named("L", self.net.loss)

    @property
    def own_loss(self) -> Named:
        """The loss of step t."""
        return Named("L_t", self.net.losses[self.t])

    @property
    def inside(self) -> bool:
        """Whether step t is one of the network's."""
        return self.t in self.net.times

    def copy(self, letter: str, chain: str) -> Named:
        """The weight as step t uses it."""
        return _bold(letter, "t", chain, self.net.copies[letter, chain, self.t])


def world(moment: Moment) -> dict[str, Numbers]:
    """Every quantity that the right side of a line about step t may name."""
    net = moment.net
    named = [Named(rf"\mathbf{{{letter}}}^{{({chain})}}", weight) for (letter, chain), weight in net.weights.items()]
    labels = ("t-1", "t", "t+1", "T", "1")
    vectors = [moment.vector(letter, label) for letter in "xyz" for label in labels]
    states = {(label, chain): moment.vector("h", label, chain) for label in labels for chain in CHAINS}
    named += [one for one in (*vectors, *states.values()) if one is not None]
    named += [
        gradient(moment.loss, state)
        for (label, chain), state in states.items()
        if state is not None and (chain, moment.at(label)) in net.a
    ]
    if moment.inside:
        output = moment.vector("y", "t")
        assert output is not None
        named += [moment.copy(letter, chain) for letter in "WU" for chain in CHAINS]
        named.append(gradient(moment.own_loss, output))
        named += [jacobian(output, state) for chain in CHAINS if (state := states["t", chain]) is not None]
    return {one.name: one.numbers for one in named}


def results(moment: Moment) -> Iterator[Result]:
    """Every line that says something about step t."""
    if moment.inside:
        yield from _loss(moment)
        yield from _weight(moment, "W", "b")
        yield from _weight(moment, "U", "f")
    for chain, name in (("f", "forward"), ("b", "backward")):
        if moment.inside:
            yield from _of_one_step(moment, chain, name)
        yield from _of_next_state(moment, chain, name)


def _loss(moment: Moment) -> Iterator[Result]:
    loss, output = moment.own_loss, moment.vector("y", "t")
    assert output is not None
    by_output = gradient(loss, output)
    yield Result("3.2a/loss", "norm", loss.name, loss.numbers)
    yield Result("3.2a/loss", "by_output", by_output.name, by_output.numbers)


def _of_one_step(moment: Moment, chain: str, name: str) -> Iterator[Result]:
    """Gradients by the hidden state of step t."""
    state, output = moment.vector("h", "t", chain), moment.vector("y", "t")
    assert state is not None
    assert output is not None
    slope, local = jacobian(output, state), gradient(moment.own_loss, state)
    yield Result(f"3.2a/{name}", "output_by_state", slope.name, slope.numbers)
    yield Result(f"3.2a/{name}", "chain_rule", local.name, local.numbers)
    yield Result(f"3.2a/{name}", "gradient", local.name, local.numbers)
    last, label = (moment.net.case.steps, "T") if chain == "f" else (1, "1")
    ending = moment.vector("h", label, chain)
    assert ending is not None
    whole, at_end = gradient(moment.loss, state), gradient(moment.loss, ending)
    yield Result(f"3.2b/{name}", "start", at_end.name, at_end.numbers)
    if moment.t != last:
        yield Result(f"3.2b/{name}", "recursion", whole.name, whole.numbers)


def _of_next_state(moment: Moment, chain: str, name: str) -> Iterator[Result]:
    """From the hidden state of step t, which may be the initial one, to the next of its chain."""
    label = "t+1" if chain == "f" else "t-1"
    a, state, after = moment.vector("a", label, chain), moment.vector("h", "t", chain), moment.vector("h", label, chain)
    if a is None or state is None or after is None:
        return
    slope, argument, whole = jacobian(after, a), jacobian(a, state), jacobian(after, state)
    argument_entry = entries(a.entry("i"), state.entry("j"), argument.value)
    slope_entry = entries(after.entry("i"), a.entry("i"), slope.value.diagonal())
    yield Result(f"3.2a/{name}", "argument", a.name, a.numbers)
    yield Result(f"3.2a/{name}", "argument_entry", argument_entry.name, argument_entry.numbers)
    yield Result(f"3.2a/{name}", "slope_entry", slope_entry.name, slope_entry.numbers)
    yield Result(f"3.2a/{name}", "entry", rf"\left({whole.name}\right)_{{i j}}", whole.numbers)
    yield Result(f"3.2b/{name}", "slope", slope.name, slope.numbers)
    yield Result(f"3.2b/{name}", "argument", argument.name, argument.numbers)
    yield Result(f"3.2b/{name}", "jacobian", whole.name, whole.numbers)


def _weight(moment: Moment, letter: str, chain: str) -> Iterator[Result]:
    """The copy of a weight that step t uses."""
    a, copy = moment.vector("a", "t", chain), moment.copy(letter, chain)
    assert a is not None
    own, by_argument, where = gradient(moment.loss, copy), gradient(moment.loss, a), f"3.3/{letter.lower()}"
    by_row = torch.stack([derivative(one, copy.value)[row] for row, one in enumerate(a.value)])
    copy_entry = entries(a.entry("i"), copy.entry("i j"), by_row)
    entry = entries("L", copy.entry("i j"), own.value)
    yield Result(where, "copy", a.name, a.numbers)
    yield Result(where, "argument", by_argument.name, by_argument.numbers)
    yield Result(where, "copy_entry", copy_entry.name, copy_entry.numbers)
    yield Result(where, "entry", entry.name, entry.numbers)
    yield Result(where, "own", own.name, own.numbers)
