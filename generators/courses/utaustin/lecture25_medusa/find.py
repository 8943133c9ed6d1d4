"""Finds Medusa's numbers again: torch modules on meta tensors, every outcome of the heads, and a search over trees.

From the paper: a head is W2 (SiLU(W1 h) + h); a step gives the root's token and those of the longest path of the tree that is
right. The lecture gives no sizes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from heapq import heappop, heappush
from itertools import product

from generators.cells import Cell
from generators.courses.utaustin.lecture25_medusa.params import MedusaParams
from generators.found import Found, Route

SHEET = Route("the sheet and the parameters, read again", restates=True)
META = Route("torch, meta tensors")
PLAYED = Route("enumeration: every outcome of the heads")
PATHS = Route("enumeration: every path of guesses")
GROWN = Route("a queue of the nodes that could join next")
SEARCHED = Route("dynamic programming: every split of the nodes")

Shares = tuple[tuple[Fraction, ...], ...]
Ranks = tuple[int, ...]
SYMBOLS = {"head": r"N_{\text{head}}", "model": r"N_{\text{model}}", "slower": "s"}


def find(params: MedusaParams) -> Iterator[Found]:
    """Everything that is published about the heads and their trees."""
    shares = tuple(tuple(head.accuracies) for head in params.heads)
    yield from _given(params)
    sizes = _sizes(params)
    yield from _the_heads(sizes)
    yield from _rates(shares)
    yield from _full(shares)
    yield from _pruned(params, shares, Fraction(sizes["slower"]))


def _given(params: MedusaParams) -> Iterator[Found]:
    model, heads = params.model, params.heads
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", model=model.name, root=params.root, head_bias=params.conventions.head_bias)
    yield from SHEET.values("sheet", guesses_a_head=len(heads[0].guesses), n_nodes=params.n_nodes)
    yield from SHEET.letters(
        "sheet", K=len(heads), N_layer=model.n_layers, D=model.d_model, D_ff=model.d_ff, V=model.vocabulary_size
    )
    for place, head in enumerate(heads, 1):
        cells = zip(head.guesses, head.accuracies, strict=True)
        rows = {str(rank): (token, 100 * share) for rank, (token, share) in enumerate(cells, 1)}
        yield from SHEET.part(f"head_{place}", f"Head {place}")
        yield from SHEET.table(f"head_{place}", "guesses", rows, units={"share": "%"}, columns=["token", "share"])


def _sizes(params: MedusaParams) -> dict[str, int | Fraction]:
    """Counts of torch's modules; torch counts two FLOPs a multiply-add."""
    from generators.courses.utaustin.lecture25_medusa.meta_heads import counted_heads
    from generators.oracles.gated_decoder import counted_values

    model, held = params.model, params.conventions
    values, matrices = counted_values(model.n_layers, model.d_model, model.d_ff, model.vocabulary_size)
    one, every, flops = counted_heads(model.d_model, model.vocabulary_size, len(params.heads), bias=held.head_bias)
    return {
        "head": one,
        "model": values,
        "share": Fraction(100 * every, values),
        "bytes": held.bytes_per_value * every,
        "flops": Fraction(flops * held.flops_per_multiply_add, 2),
        "slower": Fraction(matrices + every, matrices),
    }


def _the_heads(sizes: Mapping[str, int | Fraction]) -> Iterator[Found]:
    yield from SHEET.part("1", "The heads")
    yield from META.values("1", {name: sizes[name] for name in SYMBOLS}, symbols=SYMBOLS)
    yield from META.values("1", share=sizes["share"], unit="%")
    yield from META.values("1", bytes=sizes["bytes"], unit="B", symbols={"bytes": r"M_{\text{heads}}"})
    yield from META.values("1", flops=sizes["flops"], unit="FLOP", symbols={"flops": r"F_{\text{heads}}"})


def _rates(shares: Shares) -> Iterator[Found]:
    label = f"rates_of_{len(shares)}"
    widest = len(shares[0])
    yield from SHEET.part(label, "Hit rates of all guesses")
    hits = {f"a_{head + 1}": 1 - _missed(shares, head, widest) for head in range(len(shares))}
    yield from PLAYED.values(label, hits, symbols={name: name for name in hits})
    tokens = played(shares, _combinations(widest, len(shares)))
    yield from PLAYED.values(label, tokens=tokens, symbols={"tokens": r"\mathbb{E}[T]"})


def _full(shares: Shares) -> Iterator[Found]:
    heads = range(len(shares))
    rows: dict[str, tuple[Cell, ...]] = {}
    for width in range(1, len(shares[0]) + 1):
        paths = _combinations(width, len(shares))
        leaves = sum(len(path) == len(shares) for path in paths)
        rates = (1 - _missed(shares, head, width) for head in heads)
        rows[f"width_{width}"] = (width, *rates, len(paths), leaves, played(shares, paths))
    every = _combinations(len(shares[0]), len(shares))
    yield from SHEET.part("2", "The full tree")
    yield from PATHS.values("2", nodes=len(every))
    yield from PLAYED.values("2", tokens=played(shares, every))
    columns = ["guesses_a_head", *(f"hit_rate_{head + 1}" for head in heads), "nodes", "leaves", "tokens_a_step"]
    yield from PLAYED.table("2", "widths", rows, columns=columns)


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


def played(shares: Shares, kept: frozenset[Ranks]) -> Fraction:
    """Expected tokens a step with a tree of these paths: the root's, and the longest kept path that is right."""
    return sum((chance * (1 + _accepted(right, kept)) for right, chance in _all_outcomes(shares)), Fraction(0))


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


def _missed(shares: Shares, head: int, width: int) -> Fraction:
    """The probability that this head is wrong, of the outcomes in which it is looked at."""
    looked = [(right, chance) for right, chance in outcomes(shares, width) if len(right) >= head]
    return sum((chance for right, chance in looked if len(right) == head), Fraction(0)) / sum(chance for _, chance in looked)


def _reached(shares: Shares, path: Ranks) -> Fraction:
    """The probability of all outcomes that begin with the path."""
    return sum((chance for right, chance in _all_outcomes(shares) if right[: len(path)] == path), Fraction(0))


def grown(shares: Shares, n_nodes: int) -> list[Ranks]:
    """The root and the nodes that join it, always the likeliest whose parent stands; of equals the upper, then the left."""
    queue: list[tuple[Fraction, int, Ranks]] = [(-_reached(shares, ()), 0, ())]
    found: list[Ranks] = []
    while len(found) <= n_nodes:
        _, depth, path = heappop(queue)
        found.append(path)
        for rank in range(len(shares[0])) if depth < len(shares) else ():
            child = (*path, rank)
            heappush(queue, (-_reached(shares, child), depth + 1, child))
    return found


def best_of(shares: Shares) -> list[Fraction]:
    """The most tokens that 0, 1, 2 ... nodes below the root may add, trying every split among a head's guesses."""
    below = [Fraction(0)]  # nothing stands behind the last head
    for head in reversed(shares):
        best = [Fraction(0)]
        for share in head:
            branch = [Fraction(0), *(share * (1 + added) for added in below)]
            sizes = range(len(best) + len(branch) - 1)
            best = [max(best[n - here] + branch[here] for here in range(len(branch)) if 0 <= n - here < len(best)) for n in sizes]
        below = best
    return below


def _pruned(params: MedusaParams, shares: Shares, slower: Fraction) -> Iterator[Found]:
    full, best = {width: _combinations(width, len(shares)) for width in range(1, len(shares[0]) + 1)}, best_of(shares)
    tokens = 1 + best[params.n_nodes]
    yield from SHEET.part("3", "Pruned trees")
    yield from PATHS.values("3", nodes_in_full=len(full[len(shares[0])]))
    yield from SEARCHED.values("3", tokens=tokens, gain=tokens / slower)
    yield from SEARCHED.values("3", share=100 * best[params.n_nodes] / best[-1], unit="%")
    yield from _growth(params, shares)
    sizes: dict[str, tuple[Cell, ...]] = {}
    for width, paths in full.items():
        of_size = 1 + best[len(paths)]
        sizes[f"width_{width}"] = (len(paths), width, played(shares, paths), of_size, of_size / slower)
    columns = ["nodes", "guesses_a_head", "full_tree", "best_tree_of_that_size", "its_gain"]
    yield from SEARCHED.table("3", "sizes", sizes, columns=columns)
    rows = {f"of_{n}": (n, 1 + added) for n, added in enumerate(best) if n}
    yield from SEARCHED.table("3", "best", rows, columns=["nodes", "tokens_a_step"])


def _growth(params: MedusaParams, shares: Shares) -> Iterator[Found]:
    """The nodes as they join, by what each tree gives when it is played."""
    paths = grown(shares, params.n_nodes)
    joined: dict[str, tuple[Cell, ...]] = {}
    for count, path in enumerate(paths):
        added = " ".join(params.heads[head].guesses[rank] for head, rank in enumerate(path)) or "the root"
        ranks, kept = ", ".join(str(rank + 1) for rank in path) or None, frozenset(paths[1 : count + 1])
        joined[_key(path)] = (count, added, ranks, _reached(shares, path), played(shares, kept))
    yield from GROWN.table("3", "growth", joined, columns=["nodes", "added", "ranks", "reached", "tokens_a_step"])
    tree: dict[str, tuple[Cell, ...]] = {}
    for path in sorted(paths, key=lambda path: (len(path), path)):
        token = params.heads[len(path) - 1].guesses[path[-1]] if path else params.root
        tree[_key(path)] = (token, _key(path[:-1]) if path else None, len(path), _reached(shares, path))
    yield from GROWN.table("3", "tree", tree, columns=["token", "parent", "depth", "reached"])


def _key(path: Sequence[int]) -> str:
    """Ranks from one, as rows are called."""
    return ".".join(str(rank + 1) for rank in path) or "root"
