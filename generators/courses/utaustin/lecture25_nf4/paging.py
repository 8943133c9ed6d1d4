"""Optimizer states in pages that leave the accelerator while activations need the room, and come back for the update."""

from __future__ import annotations

from typing import NamedTuple


class Memory(NamedTuple):
    """Bytes: of the accelerator, of what always stays there, of a page; and the number of pages of optimizer states."""

    limit: int
    fixed: int
    page: int
    pages: int


class PagedStep(NamedTuple):
    """One training step: the pages that left, and the most bytes held at once with and without paging."""

    left: int
    peak: int
    peak_without: int


def paged_step(memory: Memory, activations: int) -> PagedStep:
    """Let pages leave, the longest unused first, until activations fit; the update brings all of them back."""
    limit, fixed, page, pages = memory
    left = 0
    while fixed + activations + (pages - left) * page > limit:
        if left == pages:
            raise ValueError(f"activations of {activations} bytes do not fit without any page")
        left += 1
    peak = max(fixed + activations + (pages - left) * page, fixed + pages * page)
    return PagedStep(left, peak, fixed + activations + pages * page)
