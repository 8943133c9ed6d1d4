"""Finds LoRA's counts and first steps again: torch modules and peft, autograd, and every choice of signs for A."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import nn

from generators.answer import Cell, Math, rational
from generators.oracles.compare import Formula, close, close_rows, same, same_formulas, same_letters, same_rows
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_low_rank import LowRankPageParams

MODULES = "torch modules, meta tensors"
ABSOLUTE = 1e-9
AUTOGRAD = "torch autograd and SGD, float64"
SIGNS = "enumeration: every choice of ±σ for A"
OTHER_SIZES = {"D": 12, "R": 5}
OTHER_X = (Fraction(1), Fraction(-2), Fraction(1, 2))
OTHER_START: dict[str, int | Fraction] = {
    "R": 3,
    "eta": Fraction(1, 5),
    "s": Fraction(3, 2),
    "sigma": Fraction(2, 3),
    "X": Fraction(21, 4),
}
DRAWS = 20_000

Matrix = tuple[tuple[Fraction, ...], ...]


class FeedForwardNetwork(nn.Module):
    """The slide's network."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(embedding_dim, 4 * embedding_dim),
            nn.ReLU(),
            nn.Linear(4 * embedding_dim, embedding_dim),
            nn.Dropout(0.2),
        )


class LowRankBranch(nn.Module):
    """A beside a linear layer's input, B beside its output."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, rank))


@dataclass(frozen=True)
class Counts:
    """Values of each tensor, in order: weight and bias of both layers, then A and B of both."""

    network: tuple[int, ...]
    lora: tuple[int, ...]


def _built(embedding_dim: int, rank: int) -> dict[str, list[nn.Parameter]]:
    """The tensors of the network and of its branches, without storage."""
    with torch.device("meta"):
        network = FeedForwardNetwork(embedding_dim)
        branches = [LowRankBranch(one, rank) for one in network.modules() if isinstance(one, nn.Linear)]
    return {"network": list(network.parameters()), "lora": [tensor for branch in branches for tensor in branch.parameters()]}


@lru_cache(maxsize=64)
def counted(embedding_dim: int, rank: int) -> Counts:
    """Count the values of every tensor."""
    return Counts(**{name: tuple(tensor.numel() for tensor in tensors) for name, tensors in _built(embedding_dim, rank).items()})


@lru_cache(maxsize=1)
def named() -> dict[str, list[tuple[Cell, Cell]]]:
    """Name and shape of every tensor as LaTeX, read from tensors of a width and a rank that cannot be taken for each other."""
    sizes = {10: "D", 40: "4 D", 3: "R"}
    shapes = {
        name: [r" \times ".join(sizes[size] for size in tensor.shape) for tensor in tensors]
        for name, tensors in _built(10, 3).items()
    }
    return {
        name: [
            (Math(f"{letter}_{number}"), Math(shape))
            for (number, letter), shape in zip(product("12", letters), shapes[name], strict=True)
        ]
        for name, letters in (("network", "Wb"), ("lora", "AB"))
    }


@lru_cache(maxsize=8)
def trainable_in_peft(embedding_dim: int, rank: int) -> int:
    """What peft trains beside the slide's network."""
    import peft

    with torch.device("meta"):
        network = FeedForwardNetwork(embedding_dim)
        model = peft.get_peft_model(network, peft.LoraConfig(r=rank, target_modules=["network.0", "network.2"]))
    return sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad)


def verify_start(params: LowRankPageParams, answer: Answer) -> Iterator[Check]:
    """Check counts, the first steps and merging."""
    yield from _check_sizes(params, answer["3"])
    yield from _check_means(params, answer["4"])
    yield from _check_steps(params, answer["4"])
    yield from _check_merging(params, answer["5"])


def _found_sizes(embedding_dim: int, rank: int) -> dict[str, int | Fraction]:
    counts, one = counted(embedding_dim, rank), counted(embedding_dim, 1)
    network, lora = sum(counts.network), sum(counts.lora)
    return {
        "network": network, "lora": lora, "share": Fraction(lora, network), "equal": Fraction(network, sum(one.lora))
    }  # fmt: skip


def _check_sizes(params: LowRankPageParams, part: Part) -> Iterator[Check]:
    from peft import __version__

    width, rank = params.embedding_dim, params.rank
    for name, value in _found_sizes(width, rank).items():
        yield same(f"3, {part[name].what}", part[name].value, value, MODULES)
    small = counted(**{"embedding_dim": OTHER_SIZES["D"], "rank": OTHER_SIZES["R"]})
    triples: list[Formula] = [(name, part[name].formula, value) for name, value in _found_sizes(*OTHER_SIZES.values()).items()]
    for name in ("network", "lora"):
        triples += [("tensor", row[2], count) for row, count in zip(part.tables[name].rows, getattr(small, name), strict=True)]
        found = [
            (*named()[name][number], row[2], count)
            for number, (row, count) in enumerate(zip(part.tables[name].rows, getattr(counted(width, rank), name), strict=True))
        ]
        yield same_rows(f"3, tensors of {name}", part.tables[name], found, MODULES)
    yield same_formulas("3, formulas", triples, OTHER_SIZES, MODULES)
    yield same_letters("3, numbers put in", part.steps, {"D": width, "R": rank})
    by = f"peft {__version__}"
    yield same("3, trainable values of LoRA", part["lora"].value, trainable_in_peft(width, rank), by)
    whole = sum(counted(width, rank).network)
    ranks = sorted({rank, *params.other_ranks})
    rows = [(one, sum(counted(width, one).lora), Fraction(sum(counted(width, one).lora), whole)) for one in ranks]
    yield same_rows("3, every rank", part.tables["ranks"], rows, MODULES)


@lru_cache(maxsize=8)
def mean_inner(rank: int, sigma: Fraction, x: tuple[Fraction, ...]) -> Fraction:
    """The mean of ‖Ax‖² over all A of ±σ: these have the variance σ² too, and the mean depends on nothing else."""
    each = [sum((sign * sigma * value for sign, value in zip(signs, x, strict=True)), Fraction(0))
            for signs in product((-1, 1), repeat=len(x))]  # fmt: skip
    return rank * sum((value * value for value in each), Fraction(0)) / len(each)


def _means(rank: int, eta: Fraction, scale: Fraction, sigma: Fraction, x: tuple[Fraction, ...]) -> dict[str, int | Fraction]:
    inner, length = mean_inner(rank, sigma, x), sum(value * value for value in x)
    return {
        "expected_inner": inner,
        "expected_shrinking": eta * scale**2 * inner,
        "expected_ratio": scale**2 * inner / length,
        "matched": length / (scale**2 * mean_inner(rank, Fraction(1), x)),
    }


def _scale(params: LowRankPageParams) -> Fraction:
    rank = len(params.example.draw)
    return params.example.alpha * (Fraction(1, rank) if params.conventions.scaling == "alpha_over_rank" else 1)


def _check_means(params: LowRankPageParams, part: Part) -> Iterator[Check]:
    one, scale, rank = params.example, _scale(params), len(params.example.draw)
    yield same("4, scale of BAx", part["scale"].value, scale, "the parameters")
    for name, value in _means(rank, one.learning_rate, scale, one.sigma, tuple(one.x)).items():
        yield same(f"4, {part[name].what}", part[name].value, value, SIGNS)
    found = _means(3, Fraction(1, 5), Fraction(3, 2), Fraction(2, 3), OTHER_X)
    triples: list[Formula] = [(name, part[name].formula, value) for name, value in found.items()]
    yield same_formulas("4, formulas", triples, OTHER_START, SIGNS)
    letters = {"eta": one.learning_rate, "s": scale, "sigma": one.sigma, "R": rank, "X": sum(value**2 for value in one.x)}
    yield same_letters("4, numbers put in", part.steps, letters)
    yield close(
        f"4, mean ratio over {DRAWS} normal draws, within 5 standard errors", part["expected_ratio"].value,
        float(scale) ** 2 * float(one.sigma) ** 2 * drawn_ratio(rank, tuple(one.x)),
        "torch.randn, seed 0", relative=5 * (2 / rank / DRAWS) ** 0.5,
    )  # fmt: skip


@lru_cache(maxsize=8)
def drawn_ratio(rank: int, x: tuple[Fraction, ...]) -> float:
    """The mean of ‖Ax‖²/‖x‖² over standard normal A."""
    vector = torch.tensor([float(value) for value in x], dtype=torch.float64)
    a = torch.randn(DRAWS, rank, len(x), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return float((a @ vector).square().sum() / vector.square().sum() / DRAWS)


@dataclass(frozen=True)
class Seen:
    """One state of training: A, B, output and loss, and the gradients that autograd gives."""

    a: torch.Tensor
    b: torch.Tensor
    h: torch.Tensor
    loss: float
    g: torch.Tensor
    a_gradient: torch.Tensor
    b_gradient: torch.Tensor


@dataclass(frozen=True)
class Case:
    """The example of the parameters, in tuples that can be kept."""

    weight: Matrix
    draw: Matrix
    x: tuple[Fraction, ...]
    target: tuple[Fraction, ...]
    learning_rate: Fraction
    scale: Fraction


def _case(params: LowRankPageParams) -> Case:
    one = params.example
    weight, draw = (tuple(map(tuple, rows)) for rows in (one.weight, one.draw))
    return Case(weight, draw, tuple(one.x), tuple(one.target), one.learning_rate, _scale(params))


def _tensor(rows: Sequence[Sequence[Fraction]]) -> torch.Tensor:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


@lru_cache(maxsize=16)
def trained(one: Case, sigma: Fraction, n_steps: int) -> tuple[Seen, ...]:
    """Train a module of torch with its optimizer, and keep every state."""
    linear = nn.Linear(len(one.x), len(one.target), bias=False, dtype=torch.float64).requires_grad_(False)
    linear.weight.copy_(_tensor(one.weight))
    branch = LowRankBranch(linear, len(one.draw)).double()
    with torch.no_grad():
        branch.a.copy_(float(sigma) * _tensor(one.draw))
    optimizer = torch.optim.SGD(branch.parameters(), lr=float(one.learning_rate))
    x, target = _tensor([one.x]), _tensor([one.target])
    states = []
    for _ in range(n_steps + 1):
        optimizer.zero_grad()
        h = linear(x) + float(one.scale) * nn.functional.linear(nn.functional.linear(x, branch.a), branch.b)
        h.retain_grad()
        loss = nn.functional.mse_loss(h, target, reduction="sum") / 2
        loss.backward()
        a, b, output = (tensor.detach().clone() for tensor in (branch.a, branch.b, h))
        g, a_gradient, b_gradient = (tensor.grad.clone() for tensor in (h, branch.a, branch.b) if tensor.grad is not None)
        states.append(Seen(a, b, output, loss.item(), g, a_gradient, b_gradient))
        optimizer.step()
    return tuple(states)


def _rows(tensor: torch.Tensor) -> list[tuple[Cell, ...]]:
    return [tuple(row) for row in tensor.tolist()]


def _entries(what: str, table: Table, found: torch.Tensor) -> Check:
    return close_rows(what, table, _rows(found), AUTOGRAD, ABSOLUTE)


def _check_steps(params: LowRankPageParams, part: Part) -> Iterator[Check]:
    one, tables = params.example, part.tables
    states = trained(_case(params), one.sigma, 2)
    x = _tensor([one.x]).T
    yield same_rows("4, W", tables["weight"], one.weight, "the parameters")
    yield _entries("4, A", tables["a"], states[0].a)
    yield _entries("4, Ax", tables["inner_vector"], states[0].a @ x)
    yield close(
        "4, squared length of Ax", part["inner"].value, float((states[0].a @ x).square().sum()), AUTOGRAD, absolute=ABSOLUTE
    )
    for number, state in enumerate(states):
        yield _entries(f"4, output after {number} steps", tables[f"h_{number}"], state.h.T)
        yield _entries(f"4, gradient by the output after {number} steps", tables[f"g_{number}"], state.g.T)
        if number < 2:
            yield _entries(f"4, dL/dA after {number} steps", tables[f"a_gradient_{number}"], state.a_gradient)
            yield _entries(f"4, dL/dB after {number} steps", tables[f"b_gradient_{number}"], state.b_gradient)
    yield _entries("4, B after one step", tables["b_1"], states[1].b)
    rows: list[tuple[Cell, ...]] = [
        (number, state.loss, float(state.a_gradient.square().sum()), float(state.b_gradient.square().sum()))
        for number, state in enumerate(states)
    ]
    yield close_rows("4, loss and gradients", tables["steps"], rows, AUTOGRAD, ABSOLUTE)
    yield close(
        "4, what the first step removes of g",
        part["shrinking"].value,
        _removed(states, float(_scale(params)), x, params),
        AUTOGRAD,
        absolute=ABSOLUTE,
    )
    yield close_rows("4, other scales of A", tables["sigmas"], list(_sigma_rows(params)), f"{AUTOGRAD}; {SIGNS}", ABSOLUTE)


def _removed(states: Sequence[Seen], scale: float, x: torch.Tensor, params: LowRankPageParams) -> float:
    """The c of h ← h − c·g, read from what the step did; where g is 0, from the branch that a unit gradient would have made."""
    length = float(states[0].g.square().sum())
    if length:
        return float(((states[0].h - states[1].h) * states[0].g).sum()) / length
    return scale * float(params.example.learning_rate) * scale * float((states[0].a @ x).square().sum())


def _sigma_rows(params: LowRankPageParams) -> Iterator[tuple[Cell, ...]]:
    one, scale, x = params.example, _scale(params), _tensor([params.example.x]).T
    for sigma in sorted({one.sigma, *one.other_sigmas}):
        states = trained(_case(params), sigma, 1)
        removed = _removed(states, float(scale), x, params)
        ratio = _means(len(one.draw), one.learning_rate, scale, sigma, tuple(one.x))["expected_ratio"]
        yield sigma, ratio, removed, 1 - removed, states[1].loss


def _check_merging(params: LowRankPageParams, part: Part) -> Iterator[Check]:
    one, last = params.example, trained(_case(params), params.example.sigma, 2)[2]
    weight, update = _tensor(one.weight), float(_scale(params)) * last.b @ last.a
    for name, found in {"a": last.a, "b": last.b, "update": update, "merged": weight + update}.items():
        yield _entries(f"5, {name}", part.tables[name], found)
    rank = int(torch.linalg.matrix_rank(update, atol=1e-9 * max(1.0, float(update.abs().max()))))
    yield same("5, rank of the update", part["rank"].value, rank, "torch.linalg.matrix_rank")
    rows: list[tuple[Cell, ...]] = []
    for name, inputs in (("x", one.x), ("x′", one.other_x)):
        x = _tensor([inputs])
        apart = x @ weight.T + float(_scale(params)) * (x @ last.a.T) @ last.b.T
        merged = nn.functional.linear(x, weight + update)
        columns = zip((x @ weight.T).flatten().tolist(), apart.flatten().tolist(), merged.flatten().tolist(), strict=True)
        rows += [(f"{name}, entry {i}", *values) for i, values in enumerate(columns, 1)]
    yield close_rows("5, outputs", part.tables["outputs"], rows, "torch, float64", ABSOLUTE)
    differing = [row[0] for row in part.tables["outputs"].rows if rational(row[2]) != rational(row[3])]
    yield same("5, outputs that merging changes", len(differing), 0, "exact comparison of two columns")
