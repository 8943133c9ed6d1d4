"""The tree of Medusa's guesses: how likely each node is reached, and which nodes give the most tokens.

Head i guesses the token i places after the next one. Source: Cai et al. 2024, arXiv 2401.10774.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from math import prod

Shares = Sequence[Sequence[Fraction]]
"""For each head, the probability that its first, second ... guess is right, if all tokens before are."""
Path = tuple[int, ...]
"""A node below the root: the guess that each head down to it contributes, from 0."""


def cut(shares: Shares, width: int) -> Shares:
    """The first `width` guesses of each head, or all where it has fewer."""
    return [head[:width] for head in shares]


def full_tree(shares: Shares) -> list[Path]:
    """Every guess of a head under every guess of the head before, level by level."""
    level: list[Path] = [()]
    found: list[Path] = []
    for head in shares:
        level = [(*path, rank) for path in level for rank in range(len(head))]
        found += level
    return found


def reached(shares: Shares, path: Path) -> Fraction:
    """The probability that a node and all nodes above it are right."""
    return prod((shares[head][rank] for head, rank in enumerate(path)), start=Fraction(1))


def tokens(shares: Shares, tree: Collection[Path]) -> Fraction:
    """Expected tokens a step: the root's, and each node's where it and all above it are right."""
    return 1 + sum((reached(shares, path) for path in tree), Fraction(0))


def by_reach(shares: Shares) -> list[Path]:
    """All nodes with the likeliest first, of equals those further up and to the left; every cut leaves a tree.

    A node is never likelier than its parent, which stands before it, so that the first n nodes are the best tree of n.
    """
    return sorted(full_tree(shares), key=lambda path: -reached(shares, path))
