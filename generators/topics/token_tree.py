"""A tree of tokens: how likely each token is after those that precede it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeAlias

Sequence: TypeAlias = tuple[str, ...]
Tree: TypeAlias = Mapping[Sequence, Fraction]
"""The weight of the last token of every prefix: parents first, siblings in the order of the file."""


def flattened(tree: Mapping[str, Any], weight: str, prefix: Sequence = ()) -> Tree:
    """Every prefix of the tree with the number called `weight` of its last token's branch."""
    flat: dict[Sequence, Fraction] = {}
    for token, branch in tree.items():
        flat[(*prefix, token)] = getattr(branch, weight)
        flat |= flattened(branch.next, weight, (*prefix, token))
    return flat


def followers(tree: Tree) -> dict[Sequence, list[Sequence]]:
    """The prefixes one token longer than each prefix that goes on, from the empty one down."""
    below: dict[Sequence, list[Sequence]] = {}
    for prefix in tree:
        below.setdefault(prefix[:-1], []).append(prefix)
    return below


def same_length(tree: Tree) -> bool:
    """Whether all sequences end after equally many tokens."""
    return len(set(map(len, complete_sequences(tree)))) == 1


def complete_sequences(tree: Tree) -> list[Sequence]:
    """The prefixes that nothing follows, in the order of the tree."""
    below = followers(tree)
    return [prefix for prefix in tree if prefix not in below]
