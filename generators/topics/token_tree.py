"""A tree of tokens as a parameter file holds it: how likely each token is after those that precede it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from generators.params import Exact, Params, Text

Sequence: TypeAlias = tuple[str, ...]
Tree: TypeAlias = Mapping[Sequence, Fraction]
"""The weight of the last token of every prefix: parents first, siblings in the order of the file."""

MAX_TOKENS = 128
MAX_SEQUENCES = 32
Token = Annotated[Text, Field(max_length=16)]


class LogBranch(Params):
    """A token's log-probability after what precedes it and what may follow it; a bare number is a last token."""

    log_p: Annotated[Exact, Field(le=0)]
    next: dict[Token, LogBranch] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _last(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | LogBranch) else {"log_p": value}


def _bounded(tree: Any) -> Any:
    """Refuse a huge tree before anything is built of it; YAML aliases can make one of a few lines."""
    waiting, met = [tree], 0
    while waiting:
        one = waiting.pop()
        met += 1
        if met > 3 * MAX_TOKENS + 1:  # a token is at most a mapping, its number, and the mapping of what follows
            raise ValueError(f"must have at most {MAX_TOKENS} tokens (got more)")
        if isinstance(one, Mapping):
            waiting += one.values()
    return tree


LogProbabilityTree = Annotated[dict[Token, LogBranch], Field(min_length=1), BeforeValidator(_bounded)]


def flattened(tree: Mapping[str, Any], weight: str, prefix: Sequence = ()) -> Tree:
    """Every prefix of the tree with the number called `weight` of its last token's branch."""
    flat: dict[Sequence, Fraction] = {}
    for token, branch in tree.items():
        flat[(*prefix, token)] = getattr(branch, weight)
        flat |= flattened(branch.next, weight, (*prefix, token))
    return flat


def followers(tree: Tree) -> dict[Sequence, list[Sequence]]:
    """The prefixes one token longer than each prefix that goes on, from the empty one down."""
    below: dict[Sequence, list[Sequence]] = {}
    for prefix in tree:
        below.setdefault(prefix[:-1], []).append(prefix)
    return below


def complete_sequences(tree: Tree) -> list[Sequence]:
    """The prefixes that nothing follows, in the order of the tree."""
    below = followers(tree)
    return [prefix for prefix in tree if prefix not in below]


def check_shape(tree: Tree) -> None:
    """Refuse a tree whose sequences differ in length, or that has too many to enumerate and to draw."""
    complete = complete_sequences(tree)
    lengths = sorted({len(sequence) for sequence in complete})
    if len(lengths) > 1:
        raise ValueError(f"tree: every sequence must have the same length (got {lengths[0]} and {lengths[-1]})")
    if len(complete) > MAX_SEQUENCES:
        raise ValueError(f"tree: must have at most {MAX_SEQUENCES} sequences to be enumerated and drawn (got {len(complete)})")


def place(prefix: Sequence) -> str:
    """Where siblings stand, for messages."""
    return f"after {' '.join(prefix)!r}" if prefix else "at the root"


def decimal(number: Fraction) -> str:
    """A fraction as decimals, for messages."""
    return str(Decimal(number.numerator) / Decimal(number.denominator))
