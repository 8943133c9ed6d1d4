"""The tree of Medusa's guesses: how likely each node is reached, and which nodes are worth checking.

Head k guesses the token k places after the next one. Source: Cai et al. 2024, arXiv 2401.10774.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

import sympy

from generators.topics.prefix_tree import Tree

Shares = Sequence[Sequence[Fraction]]
"""For each head, the probability that its first, second ... guess is right, if all tokens before are."""


def hit_rates(shares: Shares, width: int) -> list[Fraction]:
    """For each head, the probability that one of its first `width` guesses is right."""
    return [sum(head[:width], Fraction(0)) for head in shares]


def rate_symbols(n_heads: int) -> tuple[sympy.Symbol, ...]:
    """One hit rate a head."""
    return tuple(sympy.Symbol(f"a_{k}", positive=True) for k in range(1, n_heads + 1))


def expected_tokens(rates: Sequence[sympy.Symbol]) -> sympy.Expr:
    """Tokens a step gives with all combinations of guesses: the root, and head k's where all heads up to k are right."""
    return 1 + sum(sympy.prod(rates[:k]) for k in range(1, len(rates) + 1))


def reach(tree: Tree, shares: Shares, guesses: Sequence[Sequence[str]]) -> list[Fraction]:
    """For each node, the probability that it and all nodes above it are right; the root always is."""
    found: list[Fraction] = []
    for node in tree:
        if node.parent is None:
            found.append(Fraction(1))
        else:
            head = node.depth - 1
            found.append(found[node.parent] * shares[head][guesses[head].index(node.token)])
    return found


def by_reach(reached: Sequence[Fraction]) -> list[int]:
    """Nodes with the likeliest first, of equals those further up and to the left; every cut leaves a tree.

    A node is never likelier than its parent, which stands before it, so that the first n nodes are the best tree of n.
    """
    return sorted(range(len(reached)), key=lambda node: (-reached[node], node))


def best_tokens(reached: Sequence[Fraction]) -> list[Fraction]:
    """Expected tokens a step with the best tree of 0, 1, 2 ... nodes below the root."""
    return list(accumulate(reached[node] for node in by_reach(reached)))
