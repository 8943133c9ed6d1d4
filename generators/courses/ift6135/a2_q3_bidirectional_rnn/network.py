"""A bidirectional RNN on random values whose graph is kept, so that autograd can be asked for any derivative in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

CHAINS = {"f": 1, "b": -1}
"""The step in time from a hidden state to the next one of its chain."""


@dataclass(frozen=True)
class Case:
    """How many time steps, and the sizes of inputs, hidden states and outputs."""

    steps: int
    d_x: int
    d_h: int
    d_y: int


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

    def outputs_of_torch(self) -> torch.Tensor:
        """Outputs (T, d_y) of one linear layer over both states of torch.nn.RNN side by side."""
        both = torch.cat([self.weights["V", chain] for chain in CHAINS], dim=1).detach()
        return functional.linear(self.states_of_torch(), both)

    def own_states(self) -> torch.Tensor:
        """The same of this network."""
        return torch.stack([torch.cat([self.h["f", t], self.h["b", t]]) for t in self.times]).detach()


def derivative(of: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """The gradient of a scalar, or row by row the Jacobian of a vector."""
    if of.dim() == 0:
        return torch.autograd.grad(of, by, retain_graph=True)[0]
    return torch.stack([derivative(one, by) for one in of])


def nodes(net: Network) -> dict[str, tuple[str, int]]:
    """Kind and time step of every vector of the graph."""
    kinds = {"f": "forward", "b": "backward"}
    found = {f"y_{t}": ("output", t) for t in net.y}
    found |= {f"h_{chain}_{t}": (kinds[chain], t) for chain in "bf" for name, t in sorted(net.h) if name == chain}
    return found | {f"x_{t}": ("input", t) for t in net.x}


def recorded_edges(net: Network) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Source, target and weight of the matrix-vector products in the graph that torch's autograd recorded."""
    weights = {id(weight): name for name, weight in net.weights.items()}
    tensors = {f"x_{t}": x for t, x in net.x.items()} | {f"y_{t}": y for t, y in net.y.items()}
    tensors |= {f"h_{chain}_{t}": h for (chain, t), h in net.h.items()}
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
