"""Nouns beside numbers, as in one token and two tokens, and texts within a line."""

from __future__ import annotations

from fractions import Fraction


def noun(number: int | Fraction, singular: str, plural: str = "") -> str:
    """The form of a noun, or of its verb, that goes with a number; without `plural` an s is added."""
    return singular if number == 1 else plural or f"{singular}s"


def counted(number: int | Fraction, singular: str, plural: str = "") -> str:
    """The number with its noun: 1 token, 0 tokens, 20 tokens."""
    return f"{number} {noun(number, singular, plural)}"


def sentence(text: str) -> str:
    """Text with a capital first letter; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def shortened(text: str, most: int = 60) -> str:
    """A text on one line of marks that can be seen, without its end where it is longer than `most` characters."""
    line = " ".join(text.split())
    line = line if len(line) <= most else f"{line[: most - 3]}..."
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in line)
