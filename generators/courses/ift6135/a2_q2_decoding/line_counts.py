"""Counts the work of beam search's pseudo-code in other ways: by ranks, and by paths through a heap; for `find`."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from functools import cmp_to_key, lru_cache
from random import Random
from typing import Any, TypeAlias

Key: TypeAlias = tuple[float, int, int]
"""A score, and its hypothesis and word, both negative, so that of equal scores the first is larger."""


def merge_comparisons(keys: Sequence[Key]) -> tuple[list[Key], int]:
    """Merge sort, largest first: a merge compares once for each key, but not for those left when one half is used up."""
    if len(keys) < 2:
        return list(keys), 0
    middle = len(keys) // 2
    (left, first), (right, second) = merge_comparisons(keys[:middle]), merge_comparisons(keys[middle:])
    longer, end = (right, left[-1]) if left[-1] > right[-1] else (left, right[-1])
    return sorted(keys, reverse=True), first + second + len(keys) - sum(key < end for key in longer)


@lru_cache(maxsize=4096)
def merge_worst(size: int) -> int:
    """Comparisons of the worst order: every merge needs all but one."""
    return 0 if size < 2 else merge_worst(size // 2) + merge_worst(size - size // 2) + size - 1


def heap_worst(size: int) -> int:
    """Comparisons of the worst replacement: over every path from the root to a leaf, siblings met, and the way back up."""

    def below(node: int) -> int:
        children = [child for child in (2 * node + 1, 2 * node + 2) if child < size]
        return max((len(children) - 1 + 1 + below(child) for child in children), default=0)

    return 1 + below(0)


def heap_comparisons(keys: Sequence[Key], width: int) -> tuple[list[Key], int]:
    """Push every key through a heap of `width`; return what is left in it and the comparisons."""
    count = 0

    def compare(one: Key, other: Key) -> int:
        nonlocal count
        count += 1
        return (one > other) - (one < other)

    wrapped: Callable[[Key], Any] = cmp_to_key(compare)
    heap = [wrapped((-math.inf, -width, 0))] * width
    for key in keys:
        heapq.heappushpop(heap, wrapped(key))
    return [one.obj for one in heap], count


def random_log_probabilities(seed: int, words: int, prefix: Sequence[int]) -> list[float]:
    """The random model of the counted runs: masses drawn after seed and prefix, over their sum."""
    generator = Random(f"{seed} {tuple(prefix)}")
    masses = [1 - generator.random() for _ in range(words)]
    return [math.log(mass) - math.log(math.fsum(masses)) for mass in masses]


@lru_cache(maxsize=64)
def run(words: int, width: int, length: int, seed: int) -> dict[str, int]:
    """One run of the algorithm, and what each of the selections would compare on its scores."""
    sequences, logs = [[-1]] * width, [0.0, *[-math.inf] * (width - 1)]
    tally = dict.fromkeys(("scores", "scan", "sort", "heap", "copied", "updated"), 0)
    for _ in range(length):
        after = [random_log_probabilities(seed, words, sequence) for sequence in sequences]
        keys = [(logs[b] + after[b][j], -b, -j) for b in range(width) for j in range(words)]
        left, compared = heap_comparisons(keys, width)
        order, sorting = merge_comparisons(keys)
        tally["scores"] += len(keys)
        tally["scan"] += sum(len(keys) - taken - 1 for taken in range(width))
        tally["sort"] += sorting
        tally["heap"] += compared + merge_comparisons(left)[1]
        tally["copied"] += 2 * sum(len(sequences[-b]) for _, b, _ in order[:width])
        tally["updated"] += 2 * width
        tally["held"] = len(keys) + 2 * width + sum(2 * len(sequence) + 1 for sequence in sequences)
        logs = [key[0] for key in order[:width]]
        sequences = [[*sequences[-b], -j] for _, b, j in order[:width]]
    return tally


def levels(size: int) -> int:
    """How often a list is halved until single items are left."""
    return 0 if size < 2 else 1 + levels(size - size // 2)


@lru_cache(maxsize=256)
def line_by_line(length: int, width: int, words: int) -> dict[str, int]:
    """The count of every line, added up hypothesis by hypothesis within a step, then step by step."""
    steps, hypotheses = range(1, length + 1), range(1, width + 1)
    step = {
        "scores": sum(words for _ in hypotheses),
        "scan": sum(width * words - b for b in hypotheses),
        "sort": merge_worst(width * words),
        "heap": heap_worst(width) * width * words + merge_worst(width),
        "updates": sum(1 + 1 for _ in hypotheses),
    }
    return {
        **{line: sum(count for _ in steps) for line, count in step.items()},
        "copies": sum(width * (t + t) for t in steps),
        "memory": width * words + sum(length + 1 + length + 1 + 1 for _ in hypotheses),
    }
