"""Counts the heads, adds up the full tree, and grows the best tree node by node."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell, exact, rational
from generators.courses.utaustin.lecture25_medusa import likely_nodes
from generators.courses.utaustin.lecture25_medusa.likely_nodes import Path, Shares
from generators.courses.utaustin.lecture25_medusa.params import Head, MedusaParams
from generators.table import Table, column, table

N_MEDUSA, N_LAYER, D, N_HEAD, N_KV, H, D_FF, N_VOCAB = sympy.symbols("n_Medusa N_layer D n_H n_KV H D_ff N_vocab", positive=True)
DRAWN = 30
"""Nodes up to which the tree is drawn."""


def solve(params: MedusaParams) -> Answer:
    """What is given, the heads' size, the full tree, and the best trees of fewer nodes."""
    sheet, shares = _sheet(params), [head.accuracies for head in params.heads]
    sizes, given = _sizes(params, sheet), (_head(place, head) for place, head in enumerate(params.heads, 1))
    return answer(sheet, *given, sizes, _full(shares), _pruned(params, shares, rational(sizes["slower"].value)))


def _sheet(params: MedusaParams) -> Part:
    model = params.model
    return part(
        "sheet",
        "Given",
        text("model", model.name),
        text("root", params.root),
        letter(N_MEDUSA, len(params.heads), "Medusa heads"),
        letter(N_LAYER, model.n_layers, "layers"),
        letter(D, model.d_model, "model width"),
        letter(N_HEAD, model.n_heads, "heads"),
        letter(N_KV, model.n_kv_heads or model.n_heads, "heads of keys and values"),
        letter(H, model.head_dim or model.d_model // model.n_heads, "width of a head"),
        letter(D_FF, model.d_ff, "inner width of the feed-forward networks"),
        letter(N_VOCAB, model.vocabulary_size, "tokens of the vocabulary"),
        claim("head_bias", params.conventions.head_bias, "the first matrix of a head has a bias"),
        number("n_nodes", params.n_nodes, "nodes of the pruned tree below the root"),
    )


def _head(place: int, head: Head) -> Part:
    """A head's guesses, with the share of cases in which each is right."""
    pairs = zip(head.guesses, head.accuracies, strict=True)
    rows = {str(rank): (token, exact(100 * share)) for rank, (token, share) in enumerate(pairs, 1)}
    return part(f"head_{place}", f"Head {place}", table("guesses", ["token", column("share", unit="%")], rows))


def _sizes(params: MedusaParams, sheet: Part) -> Part:
    held = params.conventions
    matrices = D**2 + D * N_VOCAB  # W2 (SiLU(W1 h) + h) with W1 of D×D and W2 of D×N_vocab
    head = matrices + (D if held.head_bias else 0)
    read = N_LAYER * (2 * D * H * (N_HEAD + N_KV) + 3 * D * D_FF) + D * N_VOCAB  # attention, gated feed-forward, output head
    model = read + D * N_VOCAB + (2 * N_LAYER + 1) * D  # the embedding, and two norms a layer and one at the end
    return part(
        "1",
        "The heads",
        formula("head", head, "values of one head", r"N_{\text{head}}", asked=True),
        formula("model", model, "values of the model", r"N_{\text{model}}"),
        formula("share", 100 * N_MEDUSA * head / model, "values of all heads over those of the model", unit="%", asked=True),
        formula("bytes", held.bytes_per_value * N_MEDUSA * head, "bytes of all heads", r"M_{\text{heads}}", "B", asked=True),
        formula(
            "flops",
            held.flops_per_multiply_add * N_MEDUSA * matrices,
            "FLOPs of all heads at one position",
            r"F_{\text{heads}}",
            "FLOP",
        ),
        formula("slower", 1 + N_MEDUSA * head / read, "weights a step reads, with over without heads", r"\kappa"),
        within=sheet,
    )


def _full(shares: Shares) -> Part:
    """All combinations of all guesses, and of the first guesses of each head."""
    rates = [sum(head, Fraction(0)) for head in shares]
    so_far = accumulate(rates, lambda one, other: one * other)
    hits = {f"head_{place}": (place, *both) for place, both in enumerate(zip(rates, so_far, strict=True), 1)}
    tree = likely_nodes.full_tree(shares)
    return part(
        "2",
        "The full tree",
        number("nodes", len(tree), "nodes below the root", asked=True),
        number("tokens", exact(likely_nodes.tokens(shares, tree)), "expected tokens a step", asked=True),
        table("hits", ["head", column("rate", "One guess is right"), column("so_far", "So for all heads up to it")], hits),
    )


def _pruned(params: MedusaParams, shares: Shares, slower: Fraction) -> Part:
    order = likely_nodes.by_reach(shares)
    best = list(accumulate((likely_nodes.reached(shares, path) for path in order), initial=Fraction(1)))
    tokens = best[params.n_nodes]
    return part(
        "3",
        "Pruned trees",
        number("nodes_in_full", len(order), "nodes of the full tree below the root"),
        number("tokens", exact(tokens), "expected tokens a step", asked=True),
        number("share", exact(100 * (tokens - 1) / (best[-1] - 1)), "share of what the full tree adds", unit="%", asked=True),
        number("gain", exact(tokens / slower), "gain where reading weights sets the time", asked=True),
        claim("drawn", params.n_nodes <= DRAWN, "the tree is small enough to be drawn"),
        claim("given", params.choices is not None, "a sparse tree is given"),
        *_given(params, shares, best),
        _growth(params, shares, [(), *order[: params.n_nodes]], best),
        _by_size(shares, best, slower),
    )


def _given(params: MedusaParams, shares: Shares, best: list[Fraction]) -> list[Item]:
    """The sparse tree that was given beside the best of as many nodes."""
    chosen = {tuple(path) for path in params.choices or []}
    if not chosen:
        return []
    tokens = exact(likely_nodes.tokens(shares, chosen))
    return [
        number("given_nodes", len(chosen), "nodes of the tree that was given"),
        number("given_tokens", tokens, "expected tokens a step of the tree that was given"),
        number("best_tokens", exact(best[len(chosen)]), "expected tokens a step of the best tree of as many nodes"),
    ]


def _growth(params: MedusaParams, shares: Shares, nodes: list[Path], best: list[Fraction]) -> Table:
    """The nodes in the order in which they join the tree, each with the tokens above it."""
    rows: dict[str, tuple[Cell, ...]] = {}
    for count, path in enumerate(nodes):
        words = [params.root, *(params.heads[head].guesses[rank] for head, rank in enumerate(path))]
        key = ".".join(str(rank + 1) for rank in path) or "root"
        rows[key] = (
            count,
            words[-1],
            " ".join(words[:-1]) or None,
            exact(likely_nodes.reached(shares, path)),
            exact(best[count]),
        )
    return table("growth", ["nodes", "token", "after", "probability", "tokens_a_step"], rows)


def _by_size(shares: Shares, best: list[Fraction], slower: Fraction) -> Table:
    """Trees of the first guesses of each head, beside the best tree of as many nodes."""
    rows = {}
    for width in range(1, max(map(len, shares)) + 1):
        tree = likely_nodes.full_tree(likely_nodes.cut(shares, width))
        of_size = best[len(tree)]
        full = exact(likely_nodes.tokens(shares, tree))
        rows[f"width_{width}"] = (width, len(tree), full, exact(of_size), exact(of_size / slower))
    return table("sizes", ["guesses_a_head", "nodes", "full_tree", column("best", "Best tree"), "its_gain"], rows)
