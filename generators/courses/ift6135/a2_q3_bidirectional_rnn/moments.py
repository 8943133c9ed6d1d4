"""What a line of the derivation says about one time step: its left side as notation, and its number from autograd.

Notation and number of a derivative are made together, from the same two quantities of the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from generators.courses.ift6135.a2_q3_bidirectional_rnn.network import CHAINS, Network, derivative


class Named(NamedTuple):
    """A tensor of the network as the derivation writes it."""

    name: str
    value: torch.Tensor

    def entry(self, indices: str) -> str:
        """One entry, which is not bold."""
        return re.sub(r"\\mathbf\{(\w)\}_\{(.*?)\}", rf"\1_{{\2,{indices}}}", self.name)


Vectors = dict[tuple[str, str, str], Named]
"""What the network holds by letter, chain and label of the time."""


def weight(net: Network, letter: str, chain: str) -> Named:
    """A weight of all steps."""
    return Named(rf"\mathbf{{{letter}}}^{{({chain})}}", net.weights[letter, chain])


def gradient(of: Named, by: Named) -> Named:
    """A column, or a matrix in the shape of a weight."""
    return Named(rf"\nabla_{{{by.name}}} {of.name}", derivative(of.value, by.value))


def jacobian(of: Named, by: Named) -> Named:
    """A matrix with a row for each entry of `of`."""
    return fraction(of.name, by.name, derivative(of.value, by.value))


def fraction(of: str, by: str, value: torch.Tensor) -> Named:
    """A derivative with the numbers of all entries."""
    return Named(rf"\frac{{\partial {of}}}{{\partial {by}}}", value)


def bracketed(one: Named, indices: str, value: torch.Tensor | None = None) -> Named:
    """Entries of a derivative, all of them unless their numbers are given."""
    return Named(rf"\left({one.name}\right)_{{{indices}}}", one.value if value is None else value)


def numbers(one: Named) -> Any:
    """As a matrix; a vector is a column."""
    found = one.value.detach()
    return (found if found.dim() == 2 else found.reshape(-1, 1)).numpy()


def vectors(net: Network, t: int) -> Vectors:
    """All that exists at a time step that a label of step t stands for; t may be one before the first or after the last."""
    times = {"t-1": t - 1, "t": t, "t+1": t + 1}
    return {
        (letter, label, chain): Named(rf"\mathbf{{{letter}}}_{{{label}}}" + (f"^{{({chain})}}" if chain else ""), value)
        for (letter, chain, time), value in net.held.items()
        for label in times
        if times[label] == time
    }


def world(net: Network, t: int) -> dict[str, Any]:
    """Every quantity that the right side of a line about step t may name."""
    held, loss = vectors(net, t), Named("L", net.loss)
    named = [*held.values(), *(weight(net, *key) for key in net.weights)]
    inner = [(time, chain) for letter, time, chain in held if letter == "a"]
    named += [gradient(loss, held[letter, time, chain]) for letter in "ah" for time, chain in inner]
    named += [jacobian(held["h", time, chain], held["a", time, chain]) for time, chain in inner]
    named += [jacobian(held["a", to, chain], held["h", "t", chain]) for to, chain in (("t+1", "f"), ("t-1", "b"))
              if ("a", to, chain) in held and ("h", "t", chain) in held]  # fmt: skip
    if t in net.times:
        output = held["y", "t", ""]
        named.append(gradient(Named("L_t", net.losses[t]), output))
        named += [jacobian(output, held["h", "t", chain]) for chain in CHAINS]
    return {one.name: numbers(one) for one in named}


def lines(net: Network, t: int) -> Iterator[tuple[str, Named]]:
    """Address and left side of every line that says something about step t."""
    held = vectors(net, t)
    if t in net.times:
        yield from _weight(net, held, "W", "b")
        yield from _weight(net, held, "U", "f")
    for chain, name, label in (("f", "forward", "t+1"), ("b", "backward", "t-1")):
        if t in net.times:
            yield from _of_one_step(Named("L_t", net.losses[t]), held["y", "t", ""], held["h", "t", chain], name)
        if ("a", label, chain) in held and ("h", "t", chain) in held:
            yield from _of_next_state(held["a", label, chain], held["h", "t", chain], held["h", label, chain], name)


def _of_one_step(loss: Named, output: Named, state: Named, name: str) -> Iterator[tuple[str, Named]]:
    """Gradients of the loss of step t."""
    yield f"3.2a/{name}/by_output", gradient(loss, output)
    yield f"3.2a/{name}/output_by_state", jacobian(output, state)
    for line in ("product", "gradient"):
        yield f"3.2a/{name}/{line}", gradient(loss, state)


def _of_next_state(a: Named, state: Named, after: Named, name: str) -> Iterator[tuple[str, Named]]:
    """From the hidden state of step t, which may be the initial one, to the next of its chain."""
    slope, argument, whole = jacobian(after, a), jacobian(a, state), jacobian(after, state)
    yield f"3.2a/{name}/argument_entry", bracketed(argument, "i j")
    yield f"3.2a/{name}/slope_entry", bracketed(slope, "i i", slope.value.diagonal())
    for line in ("entry_product", "entry"):
        yield f"3.2a/{name}/{line}", bracketed(whole, "i j")
    yield f"3.2b/{name[0]}/jacobian", whole


def _weight(net: Network, held: Vectors, letter: str, chain: str) -> Iterator[tuple[str, Named]]:
    """The copy of a weight that step t uses."""
    a, copy, loss = held["a", "t", chain], held[letter, "t", chain], Named("L", net.loss)
    own, where = gradient(loss, copy), f"3.3/{letter.lower()}"
    yield f"{where}/copy", a
    for i, row in enumerate(derivative(a.value, copy.value)):
        yield f"{where}/entry", fraction(a.entry("i"), copy.entry("i j"), row[i : i + 1])
    yield f"{where}/argument", gradient(loss, a)
    yield f"{where}/own_entry", bracketed(own, "i j")
    yield f"{where}/own", own
