"""Runs beam search as the pseudo-code prints it, and counts its operations."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from generators.courses.ift6135.a2_q2_decoding import cost
from generators.table import Table, column, table

Model: TypeAlias = Callable[[tuple[int, ...]], list[float]]
"""The log-probability of every word after a prefix."""


def random_model(seed: int, vocabulary_size: int) -> Model:
    """Probabilities drawn anew for each prefix, the same for the same seed."""

    def after(prefix: tuple[int, ...]) -> list[float]:
        draw = Random(f"{seed} {prefix}")
        masses = [1 - draw.random() for _ in range(vocabulary_size)]
        total = math.log(math.fsum(masses))
        return [math.log(mass) - total for mass in masses]

    return after


@dataclass
class Tally:
    """Operations of a run so far, and the most numbers it held at once."""

    scores: int = 0
    comparisons: int = 0
    copied: int = 0
    updated: int = 0
    held: int = 0


@dataclass(eq=False)
class Score:
    """A score with its hypothesis and word; each comparison is tallied, and of equal ones the first is larger."""

    value: float
    hypothesis: float
    word: int
    tally: Tally = field(repr=False)

    def __lt__(self, other: Score) -> bool:
        self.tally.comparisons += 1
        return (self.value, -self.hypothesis, -self.word) < (other.value, -other.hypothesis, -other.word)


Select: TypeAlias = Callable[[list[Score], int], list[Score]]
"""The largest scores, largest first."""


def by_scan(scores: list[Score], width: int) -> list[Score]:
    """Look for the largest of those left, once for each b."""
    left, found = list(scores), []
    for _ in range(width):
        best = left[0]
        for other in left[1:]:
            best = max(best, other)
        left.remove(best)
        found.append(best)
    return found


def by_sort(scores: list[Score], width: int) -> list[Score]:
    """Sort all, take the first."""
    return merge_sort(scores)[:width]


def merge_sort(scores: list[Score]) -> list[Score]:
    """Largest first; both halves sorted, then merged."""
    if len(scores) < 2:
        return scores
    left, right = merge_sort(scores[: len(scores) // 2]), merge_sort(scores[len(scores) // 2 :])
    merged, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] < right[j]:
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return merged + left[i:] + right[j:]


def by_heap(scores: list[Score], width: int) -> list[Score]:
    """Keep the largest so far in a heap, and sort what is left in it."""
    heap = [Score(-math.inf, math.inf, 0, scores[0].tally) for _ in range(width)]
    for score in scores:
        heapq.heappushpop(heap, score)
    return merge_sort(heap)


def counted_run(after: Model, width: int, length: int, select: Select) -> tuple[list[list[int]], Tally]:
    """Run the algorithm line by line; return its sequences, best first, and the tally.

    At the start one hypothesis has log-likelihood 0 and the others none, so that they do not all stay equal.
    """
    tally = Tally()
    words: list[list[int]] = [[-1] for _ in range(width)]  # -1 stands for <BOS>
    logs = [0.0] + [-math.inf] * (width - 1)
    for _ in range(length):
        scores = [Score(logs[b] + log, b, j, tally) for b in range(width) for j, log in enumerate(after(tuple(words[b])))]
        tally.scores += len(scores)
        chosen = select(scores, width)
        saved = [list(words[int(score.hypothesis)]) for score in chosen]
        new_logs = [score.value for score in chosen]
        words = [[*prefix, score.word] for prefix, score in zip(saved, chosen, strict=True)]
        tally.copied += 2 * sum(map(len, saved))
        tally.updated += len(chosen) + len(new_logs)
        tally.held = max(tally.held, len(scores) + len(logs) + len(new_logs) + sum(map(len, saved + words)))
        logs = new_logs
    return words, tally


def runs_table(width: int, length: int, vocabulary_sizes: Sequence[int], seed: int) -> Table:
    """Operations counted in runs on random models, beside what the formulas allow."""
    rows = {}
    for words in vocabulary_sizes:
        model, most = random_model(seed, words), cost.counts(length, width, words)
        scan, sort, heap = (counted_run(model, width, length, select)[1] for select in (by_scan, by_sort, by_heap))
        compared = (scan.comparisons, sort.comparisons, most["sort"], heap.comparisons, most["heap"])
        rows[f"words_{words}"] = (words, scan.scores, *compared, scan.copied, scan.held)
    sort_most, heap_most = column("sort_at_most", "Sort, at most"), column("heap_at_most", "Heap, at most")
    first, last = map(column, ("N", "scores", "scan", "sort")), map(column, ("words_copied", "numbers_held"))
    return table("runs", [*first, sort_most, column("heap"), heap_most, *last], rows)
