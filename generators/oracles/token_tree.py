"""Searches a tree of tokens by brute force: all prefixes are listed, and ranks are found by counting what is better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from generators.cells import Cell

Prefix: TypeAlias = tuple[str, ...]
Weights: TypeAlias = Mapping[Prefix, Fraction]
"""What a parameter file says of every prefix's last token, as a reader meets them from left to right."""
Scores: TypeAlias = Mapping[Prefix, Fraction]
"""The score of every prefix in the same order, behind that of the empty one."""
FLOAT32_MARGIN = 1e-5
"""Relative or absolute; sums of a few log-probabilities in float32 lie a hundred times closer to the true ones."""


def weights_of(tree: Mapping[str, Any], name: str) -> dict[Prefix, Fraction]:
    """The number called `name` of every branch."""
    found: dict[Prefix, Fraction] = {}
    waiting: list[tuple[Prefix, Any]] = [((token,), branch) for token, branch in reversed(list(tree.items()))]
    while waiting:
        prefix, branch = waiting.pop()
        found[prefix] = getattr(branch, name)
        waiting += [((*prefix, token), below) for token, below in reversed(list(branch.next.items()))]
    return found


def along(weights: Weights, prefix: Prefix) -> list[Fraction]:
    """The weights on the path to a prefix."""
    return [weights[prefix[:end]] for end in range(1, len(prefix) + 1)]


def length(scores: Scores) -> int:
    """Tokens of the longest sequence."""
    return max(map(len, scores))


def complete(scores: Iterable[Prefix]) -> list[Prefix]:
    """All sequences that begin no other, from left to right."""
    prefixes = list(scores)
    begun = {prefix[:-1] for prefix in prefixes if prefix}
    return [prefix for prefix in prefixes if prefix not in begun]


def ranks(scores: Scores, among: Sequence[Prefix], ties: str) -> dict[Prefix, int]:
    """Best first: each goes in where the first worse one stands, as the tree is read from the side that ties prefer."""
    order: list[Prefix] = []
    for one in among if ties == "first" else reversed(among):
        order.insert(sum(scores[other] >= scores[one] for other in order), one)
    return {one: rank for rank, one in enumerate(order, 1)}


@dataclass(frozen=True)
class Found:
    """The candidates of one step with their ranks, best first, and how many may be kept."""

    ranks: Mapping[Prefix, int]
    width: int

    @property
    def kept(self) -> list[Prefix]:
        """Best first."""
        return list(self.ranks)[: self.width]


def search(scores: Scores, width: int, ties: str) -> list[Found]:
    """Beam search by filtering all prefixes for those of a length whose beginning was kept, and for kept ones that have ended."""
    kept: list[Prefix] = [()]
    steps: list[Found] = []
    ended = complete(scores)
    while not all(prefix in ended for prefix in kept):
        size = len(steps) + 1
        goes_on = [prefix for prefix in scores if len(prefix) == size and prefix[:-1] in kept]
        among = [prefix for prefix in scores if prefix in goes_on or (prefix in kept and prefix in ended)]
        steps.append(Found(ranks(scores, among, ties), width))
        kept = steps[-1].kept
    return steps


def smallest_width(scores: Scores, ties: str) -> int:
    """The first width, counted up from 1, that ends with the highest score of all complete sequences."""
    highest = max(scores[one] for one in complete(scores))
    return next(
        width for width in range(1, len(scores)) if highest in [scores[one] for one in search(scores, width, ties)[-1].kept]
    )


def decided_steps(logs: Mapping[Prefix, Fraction] | Mapping[Prefix, float], steps: Sequence[Found]) -> int:
    """How many steps precede the first whose last kept and first pruned candidate a search in float32 may not tell apart.

    A step that keeps what never happens is not decided either: such a candidate ranks below any that takes no part.
    """
    for number, step in enumerate(steps):
        cut = [float(logs[one]) for one in list(step.ranks)[step.width - 1 : step.width + 1]]
        never = any(float(logs[one]) == -math.inf for one in step.kept)
        if never or (len(cut) == 2 and too_close(*cut)):
            return number
    return len(steps)


def settled(logs: Mapping[Prefix, Fraction] | Mapping[Prefix, float], steps: Sequence[Found]) -> bool:
    """Whether a search in float32 must end with these scores: the last cut may be open where no candidate goes on."""
    ended = complete(logs)
    return decided_steps(logs, steps) >= len(steps) - all(one in ended for one in steps[-1].ranks)


def too_close(one: float, other: float) -> bool:
    """Whether float32 may take one log-probability for the other."""
    return math.isclose(one, other, rel_tol=FLOAT32_MARGIN, abs_tol=FLOAT32_MARGIN)


def fate(prefix: Prefix, steps: Sequence[Found]) -> str:
    """What became of a prefix at the last step that ranks it."""
    ranked = [step for step in steps if prefix in step.ranks]
    if not ranked:
        return "not scored"
    if prefix not in ranked[-1].kept:
        return "pruned"
    return "final" if ranked[-1] is steps[-1] else "kept"


def pruned_at(sequence: Prefix, steps: Sequence[Found]) -> int | None:
    """The step, from 1, whose kept prefixes are the first without the beginning of `sequence`."""
    lost = [sequence[:size] not in step.kept for size, step in enumerate(steps, 1)]
    return lost.index(True) + 1 if True in lost else None


def scored(steps: Sequence[Found]) -> int:
    """How many different prefixes a search ranks."""
    return len({prefix for step in steps for prefix in step.ranks})


def node_keys(weights: Weights) -> dict[Prefix, str]:
    """The row of every prefix, numbered as a reader meets them."""
    return {prefix: f"node_{list(weights).index(prefix) + 1}" for prefix in weights}


def tree_cells(weights: Weights, steps: Sequence[Found], weight: str) -> dict[str, dict[str, Cell]]:
    """Last token, row of the parent, depth, weight and fate of every prefix."""
    keys = node_keys(weights)
    return {
        keys[prefix]: {
            "token": prefix[-1],
            "parent": keys[prefix[:-1]] if prefix[1:] else None,
            "depth": len(prefix),
            weight: weights[prefix],
            "track": fate(prefix, steps),
        }
        for prefix in keys
    }
