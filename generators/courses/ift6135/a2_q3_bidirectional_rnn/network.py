"""A bidirectional RNN on random values whose graph is kept, so that autograd can be asked for any derivative in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

CHAINS = {"f": 1, "b": -1}
"""The step in time from a hidden state to the next one of its chain."""


class Network:
    """Weights, inputs, targets and initial states are random float64 leaves.

    `held` has every vector, and the copy of a weight that a step uses, by letter, chain (none for inputs, outputs and
    targets) and time step.
    """

    def __init__(self, steps: int, d_x: int, d_h: int, d_y: int) -> None:
        self.sizes = {"d_x": d_x, "d_h": d_h, "d_y": d_y}
        self.times, self._random = range(1, steps + 1), torch.Generator().manual_seed(0)
        shapes = {"W": (d_h, d_x), "U": (d_h, d_h), "V": (d_y, d_h)}
        self.weights = {(letter, chain): self._leaf(*shape) for letter, shape in shapes.items() for chain in CHAINS}
        self.held = {(letter, "", t): self._leaf(size) for letter, size in (("x", d_x), ("z", d_y)) for t in self.times}
        self.held |= {("h", "f", 0): self._leaf(d_h), ("h", "b", steps + 1): self._leaf(d_h)}
        for chain, forward in CHAINS.items():
            for t in self.times[::forward]:
                w, u = (self.weights[letter, chain].clone() for letter in "WU")
                a = w @ self.held["x", "", t] + u @ self.held["h", chain, t - forward]
                self.held |= {("W", chain, t): w, ("U", chain, t): u, ("a", chain, t): a, ("h", chain, t): a.tanh()}
        self.losses = {}
        for t in self.times:
            y = self.weights["V", "f"] @ self.held["h", "f", t] + self.weights["V", "b"] @ self.held["h", "b", t]
            self.held["y", "", t] = y
            self.losses[t] = functional.mse_loss(y, self.held["z", "", t], reduction="sum")
        self.loss = torch.stack(list(self.losses.values())).sum()

    def _leaf(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self._random, dtype=torch.float64).mul_(0.6).requires_grad_()

    def away_from_torch(self) -> float:
        """How far the outputs lie from those of torch.nn.RNN with the same weights and a linear layer over its states."""
        rnn = nn.RNN(self.sizes["d_x"], self.sizes["d_h"], bias=False, bidirectional=True, dtype=torch.float64)
        named = dict(rnn.named_parameters())
        start = torch.stack([self.held["h", "f", 0], self.held["h", "b", len(self.times) + 1]])
        with torch.no_grad():
            for chain, suffix in (("f", ""), ("b", "_reverse")):
                named[f"weight_ih_l0{suffix}"].copy_(self.weights["W", chain])
                named[f"weight_hh_l0{suffix}"].copy_(self.weights["U", chain])
            states = rnn(torch.stack([self.held["x", "", t] for t in self.times]), start)[0]
            outputs = functional.linear(states, torch.cat([self.weights["V", chain] for chain in CHAINS], dim=1))
            return float((outputs - torch.stack([self.held["y", "", t] for t in self.times])).abs().max())


def derivative(of: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """The gradient of a scalar, or row by row the Jacobian of a vector."""
    if of.dim() == 0:
        return torch.autograd.grad(of, by, retain_graph=True)[0]
    return torch.stack([derivative(one, by) for one in of])


def nodes(net: Network) -> dict[str, tuple[str, int]]:
    """Kind and time step of every vector of the graph, row by row."""
    rows = (("y", "", "output"), ("h", "b", "backward"), ("h", "f", "forward"), ("x", "", "input"))
    return {
        _key(letter, chain, t): (kind, t)
        for letter, chain, kind in rows
        for one, of, t in sorted(net.held)
        if (one, of) == (letter, chain)
    }


def _key(letter: str, chain: str, t: int) -> str:
    return "_".join(filter(None, (letter, chain, str(t))))


def recorded_edges(net: Network) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Source, target and weight of the matrix-vector products in the graph that torch's autograd recorded."""
    weights = {id(weight): name for name, weight in net.weights.items()}
    tensors = {_key(*name): tensor for name, tensor in net.held.items() if name[0] in "xyh"}
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
