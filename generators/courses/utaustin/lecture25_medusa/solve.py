"""Counts the heads, adds up the full tree, and grows the best tree node by node."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import sympy

from generators.answer import Answer, Part, answer, claim, formula, letter, number, part, text
from generators.cells import exact, rational
from generators.courses.utaustin.lecture25_medusa.likely_nodes import (
    best_tokens,
    by_reach,
    expected_tokens,
    hit_rates,
    rate_symbols,
    reach,
)
from generators.courses.utaustin.lecture25_medusa.params import Head, MedusaParams
from generators.table import Table, column, table
from generators.topics.decoder_values import D_FF, N_LAYER, D, V, matrix_values, model_values
from generators.topics.prefix_tree import Tree, path, tree_of_heads

K = sympy.Symbol("K", positive=True)


def solve(params: MedusaParams) -> Answer:
    """What is given, the heads' size, the full tree, and the best trees of fewer nodes."""
    sheet, rates = _sheet(params), _rates(params)
    sizes, full = _sizes(params, sheet), _full(params, rates)
    given = (_head(place, head) for place, head in enumerate(params.heads, 1))
    return answer(sheet, *given, sizes, rates, full, _pruned(params, rational(sizes["slower"].value), full["widths"]))


def _sheet(params: MedusaParams) -> Part:
    model = params.model
    return part(
        "sheet",
        "Given",
        text("model", model.name),
        text("root", params.root),
        letter(K, len(params.heads), "heads"),
        letter(N_LAYER, model.n_layers, "layers"),
        letter(D, model.d_model, "model width"),
        letter(D_FF, model.d_ff, "inner width of the feed-forward networks"),
        letter(V, model.vocabulary_size, "tokens of the vocabulary"),
        claim("head_bias", params.conventions.head_bias, "the first matrix of a head has a bias"),
        number("guesses_a_head", len(params.heads[0].guesses)),
        number("n_nodes", params.n_nodes, "nodes of the pruned tree below the root"),
    )


def _head(place: int, head: Head) -> Part:
    """A head's guesses, with the share of cases in which each is right."""
    pairs = zip(head.guesses, head.accuracies, strict=True)
    rows = {str(rank): (token, exact(100 * share)) for rank, (token, share) in enumerate(pairs, 1)}
    return part(f"head_{place}", f"Head {place}", table("guesses", ["token", column("share", unit="%")], rows))


def _sizes(params: MedusaParams, sheet: Part) -> Part:
    held = params.conventions
    matrices = D**2 + D * V  # W2 (SiLU(W1 h) + h) with W1 of D×D and W2 of D×V
    head = matrices + (D if held.head_bias else 0)
    model = sympy.factor(model_values(), N_LAYER)
    flops = K * held.flops_per_multiply_add * matrices
    return part(
        "1",
        "The heads",
        formula("head", head, "values of one head", r"N_{\text{head}}", asked=True),
        formula("model", model, "values of the model", r"N_{\text{model}}"),
        formula("share", 100 * K * head / model_values(), "values of all heads over those of the model", unit="%", asked=True),
        formula("bytes", held.bytes_per_value * K * head, "bytes of all heads", r"M_{\text{heads}}", "B", asked=True),
        formula("flops", flops, "FLOPs of all heads at one position", r"F_{\text{heads}}", "FLOP"),
        formula("slower", 1 + K * head / matrix_values(), "weights a step reads, with over without heads", "s"),
        within=sheet,
    )


def _shares(params: MedusaParams) -> list[list[Fraction]]:
    return [head.accuracies for head in params.heads]


def _rates(params: MedusaParams) -> Part:
    """The hit rates of all guesses and the formula of the full tree, whose length is the number of heads."""
    symbols = rate_symbols(len(params.heads))
    rates = hit_rates(_shares(params), len(params.heads[0].guesses))
    return part(
        f"rates_of_{len(symbols)}",
        "Hit rates of all guesses",
        *(letter(one, exact(rate), "share of cases in which a guess is right") for one, rate in zip(symbols, rates, strict=True)),
        formula("tokens", expected_tokens(symbols), "expected tokens a step", r"\mathbb{E}[T]"),
    )


def _full(params: MedusaParams, rates: Part) -> Part:
    shares, n_heads = _shares(params), len(params.heads)
    symbols = rate_symbols(n_heads)
    rows = {}
    for width in range(1, len(params.heads[0].guesses) + 1):
        hits = dict(zip(symbols, hit_rates(shares, width), strict=True))
        tokens = exact(expected_tokens(symbols).subs(hits))
        rows[f"width_{width}"] = (width, *map(exact, hits.values()), _nodes(width, n_heads), width**n_heads, tokens)
    rates_of = [f"hit_rate_{k}" for k in range(1, n_heads + 1)]
    return part(
        "2",
        "The full tree",
        number("nodes", _nodes(len(params.heads[0].guesses), n_heads), "nodes below the root", asked=True),
        number("tokens", rates["tokens"].value, "expected tokens a step", asked=True),
        table("widths", ["guesses_a_head", *rates_of, "nodes", "leaves", "tokens_a_step"], rows, asked=True),
    )


def _nodes(width: int, n_heads: int) -> int:
    """Nodes below the root of a full tree."""
    return sum(width**depth for depth in range(1, n_heads + 1))


def _pruned(params: MedusaParams, slower: Fraction, widths: Table) -> Part:
    guesses = [head.guesses for head in params.heads]
    tree = tree_of_heads(params.root, guesses)
    reached = reach(tree, _shares(params), guesses)
    best = best_tokens(reached)
    tokens, order = best[params.n_nodes], by_reach(reached)[: params.n_nodes + 1]
    keys = [_key(tree, node, guesses) for node in range(len(tree))]
    of_sizes = {f"of_{nodes}": (nodes, exact(found)) for nodes, found in enumerate(best) if nodes}
    return part(
        "3",
        "Pruned trees",
        number("nodes_in_full", len(tree) - 1, "nodes of the full tree below the root"),
        number("tokens", exact(tokens), "expected tokens a step", asked=True),
        number("share", exact(100 * (tokens - 1) / (best[-1] - 1)), "of what the full tree adds", unit="%", asked=True),
        number("gain", exact(tokens / slower), "gain where reading weights sets the time", asked=True),
        _growth(tree, keys, order, reached),
        _by_size(widths, best, slower),
        _drawn_tree(tree, keys, sorted(order), reached),
        table("best", ["nodes", "tokens_a_step"], of_sizes, drawn=True),
    )


def _key(tree: Tree, node: int, guesses: Sequence[Sequence[str]]) -> str:
    """The ranks of the guesses on the way to a node, as 1.1.2."""
    below = path(tree, node)[1:]
    return ".".join(str(head.index(tree[one].token) + 1) for head, one in zip(guesses, below, strict=False)) or "root"


def _growth(tree: Tree, keys: Sequence[str], order: Sequence[int], reached: Sequence[Fraction]) -> Table:
    """The nodes in the order in which they join the tree."""
    totals = accumulate(reached[node] for node in order)
    rows = {}
    for count, (node, total) in enumerate(zip(order, totals, strict=True)):
        added = " ".join(tree[one].token for one in path(tree, node)[1:]) or "the root"
        ranks = keys[node].replace(".", ", ") if count else None
        rows[keys[node]] = (count, added, ranks, exact(reached[node]), exact(total))
    return table("growth", ["nodes", "added", "ranks", "reached", "tokens_a_step"], rows)


def _by_size(widths: Table, best: Sequence[Fraction], slower: Fraction) -> Table:
    """Full trees beside the best tree of as many nodes."""
    rows = {}
    for key, row in widths.rows.items():
        of_size = best[int(widths.cell(key, "nodes"))]
        cells = (row["nodes"], row["guesses_a_head"], row["tokens_a_step"])
        rows[key] = (*cells, exact(of_size), exact(of_size / slower))
    return table("sizes", ["nodes", "guesses_a_head", "full_tree", "best_tree_of_that_size", "its_gain"], rows)


def _drawn_tree(tree: Tree, keys: Sequence[str], kept: Sequence[int], reached: Sequence[Fraction]) -> Table:
    """The nodes of the pruned tree with the row of each one's parent, level by level."""
    rows = {}
    for node in kept:
        token, parent, depth = tree[node].token, tree[node].parent, tree[node].depth
        rows[keys[node]] = (token, None if parent is None else keys[parent], depth, exact(reached[node]))
    return table("tree", ["token", "parent", "depth", "reached"], rows, drawn=True)
