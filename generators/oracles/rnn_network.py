"""A bidirectional RNN on random values whose graph is kept, so that autograd can be asked for any derivative in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from generators.matrices import gradient, jacobian, vector

CHAINS = {"f": 1, "b": -1}
"""The step in time from a hidden state to the next one of its chain."""
Edge = tuple[str, str, str]
"""Names of the source, the target and the weight between them."""


@dataclass(frozen=True)
class Case:
    """How many time steps, and the sizes of inputs, hidden states and outputs."""

    steps: int
    d_x: int
    d_h: int
    d_y: int

    def __str__(self) -> str:
        return f"T = {self.steps}, sizes {self.d_x}, {self.d_h}, {self.d_y}"


class Network:
    """Weights, inputs, targets and initial states are random float64 leaves; all vectors are one-dimensional."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._random = torch.Generator().manual_seed(0)
        shapes = {"W": (case.d_h, case.d_x), "U": (case.d_h, case.d_h), "V": (case.d_y, case.d_h)}
        self.times = range(1, case.steps + 1)
        self.weights = {(letter, chain): self._leaf(*shape) for letter, shape in shapes.items() for chain in CHAINS}
        self.x = {t: self._leaf(case.d_x) for t in self.times}
        self.z = {t: self._leaf(case.d_y) for t in self.times}
        self.h = {("f", 0): self._leaf(case.d_h), ("b", case.steps + 1): self._leaf(case.d_h)}
        self.a: dict[tuple[str, int], torch.Tensor] = {}
        self.copies: dict[tuple[str, str, int], torch.Tensor] = {}
        for chain, forward in CHAINS.items():
            for t in self.times[::forward]:
                self._step(chain, t)
        self.y = {t: self._product("V", "f", t) + self._product("V", "b", t) for t in self.times}
        self.losses = {t: functional.mse_loss(self.y[t], self.z[t], reduction="sum") for t in self.times}
        self.loss = torch.stack(list(self.losses.values())).sum()

    def _leaf(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self._random, dtype=torch.float64).mul_(0.6).requires_grad_()

    def _product(self, letter: str, chain: str, t: int) -> torch.Tensor:
        return self.weights[letter, chain] @ self.h[chain, t]

    def _step(self, chain: str, t: int) -> None:
        for letter in "WU":
            self.copies[letter, chain, t] = self.weights[letter, chain].clone()
        before = self.h[chain, t - CHAINS[chain]]
        self.a[chain, t] = self.copies["W", chain, t] @ self.x[t] + self.copies["U", chain, t] @ before
        self.h[chain, t] = self.a[chain, t].tanh()

    def states_of_torch(self) -> torch.Tensor:
        """Hidden states (T, 2 d_h) of torch.nn.RNN with the same weights."""
        rnn = nn.RNN(self.case.d_x, self.case.d_h, bias=False, bidirectional=True, dtype=torch.float64)
        named = dict(rnn.named_parameters())
        with torch.no_grad():
            for chain, suffix in (("f", ""), ("b", "_reverse")):
                named[f"weight_ih_l0{suffix}"].copy_(self.weights["W", chain])
                named[f"weight_hh_l0{suffix}"].copy_(self.weights["U", chain])
            start = torch.stack([self.h["f", 0], self.h["b", self.case.steps + 1]])
            states: torch.Tensor = rnn(torch.stack(list(self.x.values())), start)[0]
        return states

    def own_states(self) -> torch.Tensor:
        """The same of this network."""
        return torch.stack([torch.cat([self.h["f", t], self.h["b", t]]) for t in self.times]).detach()


def by(of: torch.Tensor, what: torch.Tensor) -> torch.Tensor:
    """The gradient of a scalar, or row by row the Jacobian of a vector."""
    if of.dim() == 0:
        return torch.autograd.grad(of, what, retain_graph=True)[0]
    return torch.stack([by(one, what) for one in of])


@lru_cache(maxsize=16)
def network(case: Case) -> Network:
    """The network of a case, made once."""
    return Network(case)


@lru_cache(maxsize=64)
def values_at(case: Case, t: int) -> dict[str, torch.Tensor]:
    """Every quantity that a formula about step t may name, as a matrix; what lies outside the network is missing."""
    net = network(case)
    found = {rf"\mathbf{{{letter}}}^{{({chain})}}": weight for (letter, chain), weight in net.weights.items()}
    labels = {"t-1": t - 1, "t": t, "t+1": t + 1, "T": case.steps, "1": 1}
    for label, time in labels.items():
        for letter, vectors in (("x", net.x), ("y", net.y), ("z", net.z)):
            if time in vectors:
                found[vector(letter, label)] = vectors[time]
        for chain in CHAINS:
            if (chain, time) in net.h:
                found[vector("h", label, chain)] = net.h[chain, time]
            if (chain, time) in net.a:
                found[gradient("L", vector("h", label, chain))] = by(net.loss, net.h[chain, time])
    if t in net.y:
        found |= {vector(letter, "t", chain): copy for (letter, chain, time), copy in net.copies.items() if time == t}
        found[gradient("L_t", vector("y", "t"))] = by(net.losses[t], net.y[t])
        found |= {jacobian(vector("y", "t"), vector("h", "t", chain)): by(net.y[t], net.h[chain, t]) for chain in CHAINS}
    return {name: (value if value.dim() == 2 else value[:, None]).detach() for name, value in found.items()}


def nodes(net: Network) -> list[tuple[str, str, int]]:
    """Name, row of the picture and time step of every vector of the graph."""
    kinds = {"f": "forward", "b": "backward"}
    found = [(vector("x", str(t)), "input", t) for t in net.x] + [(vector("y", str(t)), "output", t) for t in net.y]
    return found + [(vector("h", str(t), chain), kinds[chain], t) for chain, t in net.h]


def recorded_edges(net: Network) -> Iterator[Edge]:
    """The matrix-vector products in the graph that torch's autograd recorded."""
    weights = {id(weight): rf"\mathbf{{{letter}}}^{{({chain})}}" for (letter, chain), weight in net.weights.items()}
    tensors = {vector("x", str(t)): x for t, x in net.x.items()} | {vector("y", str(t)): y for t, y in net.y.items()}
    tensors |= {vector("h", str(t), chain): h for (chain, t), h in net.h.items()}
    leaves = {id(tensor): name for name, tensor in tensors.items() if tensor.grad_fn is None}
    made = {tensor.grad_fn: name for name, tensor in tensors.items() if tensor.grad_fn is not None}
    for node, target in made.items():
        for product in _products(node):
            weight, source = (one for one, _ in product.next_functions)
            name = made[source] if source in made else leaves[id(_leaf_behind(source))]
            yield name, target, weights[id(_leaf_behind(weight))]


def _leaf_behind(node: Any) -> torch.Tensor:
    """The leaf tensor that a node leads back to, through copies."""
    while not hasattr(node, "variable"):
        node = node.next_functions[0][0]
    leaf: torch.Tensor = node.variable
    return leaf


def _products(node: Any) -> Iterator[Any]:
    """The matrix-vector products that a node adds up."""
    for one, _ in node.next_functions:
        if one is not None and one.name().startswith("Mv"):
            yield one
        elif one is not None:
            yield from _products(one)
