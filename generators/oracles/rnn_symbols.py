"""What the left side of a published line means: reads its LaTeX, and asks autograd for that derivative."""

from __future__ import annotations

import re
from functools import lru_cache

import torch

from generators.matrices import entry, vector
from generators.oracles.rnn_network import CHAINS, Case, by, network

Named = dict[str, tuple[torch.Tensor, str]]
"""Tensors of a network, and the indices of an entry, by the names that stand in formulas."""

_GRADIENT = re.compile(r"\\nabla_\{(?P<by>.+)\} (?P<of>\S+)")
_DERIVATIVE = re.compile(r"\\frac\{\\partial (?P<of>.+)\}\{\\partial (?P<by>.+)\}")
_ENTRY = re.compile(r"\\left\((?P<of>.+)\\right\)_\{i j\}")


def quantity(symbol: str, case: Case, t: int) -> tuple[torch.Tensor, bool]:
    """The value of a left side at step t as a matrix, and whether it is written entry by entry; KeyError for unknown names."""
    whole = _ENTRY.fullmatch(symbol)
    asked = _GRADIENT.fullmatch(symbol) or _DERIVATIVE.fullmatch(whole["of"] if whole else symbol)
    names = named(case, t)
    if asked is None:
        value, indices = names[symbol]
        return value.detach().reshape(-1, 1), bool(indices)
    (of, of_entry), (what, by_entry) = names[asked["of"]], names[asked["by"]]
    return _derivative(of, what, (of_entry, by_entry)), bool(whole or of_entry or by_entry)


def _derivative(of: torch.Tensor, what: torch.Tensor, indices: tuple[str, str]) -> torch.Tensor:
    """All entries at once, rows by the index i; an index on both sides takes the entries where it is the same."""
    found = by(of, what)
    if indices == ("i", "i"):
        found = found.diagonal()
    if indices == ("i", "i j"):
        found = torch.stack([one[row] for row, one in enumerate(found)])
    return found[:, None] if found.dim() == 1 else found


@lru_cache(maxsize=64)
def named(case: Case, t: int) -> Named:
    """Every quantity of the network that a line about step t may name, whole and by its entries."""
    net = network(case)
    found: dict[str, torch.Tensor] = {rf"\mathbf{{{letter}}}^{{({chain})}}": w for (letter, chain), w in net.weights.items()}
    for label, time in {"t-1": t - 1, "t": t, "t+1": t + 1, "T": case.steps, "1": 1}.items():
        if time in net.y:
            found[vector("y", label)] = net.y[time]
        for chain in CHAINS:
            for letter, vectors in (("h", net.h), ("a", net.a)):
                if (chain, time) in vectors:
                    found[vector(letter, label, chain)] = vectors[chain, time]
    found |= {vector(letter, "t", chain): copy for (letter, chain, time), copy in net.copies.items() if time == t}
    entries = {
        entry(name, indices): (tensor, indices)
        for name, tensor in found.items()
        for indices in (("i", "j") if tensor.dim() == 1 else ("i j",))
    }
    losses = {"L": (net.loss, "")} | ({"L_t": (net.losses[t], "")} if t in net.losses else {})
    return entries | losses | {name: (tensor, "") for name, tensor in found.items()}
