"""Which slips scale the whole number, so that a reader may have made such a slip and another at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_SCALING = {
    "count": re.compile("for a multiply-add$"),
    "size": re.compile("for a value$|^of values"),
    "base": re.compile("^with logarithms to base"),
    "unit": re.compile("^in bits$|^of FLOPs for each bit$|^with .B in place of .iB$|^as a share"),
}


def scaling(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The kinds of such slips by their words; each may come with any slip that is not of its kind."""
    said = {words for one in found for _, *all_words in one["slips"] for words in all_words}
    return {words: kind for words in sorted(said) for kind, pattern in _SCALING.items() if pattern.search(words)}
