"""Finds cache policies again: a rule for each pair of positions, torch's attention under a mask, caches without storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import numpy
import torch
from transformers import DynamicCache
from transformers.masking_utils import sliding_window_causal_mask_function

from generators.answer import Cell
from generators.oracles.compare import Formula, close_rows, same, same_formulas, same_letters, same_rows
from generators.oracles.transformer_layer import DTYPES
from generators.steps import Answer, Check, Part, Table

if TYPE_CHECKING:
    from generators.courses.sydney.seminar2_cache_policies import PolicyParams

PAIRS = "brute force: a rule for each pair of positions"
VERSION = torch.__version__.split("+")[0]
GREEDY = f"torch {VERSION}, float64, masks filled query by query"
SDPA = f"torch {VERSION}, scaled_dot_product_attention under the mask, float64"
HELD = "DynamicCache of transformers, meta tensors"
HF = "sliding window mask of transformers"
OTHER_SIZES = {"N_layer": 3, "D": 12, "n_H": 4}
OTHER_LENGTHS = ((9, 5), (4, 7))
"""Tokens and budget, once with the cache full and once not."""


@dataclass(frozen=True)
class Head:
    """Queries, keys and values (n, d) in float64, and what is added to the scores of each token."""

    q: torch.Tensor
    k: torch.Tensor
    v: torch.Tensor
    bias: torch.Tensor

    def weights(self, allowed: torch.Tensor) -> torch.Tensor:
        """Softmax over the allowed scores (n, n)."""
        scores: torch.Tensor = self.q @ self.k.T / self.q.shape[1] ** 0.5 + self.bias
        return scores.masked_fill(~allowed, -torch.inf).softmax(-1)

    def outputs(self, allowed: torch.Tensor) -> torch.Tensor:
        """Torch's own attention (n, d), with pulls and mask added to the scores."""
        mask = self.bias.expand(len(self.q), -1).masked_fill(~allowed, -torch.inf)
        return torch.nn.functional.scaled_dot_product_attention(self.q[None], self.k[None], self.v[None], mask[None])[0]


@dataclass(frozen=True)
class Found:
    """What the policies do on one head: masks (n, n) by name, evictions, shares of the dense weight, and errors."""

    masks: Mapping[str, torch.Tensor]
    evictions: list[list[Cell]]
    queries: list[list[Cell]]
    overall: list[list[Cell]]


Pulls = tuple[tuple[int, float, float], ...]
"""Token from 1, what is added to its scores, and the factor of its value."""


def seeded_head(seed: int, n_tokens: int, head_width: int, pulls: Pulls) -> Head:
    """Drawn as the page says: whole numbers from -200 to 200, over 100."""
    drawn = numpy.random.default_rng(seed).integers(-200, 201, size=(3, n_tokens, head_width))
    q, k, v = torch.from_numpy(drawn).double() / 100
    bias = torch.zeros(n_tokens, dtype=torch.float64)
    for token, score, value_scale in pulls:
        bias[token - 1] = score
        v[token - 1] *= value_scale
    return Head(q, k, v, bias)


def by_rule(n: int, rule: Callable[[int, int], bool]) -> torch.Tensor:
    """The mask of a rule about the query's and the token's position, never of what comes later."""
    return torch.tensor([[j <= i and rule(i, j) for j in range(n)] for i in range(n)])


def greedy(head: Head, budget: int, recent: int) -> tuple[torch.Tensor, list[list[Cell]]]:
    """Fill the mask row by row: a row drops the old token with the least weight in the column sums of the rows above."""
    n = len(head.q)
    allowed = torch.zeros(n, n, dtype=torch.bool)
    evictions: list[list[Cell]] = []
    for i in range(n):
        if i:
            allowed[i] = allowed[i - 1]
        allowed[i, i] = True
        if int(allowed[i].sum()) > budget:
            sums = head.weights(allowed)[:i].sum(0).masked_fill(~allowed[i], torch.inf)
            sums[i - recent + 1 :] = torch.inf
            least = sums.sort(stable=True)
            out, stays = least.indices[:2].tolist()
            evictions.append([i + 1, out + 1, float(least.values[0]), stays + 1, float(least.values[1])])
            allowed[i, out] = False
    return allowed, evictions


def _found(params: PolicyParams) -> Found:
    sizes = params.attention
    pulls = tuple((pull.token, float(pull.score), float(pull.value_scale)) for pull in sizes.pulls)
    shares = params.budget, params.n_initial, params.n_recent
    return found_on((sizes.seed, sizes.n_tokens, sizes.head_width), pulls, *shares)


@lru_cache(maxsize=16)
def found_on(drawn: tuple[int, int, int], pulls: Pulls, budget: int, initial: int, recent: int) -> Found:
    """Try every policy on the head of seed, tokens and width."""
    head = seeded_head(*drawn, pulls)
    n = len(head.q)
    by_attention, evictions = greedy(head, budget, recent)
    masks = {
        "Dense": by_rule(n, lambda i, j: True),
        "Window": by_rule(n, lambda i, j: i - j < budget),
        "Initial and window": by_rule(n, lambda i, j: j < initial or i - j < budget - initial),
        "Attention-based": by_attention,
    }
    whole, true = head.weights(masks["Dense"]), head.outputs(masks["Dense"])
    limited = [mask for name, mask in masks.items() if name != "Dense"]
    outputs = [head.outputs(mask) for mask in limited]
    queries: list[list[Cell]] = []
    for i in range(budget, n):
        shares = [float(whole[i][mask[i]].sum()) for mask in limited]
        errors = [float((ours[i] - true[i]).norm() / true[i].norm()) for ours in outputs]
        queries.append([i + 1, *shares, *errors])
    names = [name for name in masks if name != "Dense"]
    overall: list[list[Cell]] = [
        [name, float((ours - true).norm() / true.norm())] for name, ours in zip(names, outputs, strict=True)
    ]
    return Found(masks, evictions, queries, overall)


def verify_policies(params: PolicyParams, answer: Answer) -> Iterator[Check]:
    """Check what stays, the memory it takes, and the error it makes."""
    found = _found(params)
    yield from _check_kept(params, found, answer["1"])
    yield from _check_memory(params, answer["2"])
    yield close_rows("3, weight kept and error of every query", answer["3"].tables["queries"], found.queries, SDPA)
    yield close_rows("3, error over all queries", answer["3"].tables["overall"], found.overall, SDPA)


def _listed(row: torch.Tensor) -> str:
    """The positions of ones from 1, runs of three and more by their ends."""
    numbers = (row.nonzero().flatten() + 1).tolist()
    runs = [[number for _, number in group] for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    parts = ([f"{run[0]}–{run[-1]}"] if len(run) > 2 else map(str, run) for run in runs)
    return ", ".join(part for run in parts for part in run)


def _check_kept(params: PolicyParams, found: Found, part: Part) -> Iterator[Check]:
    table = part.tables["kept"]
    names = ["Query", *found.masks]
    yield same("1, policies", ", ".join(map(str, table.header)), ", ".join(names), "the parameters")
    rows: list[list[Cell]] = [[i + 1, *(_listed(mask[i]) for mask in found.masks.values())] for i in range(len(table.rows))]
    fixed, chosen = names[:-1], [names[0], names[-1]]
    by = {PAIRS: fixed, GREEDY: chosen}
    for route, columns in by.items():
        what = "1, tokens kept by " + ("position" if route == PAIRS else "attention")
        yield same_rows(what, _columns(table, columns), [[row[names.index(name)] for name in columns] for row in rows], route)
    yield same("1, queries", len(table.rows), params.attention.n_tokens, "the parameters")
    yield close_rows("1, what leaves by attention, and what would be next", part.tables["evictions"], found.evictions, GREEDY)
    rule = sliding_window_causal_mask_function(params.budget)
    place = torch.arange(params.attention.n_tokens)
    sliding = rule(torch.tensor(0), torch.tensor(0), place[:, None], place[None, :])
    published = "; ".join(map(str, table.column("Window")))
    yield same("1, tokens kept by a window", published, "; ".join(map(_listed, sliding)), HF)


def _columns(table: Table, names: list[str]) -> Table:
    return Table(header=tuple(names), rows=tuple(zip(*(table.column(name) for name in names), strict=True)))


@lru_cache(maxsize=256)
def held(n_layers: int, d_model: int, n_heads: int, tokens: int, element: int) -> int:
    """Bytes of the keys and values of that many tokens, added up over the layers of a cache without storage."""
    cache = DynamicCache()
    new = torch.empty(1, n_heads, tokens, d_model // n_heads, dtype=DTYPES[element], device="meta")
    for layer in range(n_layers):
        cache.update(new, new, layer)
    return sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))


def _sums(n_layers: int, n_heads: int, tokens: int, element: int) -> int:
    return torch.empty(n_layers, n_heads, tokens, dtype=DTYPES[element], device="meta").nbytes


def _kept(length: int, budget: int) -> int:
    """How many tokens are left when each beyond the budget has pushed one out."""
    return length - len(range(budget, length))


def _held(params: PolicyParams, sizes: tuple[int, int, int], length: int, budget: int) -> dict[str, int]:
    """By the names of the steps; sizes are layers, width and heads."""
    conventions, kept = params.conventions, _kept(length, budget)
    return {
        "entries": kept,
        "dense": held(*sizes, length, conventions.bytes_per_element),
        "cut": held(*sizes, kept, conventions.bytes_per_element),
        "sums": _sums(sizes[0], sizes[2], kept, conventions.bytes_per_sum),
    }


def _check_memory(params: PolicyParams, part: Part) -> Iterator[Check]:
    memory = params.memory
    sizes = (memory.n_layers, memory.d_model, memory.n_heads)
    found = _held(params, sizes, memory.seq_len, memory.budget)
    for name, value in found.items():
        yield same(f"2, {part[name].what}", part[name].value, value, HELD)
    yield same("2, cache with the budget over the dense one", part["share"].value, Fraction(found["cut"], found["dense"]), HELD)
    letters = dict(zip(("N_layer", "D", "n_H"), sizes, strict=True))
    yield same_letters("2, numbers put in", part.steps, {**letters, "n": memory.seq_len, "B": memory.budget})
    for length, budget in OTHER_LENGTHS:
        small = _held(params, (3, 12, 4), length, budget)
        triples: list[Formula] = [(name, part[name].formula, value) for name, value in small.items()]
        yield same_formulas("2, formulas", triples, {**OTHER_SIZES, "n": length, "B": budget}, HELD)
    rows: list[list[Cell]] = []
    for length in memory.seq_lens:
        one = _held(params, sizes, length, memory.budget)
        rows.append([length, one["entries"], *(Fraction(one[name], 2**20) for name in ("dense", "cut", "sums"))])
    yield same_rows("2, every length", part.tables["lengths"], rows, HELD)
