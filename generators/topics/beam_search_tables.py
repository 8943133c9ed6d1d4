"""A beam search as data of an answer: the tree with the fate of every node."""

from __future__ import annotations

from generators.pipeline.wording import counted
from generators.table import Column, Table, table
from generators.topics.beam_search import Track, fates
from generators.topics.token_tree import Sequence, Tree


def written(sequence: Sequence) -> str:
    """A sequence's tokens with spaces between them."""
    return " ".join(sequence)


def in_words(num_beams: int) -> str:
    """1 beam, 2 beams."""
    return counted(num_beams, "beam")


def node_keys(tree: Tree) -> dict[Sequence, str]:
    """The key of each prefix's row: nodes are numbered in the order of the tree."""
    return {prefix: f"node_{number}" for number, prefix in enumerate(tree, 1)}


def tree_table(tree: Tree, track: Track, weight: Column) -> Table:
    """Every prefix with its last token, the row of its parent, its depth, its weight and its fate, for the picture asked for."""
    keys, fate = node_keys(tree), fates(tree, track)
    rows = {keys[prefix]: (prefix[-1], keys.get(prefix[:-1]), len(prefix), value, fate[prefix]) for prefix, value in tree.items()}
    return table("tree", ["token", "parent", "depth", weight, "track"], rows, asked=True, drawn=True)
