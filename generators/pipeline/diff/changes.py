"""Compares two snapshots address by address, and counts what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from generators.pipeline.diff.snapshot import KINDS, PAGES, PDF, TITLE, Snapshot
from generators.pipeline.wording import counted


@dataclass(frozen=True)
class Change:
    """What stood at an address of a question or file, and what stands there now; None is nothing."""

    place: str
    address: str
    kind: str
    old: str | None
    new: str | None


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """All that differs, in the order of `after`; what was removed comes last in its place, and removed places last of all."""
    found = []
    for place in dict.fromkeys([*after, *before]):
        old, new = before.get(place, {}), after.get(place, {})
        for address in dict.fromkeys([*new, *old]):
            one, other = old.get(address), new.get(address)
            texts = one and one.text, other and other.text
            if texts[0] != texts[1]:
                found.append(Change(place, address, (other or one).kind, *texts))  # type: ignore[union-attr]
    return found


def whole(ones: Sequence[Change]) -> dict[str, str]:
    """Questions and PDFs of which everything is new or was removed, each with the words for it: "new question"."""
    nouns = {TITLE: "question", PAGES: PDF}
    heads = [one for one in ones if one.address in nouns and None in (one.old, one.new)]
    return {one.place: f"{'new' if one.old is None else 'removed'} {nouns[one.address]}" for one in heads}


def summary(ones: Sequence[Change]) -> str:
    """How many of each kind changed: "3 values, 1 figure, 1 PDF"; what is new or removed as a whole counts as one."""
    of_whole = whole(ones)
    told = Counter(of_whole.values())
    told.update(one.kind for one in ones if one.place not in of_whole and one.kind != PDF)
    told[PDF] = len({one.place for one in ones if one.kind == PDF} - of_whole.keys())
    return ", ".join(counted(told[noun], noun) for noun in (*dict.fromkeys(of_whole.values()), *KINDS) if told[noun])
