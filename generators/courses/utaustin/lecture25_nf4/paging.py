"""Optimizer states in pages that leave the accelerator while activations need the room, and come back for the update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """Bytes: of the accelerator, of what always stays there, of a page; and the number of pages of optimizer states."""

    limit: int
    fixed: int
    page: int
    pages: int


@dataclass(frozen=True)
class PagedStep:
    """One training step: activations, the pages that left, and the most bytes held at once with and without paging."""

    activations: int
    left: tuple[int, ...]
    peak: int
    peak_without: int


def paged_steps(memory: Memory, activations: Sequence[int]) -> list[PagedStep]:
    """Run training steps: pages leave, the longest unused first, until activations fit; the update uses all in order."""
    resident = list(range(memory.pages))  # from the longest unused on
    steps = []
    for needed in activations:
        left: list[int] = []
        while resident and memory.fixed + needed + len(resident) * memory.page > memory.limit:
            left.append(resident.pop(0))
        if memory.fixed + needed + len(resident) * memory.page > memory.limit:
            raise ValueError(f"activations of {needed} bytes do not fit without any page")
        peak = max(memory.fixed + needed + len(resident) * memory.page, memory.fixed + memory.pages * memory.page)
        steps.append(PagedStep(needed, tuple(left), peak, memory.fixed + needed + memory.pages * memory.page))
        resident = list(range(memory.pages))
    return steps


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers as runs, such as 0–3, 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)
