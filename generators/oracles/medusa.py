"""Finds Medusa's numbers again: torch modules on meta tensors, every outcome of the heads, and a search over trees."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import nn

from generators.answer import Cell, rational
from generators.oracles.compare import Formula, same, same_formulas, same_letters, same_rows
from generators.oracles.products import ProductRecorder
from generators.steps import Answer, Check, Part

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_medusa import MedusaParams

BY = "torch, meta tensors"
PLAYED = "enumeration: every outcome of the heads"
SEARCHED = "dynamic programming: every split of the nodes"
OTHER_SIZES = {"N_layer": 3, "D": 12, "D_ff": 20, "V": 50, "K": 2}
OTHER_RATES = (Fraction(1, 2), Fraction(2, 3), Fraction(1, 5), Fraction(3, 7), Fraction(1, 4), Fraction(5, 6))

Shares = tuple[tuple[Fraction, ...], ...]
Ranks = tuple[int, ...]


class Layer(nn.Module):
    """A decoder layer with a gated feed-forward network, for its sizes alone."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.attention = nn.ModuleList(nn.Linear(d_model, d_model, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(d_model, d_ff, bias=False) for _ in range(2))
        self.down = nn.Linear(d_ff, d_model, bias=False)
        self.norms = nn.ModuleList(nn.RMSNorm(d_model) for _ in range(2))


class Head(nn.Module):
    """W2 (SiLU(W1 h) + h)."""

    def __init__(self, d_model: int, vocabulary: int, *, bias: bool) -> None:
        super().__init__()
        self.w_1 = nn.Linear(d_model, d_model, bias=bias)
        self.w_2 = nn.Linear(d_model, vocabulary, bias=False)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """(n, D) to logits (n, V)."""
        logits: torch.Tensor = self.w_2(nn.functional.silu(self.w_1(h)) + h)
        return logits


@dataclass(frozen=True)
class Counts:
    """Values of a head, of the model and of its matrices, and FLOPs of all heads at one position as torch counts them."""

    head: int
    model: int
    matrices: int
    head_flops: int


@lru_cache(maxsize=8)
def counted(n_layers: int, d_model: int, d_ff: int, vocabulary: int, n_heads: int, *, bias: bool) -> Counts:
    """Build everything without storage and count."""
    with torch.device("meta"), torch.no_grad():
        layers = nn.ModuleList(Layer(d_model, d_ff) for _ in range(n_layers))
        embedding = nn.Embedding.from_pretrained(torch.empty(vocabulary, d_model))  # its own start would import a compiler
        output = nn.Linear(d_model, vocabulary, bias=False)
        model = nn.ModuleList([layers, embedding, output, nn.RMSNorm(d_model)])
        heads = nn.ModuleList(Head(d_model, vocabulary, bias=bias) for _ in range(n_heads))
        with ProductRecorder() as recorder:
            for head in heads:
                head(torch.empty(1, d_model))
    matrices = sum(one.weight.numel() for one in model.modules() if isinstance(one, nn.Linear))
    return Counts(_values(heads[0]), _values(model), matrices, recorder.flops)


def _values(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.parameters())


def verify_medusa(params: MedusaParams, answer: Answer) -> Iterator[Check]:
    """Check sizes, the full tree and the pruned one."""
    shares = tuple(tuple(head.accuracies) for head in params.heads)
    yield from _check_sizes(params, answer["1"])
    yield from _check_full(params, shares, answer["2"])
    yield from _check_growth(params, shares, answer["3"])
    yield from _check_sizes_of_trees(params, shares, answer)


def _found(counts: Counts, n_heads: int, params: MedusaParams) -> dict[str, int | Fraction]:
    conventions, heads = params.conventions, n_heads * counts.head
    return {
        "head": counts.head,
        "model": counts.model,
        "share": Fraction(heads, counts.model),
        "bytes": conventions.bytes_per_value * heads,
        "flops": Fraction(counts.head_flops * conventions.flops_per_multiply_add, 2),
        "slower": Fraction(counts.matrices + heads, counts.matrices),
    }


def _check_sizes(params: MedusaParams, part: Part) -> Iterator[Check]:
    model, bias, n_heads = params.model, params.conventions.head_bias, len(params.heads)
    sizes = (model.n_layers, model.d_model, model.d_ff, model.vocabulary_size, n_heads)
    for name, value in _found(counted(*sizes, bias=bias), n_heads, params).items():
        yield same(f"1, {part[name].what}", part[name].value, value, BY)
    yield same_letters("1, numbers put in", part.steps, dict(zip(OTHER_SIZES, sizes, strict=True)))
    small = counted(*OTHER_SIZES.values(), bias=bias)
    triples: list[Formula] = [
        (name, part[name].formula, value) for name, value in _found(small, OTHER_SIZES["K"], params).items()
    ]
    yield same_formulas("1, formulas", triples, OTHER_SIZES, BY)


def outcomes(shares: Shares, width: int) -> Iterator[tuple[Ranks, Fraction]]:
    """Every way the heads may fare: the ranks of right guesses up to the first head whose guesses are all wrong."""
    for choice in product(range(width + 1), repeat=len(shares)):
        right = choice[: choice.index(width)] if width in choice else choice
        if any(rank != width for rank in choice[len(right) :]):
            continue  # what stands behind a miss is never looked at
        chance = Fraction(1)
        for head, rank in zip(shares, right, strict=False):
            chance *= head[rank]
        if len(right) < len(shares):
            chance *= 1 - sum(shares[len(right)][:width])
        yield right, chance


@lru_cache(maxsize=512)
def played(shares: Shares, kept: frozenset[Ranks]) -> Fraction:
    """Expected tokens a step with a tree of these paths: the root's, and the longest kept path that is right."""
    return sum(
        (chance * (1 + _accepted(right, kept)) for right, chance in _all_outcomes(shares)),
        Fraction(0),
    )


@lru_cache(maxsize=16)
def _all_outcomes(shares: Shares) -> tuple[tuple[Ranks, Fraction], ...]:
    return tuple(outcomes(shares, len(shares[0])))


def _accepted(right: Ranks, kept: Collection[Ranks]) -> int:
    length = 0
    while length < len(right) and right[: length + 1] in kept:
        length += 1
    return length


def _combinations(width: int, n_heads: int) -> frozenset[Ranks]:
    return frozenset(path for depth in range(1, n_heads + 1) for path in product(range(width), repeat=depth))


def _check_full(params: MedusaParams, shares: Shares, part: Part) -> Iterator[Check]:
    n_heads, widest = len(shares), len(shares[0])
    rows = []
    for width in range(1, widest + 1):
        paths = _combinations(width, n_heads)
        rates = [1 - _missed(shares, head, width) for head in range(n_heads)]
        leaves = sum(len(path) == n_heads for path in paths)
        rows.append((width, *rates, len(paths), leaves, played(shares, paths)))
    yield same_rows("2, full trees", part.tables["widths"], rows, PLAYED)
    yield same("2, nodes", part["nodes"].value, len(_combinations(widest, n_heads)), "enumeration: every path of guesses")
    yield same("2, tokens a step", part["tokens"].value, played(shares, _combinations(widest, n_heads)), PLAYED)
    hits = {f"a_{head + 1}": 1 - _missed(shares, head, widest) for head in range(n_heads)}
    yield same_letters("2, numbers put in", part.steps, hits)
    other = tuple((rate,) for rate in OTHER_RATES[:n_heads])
    sizes = {f"a_{k}": rate for k, rate in enumerate(OTHER_RATES[:n_heads], 1)}
    triples = [("tokens a step", part["tokens"].formula, played(other, _combinations(1, n_heads)))]
    yield same_formulas("2, formula", triples, sizes, PLAYED)


def _missed(shares: Shares, head: int, width: int) -> Fraction:
    """The probability that this head is wrong, of the outcomes in which it is looked at."""
    looked = [(right, chance) for right, chance in outcomes(shares, width) if len(right) >= head]
    return sum((chance for right, chance in looked if len(right) == head), Fraction(0)) / sum(chance for _, chance in looked)


def _paths(part: Part) -> list[Ranks]:
    """The published paths in the order in which they join, as ranks from 0."""
    texts = [str(cell) for cell in part.tables["growth"].column("Ranks")[1:]]
    return [tuple(int(rank) - 1 for rank in text.split(", ")) for text in texts]


def _check_growth(params: MedusaParams, shares: Shares, part: Part) -> Iterator[Check]:
    ranks_text = [str(cell) for cell in part.tables["growth"].column("Ranks")[1:]]
    known = {", ".join(str(rank + 1) for rank in path) for path in _combinations(len(shares[0]), len(shares))}
    strange = [text for text in ranks_text if text not in known]
    yield same("3, ranks that are no path of guesses", ", ".join(strange) or "none", "none", "enumeration: every path of guesses")
    if strange:
        return
    paths = _paths(part)
    rows: list[tuple[Cell, ...]] = [(0, "the root", "–", 1, 1)]
    for count, path in enumerate(paths, 1):
        words = " ".join(params.guesses[head][rank] for head, rank in enumerate(path))
        ranks = ", ".join(str(rank + 1) for rank in path)
        rows.append((count, words, ranks, _reached(shares, path), played(shares, frozenset(paths[:count]))))
    table = part.tables["growth"]
    yield same_rows("3, nodes as they join", table, rows, PLAYED)
    best = [1 + best_of(shares, 0, count) for count in range(len(rows))]
    published = ", ".join(map(str, table.column("Tokens a step")))
    yield same("3, no tree of as many nodes gives more", published, ", ".join(map(str, best)), SEARCHED)
    yield same("3, nodes that joined", len(paths), params.n_nodes, "the parameters")
    level_order = sorted([(), *paths], key=lambda path: (len(path), path))
    place = {path: number for number, path in enumerate(level_order, 1)}
    nodes = [
        (number, params.guesses[len(path) - 1][path[-1]] if path else params.root, place[path[:-1]] if path else None,
         len(path), _reached(shares, path))
        for path, number in place.items()
    ]  # fmt: skip
    yield same_rows("3, nodes of the pruned tree", part.tables["tree"], nodes, PLAYED)


def _reached(shares: Shares, path: Ranks) -> Fraction:
    """The probability of all outcomes that begin with the path."""
    return sum((chance for right, chance in _all_outcomes(shares) if right[: len(path)] == path), Fraction(0))


@lru_cache(maxsize=8192)
def best_of(shares: Shares, head: int, n: int, rank: int = 0) -> Fraction:
    """The most tokens that n nodes below a right node may add, trying every split among the guesses from `rank` on."""
    if head == len(shares) or rank == len(shares[head]) or n == 0:
        return Fraction(0)
    room = sum(len(shares[0]) ** depth for depth in range(len(shares) - head))
    splits = (
        shares[head][rank] * (1 + best_of(shares, head + 1, here - 1)) + best_of(shares, head, n - here, rank + 1)
        for here in range(1, min(n, room) + 1)
    )
    return max(best_of(shares, head, n, rank + 1), *splits)


def _check_sizes_of_trees(params: MedusaParams, shares: Shares, answer: Answer) -> Iterator[Check]:
    part, n_heads = answer["3"], len(shares)
    model = params.model
    sizes = (model.n_layers, model.d_model, model.d_ff, model.vocabulary_size, n_heads)
    slower = rational(_found(counted(*sizes, bias=params.conventions.head_bias), n_heads, params)["slower"])
    full: Mapping[int, int] = {len(_combinations(width, n_heads)): width for width in range(1, len(shares[0]) + 1)}
    rows = []
    for nodes, width in full.items():
        best = 1 + best_of(shares, 0, nodes)
        rows.append((nodes, width, played(shares, _combinations(width, n_heads)), best, best / slower))
    yield same_rows("3, full trees and the best of that size", part.tables["sizes"], rows, SEARCHED)
    tokens, most = best_of(shares, 0, params.n_nodes), best_of(shares, 0, max(full))
    yield same("3, tokens a step", part["tokens"].value, 1 + tokens, SEARCHED)
    yield same("3, share of what the full tree adds", part["share"].value, tokens / most, SEARCHED)
    yield same("3, gain", part["gain"].value, (1 + tokens) / slower, f"{SEARCHED}, and {BY}")
