"""The kinds of parameters that entries of params.yml may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PrivateAttr, model_validator

from generators.glyphs import first_unshown
from generators.recording import Recording


class Params(BaseModel):
    """Validated parameters of a question; unknown keys and loose types are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)

    def __hash__(self) -> int:
        """Lists among the fields have no hash of their own."""
        return hash(repr(self))


def convention(
    default: Any,
    says: Mapping[Any, str] | tuple[str, str],
    fixed_by: str = "our choice",
    *,
    handed_in: bool = True,
    **limits: int,
) -> Any:
    """A field that says how one counts or reads: a sentence for each value, or one with a gap for a number of things.

    `fixed_by` says what the default rests on, as "from the course's lectures".
    What is `handed_in` leaves the sentence out where the working says the same, or nothing that is printed rests on it.
    """
    return Field(default, json_schema_extra={"says": says, "fixed_by": fixed_by, "handed_in": handed_in}, **limits)  # type: ignore[call-overload]


def check_heads(d_model: int, n_heads: int, n_kv_heads: int | None = None, head_dim: int | None = None) -> None:
    """Raise ValueError unless heads divide the width of a model that they share, and heads of keys and values divide them."""
    if head_dim is None and d_model % n_heads:
        raise ValueError(f"d_model: must be divisible by n_heads (got {d_model} and {n_heads})")
    if n_kv_heads and n_heads % n_kv_heads:
        raise ValueError(f"n_heads: must be divisible by n_kv_heads (got {n_heads} and {n_kv_heads})")


class WithHeads(Params):
    """A model whose heads must fit its width, with fields `d_model`, `n_heads`, `n_kv_heads` and `head_dim`."""

    @model_validator(mode="after")
    def _heads_fit(self: Any) -> Any:
        check_heads(self.d_model, self.n_heads, self.n_kv_heads, self.head_dim)
        return self


class RecordedParams(Params):
    """Parameters of an answer that shows recordings; those that fit the entry stand beside it, not in it."""

    _measured: Mapping[str, Mapping[str, Recording]] = PrivateAttr(default_factory=dict)

    @property
    def measured(self) -> Mapping[str, Mapping[str, Recording]]:
        """The recordings that fit the entry by kind of device, `cuda` or `cpu`, and name."""
        return self._measured


_FRACTION = re.compile(r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]+|/[0-9]{1,40})?")


def _as_fraction(value: Any) -> Fraction:
    """Read 0.2 as 1/5: YAML's decimal text, not the nearest binary float."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")
    if not _FRACTION.fullmatch(str(value)):
        raise ValueError("must be a finite number")
    if re.search(r"[eE][+-]?0*[1-9][0-9]{2}", str(value)):
        raise ValueError("must have an exponent of at most two digits")
    try:
        return Fraction(str(value))
    except ZeroDivisionError:
        raise ValueError("must be a finite number") from None


Exact = Annotated[
    Fraction,
    BeforeValidator(_as_fraction),
    PlainSerializer(str, return_type=str, when_used="json"),
]
"""A decimal or fraction from YAML, kept exact."""


def _at_least(number: Fraction) -> Fraction:
    if number < Fraction(1, 10**15):
        raise ValueError("must be greater than or equal to 1e-15")
    return number


PositiveExact = Annotated[Exact, Field(gt=0, le=10**15), AfterValidator(_at_least)]
PositiveInt = Annotated[int, Field(gt=0, le=2**40)]


def _rising(numbers: list[Any]) -> list[Any]:
    if numbers != sorted(set(numbers)):
        raise ValueError(f"must rise from each to the next (got {', '.join(map(str, numbers))})")
    return numbers


Rising = AfterValidator(_rising)
"""For a list whose numbers rise from each to the next."""


def _distinct(entries: list[Any]) -> list[Any]:
    if len(set(entries)) < len(entries):
        raise ValueError(f"must not repeat an entry (got {', '.join(map(str, entries))})")
    return entries


Matrix = Literal["query", "key", "value", "output", "up", "down"]
"""The linear layers of a transformer layer: four of attention, two of the feed-forward network."""
Matrices = Annotated[list[Matrix], Field(min_length=1), AfterValidator(_distinct)]
"""Linear layers by name, as those that LoRA stands beside."""
Distinct = AfterValidator(_distinct)
"""For a list without repeated entries."""


def _showable(text: str) -> str:
    """Compose accents with their letters, as é may be typed as two characters; refuse what would print as a box."""
    composed = unicodedata.normalize("NFC", text)
    if not composed.strip():
        raise ValueError(f"must not be blank (got {text!r})")
    mark = first_unshown(composed)
    if mark is not None:
        raise ValueError(
            f"must be one line of characters that pictures and PDFs can show, unlike U+{ord(mark):04X} (got {text!r})"
        )
    return composed


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_showable)]
"""One line of text from a parameter file; it is escaped wherever it is rendered."""


Paragraph = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_showable)]
"""A paragraph of running text from a parameter file."""


MAX_TOKENS, MAX_SEQUENCES = 128, 32
Token = Annotated[Text, Field(max_length=16)]
"""A token of a tree; a branch holds what follows it by token, in `next`."""


def bounded_tree(tree: Any) -> Any:
    """Refuse a huge tree before anything is built of it."""
    waiting, met = [tree], 0
    while waiting:
        one = waiting.pop()
        met += 1
        if met > 3 * MAX_TOKENS + 1:  # a token is at most a mapping, its number, and the mapping of what follows
            raise ValueError(f"must have at most {MAX_TOKENS} tokens (got more)")
        if isinstance(one, Mapping):
            waiting += one.values()
    return tree


def ended() -> Any:
    """The convention that a tree needs whose sequences end after different numbers of tokens."""
    says = {"stays": "A sequence that has ended keeps its score and competes at all later steps"}
    return convention(None, says)


def sequences_of(tree: Mapping[str, Any], ended: str | None) -> int:
    """How many sequences a tree has; refuses several lengths without a rule, and more than can be enumerated and drawn."""
    lengths = sorted(_lengths(tree, 1))
    if lengths[0] != lengths[-1] and not ended:
        said = f"(got {lengths[0]} and {lengths[-1]} tokens)"
        raise ValueError(f"conventions.ended: must be given, as stays, where sequences of the tree have different lengths {said}")
    if len(lengths) > MAX_SEQUENCES:
        raise ValueError(f"tree: must have at most {MAX_SEQUENCES} sequences to be enumerated and drawn (got {len(lengths)})")
    return len(lengths)


def _lengths(tree: Mapping[str, Any], depth: int) -> Iterator[int]:
    for branch in tree.values():
        if branch.next:
            yield from _lengths(branch.next, depth + 1)
        else:
            yield depth


def siblings(below: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All tokens that stand after the same prefix, and where that is, for messages."""
    yield f"after {' '.join(prefix)!r}" if prefix else "at the root", below
    for token, branch in below.items():
        if branch.next:
            yield from siblings(branch.next, (*prefix, token))
