"""Finds Medusa's numbers again: torch modules on meta tensors, every outcome of the heads, and a search over trees.

From the paper: a head is W2 (SiLU(W1 h) + h); a step gives the root's token and those of the longest path of the tree that is
right. The lecture gives no sizes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
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
GIVEN = dict.fromkeys(("head", "guesses_a_head"), SHEET)

Shares = tuple[tuple[Fraction, ...], ...]
Ranks = tuple[int, ...]
SYMBOLS = {"head": r"N_{\text{head}}", "model": r"N_{\text{model}}", "slower": r"\kappa"}


def find(params: MedusaParams) -> Iterator[Found]:
    """Everything that is published about the heads and their trees."""
    shares = tuple(tuple(head.accuracies) for head in params.heads)
    slower = _slower(params)
    yield from _given(params)
    yield from _the_heads(params, slower)
    yield from _full(shares)
    yield from _pruned(params, shares, slower)
    yield from _sizes(shares, slower)
    if params.choices is not None:
        yield from _chosen(shares, frozenset(map(tuple, params.choices)))


def _given(params: MedusaParams) -> Iterator[Found]:
    model, heads = params.model, params.heads
    yield from SHEET.part("sheet", "Given")
    yield from SHEET.values("sheet", model=model.name, root=params.root, head_bias=params.conventions.head_bias)
    yield from SHEET.values("sheet", n_nodes=params.n_nodes)
    yield from SHEET.letters(
        "sheet",
        n_Medusa=len(heads),
        N_layer=model.n_layers,
        D=model.d_model,
        D_ff=model.d_ff,
        N_vocab=model.vocabulary_size,
    )
    width = model.head_dim or model.d_model // model.n_heads
    yield from SHEET.letters("sheet", n_H=model.n_heads, n_KV=model.n_kv_heads or model.n_heads, H=width)
    for place, head in enumerate(heads, 1):
        cells = zip(head.guesses, head.accuracies, strict=True)
        rows = {str(rank): (token, 100 * share) for rank, (token, share) in enumerate(cells, 1)}
        yield from SHEET.part(f"head_{place}", f"Head {place}")
        yield from SHEET.table(f"head_{place}", "guesses", rows, units={"share": "%"}, columns=["token", "share"])


def _slower(params: MedusaParams) -> Fraction:
    from generators.courses.utaustin.lecture25_medusa import meta_heads

    model = params.model
    _, every, _ = meta_heads.counted_heads(
        model.d_model, model.vocabulary_size, len(params.heads), bias=params.conventions.head_bias
    )
    matrices = meta_heads.counted_model(model)[1]
    return Fraction(matrices + every, matrices)


def _the_heads(params: MedusaParams, slower: Fraction) -> Iterator[Found]:
    """Counts of torch's modules; torch counts two FLOPs a multiply-add."""
    from generators.courses.utaustin.lecture25_medusa import meta_heads

    model, held = params.model, params.conventions
    values, _ = meta_heads.counted_model(model)
    one, every, flops = meta_heads.counted_heads(model.d_model, model.vocabulary_size, len(params.heads), bias=held.head_bias)
    yield from SHEET.part("1", "The heads")
    yield from META.values("1", head=one, model=values, slower=slower, symbols=SYMBOLS)
    yield from META.values("1", share=Fraction(100 * every, values), unit="%")
    yield from META.values("1", bytes=held.bytes_per_value * every, unit="B", symbols={"bytes": r"M_{\text{heads}}"})
    yield from META.values(
        "1", flops=Fraction(flops * held.flops_per_multiply_add, 2), unit="FLOP", symbols={"flops": r"F_{\text{heads}}"}
    )


def _full(shares: Shares) -> Iterator[Found]:
    every = _combinations(shares)
    yield from SHEET.part("2", "The full tree")
    yield from PATHS.values("2", nodes=len(every))
    yield from PLAYED.values("2", tokens=played(shares, every))
    rows: dict[str, tuple[Cell, ...]] = {}
    for head in range(len(shares)):
        looked = sum((chance for right, chance in outcomes(shares) if len(right) >= head), Fraction(0))
        hit = sum((chance for right, chance in outcomes(shares) if len(right) > head), Fraction(0))
        rows[f"head_{head + 1}"] = (head + 1, hit / looked, hit)
    headings = {"rate": "One guess is right", "so_far": "So for all heads up to it"}
    yield from PLAYED.table("2", "hits", rows, headings=headings, columns=["head", *headings], given=GIVEN)


@lru_cache(maxsize=16)
def outcomes(shares: Shares) -> tuple[tuple[Ranks, Fraction], ...]:
    """Every way the heads may fare: the ranks of right guesses up to the first head whose guesses are all wrong."""
    found: list[tuple[Ranks, Fraction]] = []
    for choice in product(*(range(-1, len(head)) for head in shares)):
        right = choice[: choice.index(-1)] if -1 in choice else choice
        if any(rank != -1 for rank in choice[len(right) :]):
            continue  # what stands behind a miss is never looked at
        chance = Fraction(1)
        for head, rank in zip(shares, right, strict=False):
            chance *= head[rank]
        if len(right) < len(shares):
            chance *= 1 - sum(shares[len(right)])
        found.append((right, chance))
    return tuple(found)


def played(shares: Shares, kept: frozenset[Ranks]) -> Fraction:
    """Expected tokens a step with a tree of these paths: the root's, and the longest kept path that is right."""
    return sum((chance * (1 + _accepted(right, kept)) for right, chance in outcomes(shares)), Fraction(0))


def _accepted(right: Ranks, kept: Collection[Ranks]) -> int:
    length = 0
    while length < len(right) and right[: length + 1] in kept:
        length += 1
    return length


def _combinations(shares: Shares, width: int = 32) -> frozenset[Ranks]:
    """All paths of the first `width` guesses of each head."""
    ranks = [range(min(width, len(head))) for head in shares]
    return frozenset(path for depth in range(1, len(shares) + 1) for path in product(*ranks[:depth]))


def _reached(shares: Shares, path: Ranks) -> Fraction:
    """The probability of all outcomes that begin with the path."""
    return sum((chance for right, chance in outcomes(shares) if right[: len(path)] == path), Fraction(0))


def grown(shares: Shares, n_nodes: int) -> list[tuple[Ranks, Fraction]]:
    """The root and the nodes that join it, always the likeliest whose parent stands; of equals the upper, then the left."""
    queue: list[tuple[Fraction, int, Ranks]] = [(-_reached(shares, ()), 0, ())]
    found: list[tuple[Ranks, Fraction]] = []
    while len(found) <= n_nodes:
        reached, depth, path = heappop(queue)
        found.append((path, -reached))
        for rank in range(len(shares[depth])) if depth < len(shares) else ():
            child = (*path, rank)
            heappush(queue, (-_reached(shares, child), depth + 1, child))
    return found


@lru_cache(maxsize=4)
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
    """The nodes as they join, by what each tree gives when it is played."""
    best, n = best_of(shares), params.n_nodes
    yield from SHEET.part("3", "Pruned trees")
    yield from PATHS.values("3", nodes_in_full=len(_combinations(shares)))
    yield from SEARCHED.values("3", tokens=1 + best[n], gain=(1 + best[n]) / slower)
    yield from SEARCHED.values("3", share=100 * best[n] / best[-1], unit="%")
    yield from SHEET.values("3", drawn=n <= 30, given=params.choices is not None)
    paths, rows = grown(shares, n), {}
    for count, (path, reached) in enumerate(paths):
        words = [head.guesses[rank] for head, rank in zip(params.heads, path, strict=False)]
        *above, token = [params.root, *words]
        key, kept = ".".join(str(rank + 1) for rank in path) or "root", frozenset(path for path, _ in paths[1 : count + 1])
        rows[key] = (count, token, " ".join(above) or None, reached, played(shares, kept))
    yield from GROWN.table("3", "growth", rows, columns=["nodes", "token", "after", "probability", "tokens_a_step"])


def _sizes(shares: Shares, slower: Fraction) -> Iterator[Found]:
    rows: dict[str, tuple[Cell, ...]] = {}
    for width in range(1, max(map(len, shares)) + 1):
        paths = _combinations(shares, width)
        of_size = 1 + best_of(shares)[len(paths)]
        rows[f"width_{width}"] = (width, len(paths), played(shares, paths), of_size, of_size / slower)
    columns = ["guesses_a_head", "nodes", "full_tree", "best", "its_gain"]
    yield from SEARCHED.table("3", "sizes", rows, headings={"best": "Best tree"}, columns=columns, given=GIVEN)


def _chosen(shares: Shares, chosen: frozenset[Ranks]) -> Iterator[Found]:
    """The sparse tree that was given, played, and the best of as many nodes."""
    yield from PATHS.values("3", given_nodes=len(chosen))
    yield from PLAYED.values("3", given_tokens=played(shares, chosen))
    yield from SEARCHED.values("3", best_tokens=1 + best_of(shares)[len(chosen)])
