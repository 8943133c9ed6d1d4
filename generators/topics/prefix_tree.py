"""A tree of tokens: from candidate sequences or Medusa heads, its order, ancestors and attention mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A token in its place: its parent's position in the tree, and how many tokens stand above it."""

    token: str
    parent: int | None
    depth: int


Tree = tuple[Node, ...]
"""Nodes in an order in which parents come first."""


def tree_of_sequences(sequences: Sequence[Sequence[str]]) -> Tree:
    """Merge equal prefixes; nodes stand depth first, children in the order in which they first occur."""
    children: dict[tuple[str, ...], list[str]] = {(): []}
    for sequence in sequences:
        for prefix in (tuple(sequence[:end]) for end in range(1, len(sequence) + 1)):
            if prefix not in children:
                children[prefix] = []
                children[prefix[:-1]].append(prefix[-1])
    nodes: list[Node] = []

    def visit(prefix: tuple[str, ...], parent: int | None) -> None:
        for token in children[prefix]:
            nodes.append(Node(token, parent, len(prefix)))
            visit((*prefix, token), len(nodes) - 1)

    visit((), None)
    return tuple(nodes)


def tree_of_heads(root: str, guesses: Sequence[Sequence[str]]) -> Tree:
    """Repeat each head's guesses under every node of the level above; nodes stand level by level."""
    nodes = [Node(root, None, 0)]
    level = [0]
    for depth, head in enumerate(guesses, 1):
        below = []
        for parent in level:
            for token in head:
                below.append(len(nodes))
                nodes.append(Node(token, parent, depth))
        level = below
    return tuple(nodes)


def tree_of_choices(root: str, heads: Sequence[Sequence[str]], choices: Sequence[Sequence[int]]) -> Tree:
    """Below the root a node for each choice, which names by places from 0 its own guess and those above it; level by level."""
    ordered = sorted(map(tuple, choices), key=lambda choice: (len(choice), choice))
    places: dict[tuple[int, ...], int] = {(): 0} | {choice: place for place, choice in enumerate(ordered, 1)}
    below = (Node(heads[len(choice) - 1][choice[-1]], places[choice[:-1]], len(choice)) for choice in ordered)
    return (Node(root, None, 0), *below)


def tree_of_guesses(
    root: str, heads: Sequence[Sequence[str]], top_k: int | None, choices: Sequence[Sequence[int]] | None
) -> Tree:
    """The tree of the first `top_k` guesses of each head, or all: every combination, or those that `choices` names."""
    used = [head[:top_k] for head in heads]
    return tree_of_choices(root, used, choices) if choices else tree_of_heads(root, used)


def path(tree: Tree, node: int) -> tuple[int, ...]:
    """Positions from the root down to `node`, both included."""
    parent = tree[node].parent
    return (node,) if parent is None else (*path(tree, parent), node)


def leaves(tree: Tree) -> tuple[int, ...]:
    """Positions of nodes without children."""
    parents = {node.parent for node in tree}
    return tuple(i for i in range(len(tree)) if i not in parents)


def ancestor_mask(tree: Tree) -> tuple[tuple[int, ...], ...]:
    """M[i][j] = 1 exactly when node i is node j or an ancestor of it: upper triangular, as parents come first."""
    above = [set(path(tree, j)) for j in range(len(tree))]
    return tuple(tuple(int(i in above[j]) for j in range(len(tree))) for i in range(len(tree)))
