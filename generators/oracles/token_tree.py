"""Searches a tree of tokens by brute force: all prefixes are listed, and ranks are found by counting what is better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
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


def candidate_cells(
    weights: Weights, scores: Scores, steps: Sequence[Found], shown: Callable[[Fraction], Cell] = lambda score: score
) -> list[dict[str, dict[str, Cell]]]:
    """For every step its candidates, best first: score before the last token, that token's weight, score, rank and fate.

    A candidate that ended at an earlier step has no last token.
    """
    keys = node_keys(weights)
    return [
        {
            keys[one]: {
                "candidate": " ".join(one),
                "before": shown(scores[one[:-1]]) if len(one) == size else None,
                "last_token": shown(weights[one]) if len(one) == size else None,
                "score": shown(scores[one]),
                "rank": rank,
                "track": fate(one, [step]) if size == len(steps) or one not in step.kept else "kept",
            }
            for one, rank in step.ranks.items()
        }
        for size, step in enumerate(steps, 1)
    ]


def ranked_cells(scores: Scores, order: Sequence[Prefix], score: str) -> dict[str, dict[str, Cell]]:
    """Rank, sequence and score, for sequences in their order."""
    return {f"rank_{n}": {"rank": n, "sequence": " ".join(one), score: scores[one]} for n, one in enumerate(order, 1)}


def search_cells(
    name: Cell, scores: Scores, order: Mapping[Prefix, int], steps: Sequence[Found], score: str, gap: Mapping[str, Cell]
) -> dict[str, Cell]:
    """What a search is called, its best sequence with score and rank among all, `gap`, and where the best of all is pruned."""
    one = steps[-1].kept[0]
    found: dict[str, Cell] = {"search": name, "sequence": " ".join(one), score: scores[one], "rank_among_all": order[one]}
    return found | dict(gap) | {"best_pruned_at_step": pruned_at(next(iter(order)), steps)}


def width_cells(scores: Scores, order: Mapping[Prefix, int], widest: int, ties: str, score: str) -> dict[str, dict[str, Cell]]:
    """For each width the best sequence found with score and rank among all, first tokens at the end, candidates scored."""
    rows: dict[str, dict[str, Cell]] = {}
    for width in range(1, widest + 1):
        steps = search(scores, width, ties)
        one = steps[-1].kept[0]
        rows[f"beams_{width}"] = {
            "beams": width,
            "best_sequence_found": " ".join(one),
            score: scores[one],
            "rank_among_all": order[one],
            "distinct_first_tokens": len({sequence[0] for sequence in steps[-1].kept}),
            "candidates_scored": scored(steps),
        }
    return rows
