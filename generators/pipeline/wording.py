"""Nouns beside numbers: one token, two tokens."""

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
