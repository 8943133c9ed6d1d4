"""What `params.yml` may say of tree attention."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Params, PositiveInt, RecordedParams, Text, convention

MAX_NODES = 64


class Conventions(Params):
    """How the masks are written."""

    rows: Literal["ancestors", "queries"] = convention(
        "ancestors",
        {
            "ancestors": "Row i of a mask marks with 1 the nodes that attend to node i",
            "queries": "Row i of a mask marks with 1 the nodes that node i attends to",
        },
        "from the course's lectures",
        handed_in=False,
    )
    tokens: Literal["unique", "repeatable"] = convention(
        "unique",
        {
            "unique": "Each token of 2.1 stands in one place of the tree only",
            "repeatable": "A token of 2.1 may stand in several places of the tree",
        },
        handed_in=False,
    )


class Medusa(Params):
    """The original head's token, each Medusa head's ranked guesses, and which of them, or of their combinations, are used.

    `top_k` keeps the first guesses of each head. `choices` keeps some combinations, as Medusa's own lists of choices do: each
    names the place, from 0, of one guess of each head from the first on.
    """

    root: Text
    heads: Annotated[list[Annotated[list[Text], Field(min_length=1, max_length=MAX_NODES)]], Field(min_length=1)]
    top_k: PositiveInt | None = None
    choices: Annotated[list[Annotated[list[int], Field(min_length=1)]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for number, head in enumerate(self.heads, 1):
            if len(set(head)) < len(head):
                raise ValueError(f"heads: head {number} must not repeat a guess (got {head})")
            if self.top_k and len(head) < self.top_k:
                raise ValueError(f"heads: head {number} must have at least top_k = {self.top_k} guesses (got {head})")
        if self.choices is not None:
            _refuse_choices(self.choices, self.heads, self.top_k)
        nodes = level = 1
        for head in self.heads:
            level *= self.top_k or len(head)
            nodes += level
        nodes = nodes if self.choices is None else 1 + len(self.choices)
        if nodes > MAX_NODES:
            raise ValueError(f"the tree must have at most {MAX_NODES} nodes (got {nodes})")
        return self


def _refuse_choices(choices: list[list[int]], heads: list[list[str]], top_k: int | None) -> None:
    if top_k:
        raise ValueError(f"choices: must not stand beside top_k (got top_k: {top_k})")
    for place, choice in enumerate(choices):
        sizes = [len(head) for head in heads[: len(choice)]]
        if len(choice) > len(heads) or not all(0 <= guess < size for guess, size in zip(choice, sizes, strict=True)):
            raise ValueError(f"choices: {choice} must name a guess, from 0, of each head from the first on (got {choice})")
        if choice in choices[:place]:
            raise ValueError(f"choices: must not repeat {choice} (got it twice)")
        if len(choice) > 1 and choice[:-1] not in choices:
            raise ValueError(f"choices: must hold {choice[:-1]}, under which {choice} stands (got {choices})")


class TreeParams(RecordedParams):
    """Candidates of 2.1 and Medusa heads of 2.2."""

    candidates: Annotated[list[list[Text]], Field(min_length=1)]
    medusa: Medusa
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen: dict[tuple[str, ...], int] = {}
        for number, candidate in enumerate(self.candidates, 1):
            if not candidate:
                raise ValueError(f"candidates: sequence {number} must not be empty (got [])")
            if len(candidate) > MAX_NODES:
                raise ValueError(f"candidates: sequence {number} must have at most {MAX_NODES} tokens (got {len(candidate)})")
            first = seen.setdefault(tuple(candidate), number)
            if first != number:
                raise ValueError(f"candidates: sequence {number} must differ from sequence {first} (got {candidate})")
        prefixes = dict.fromkeys(one[:end] for one in seen for end in range(1, len(one) + 1))
        if len(prefixes) > MAX_NODES:
            raise ValueError(f"candidates: the tree must have at most {MAX_NODES} nodes (got {len(prefixes)})")
        if self.conventions.tokens == "unique":
            _refuse_second_place(prefixes)
        return self


def _refuse_second_place(prefixes: dict[tuple[str, ...], None]) -> None:
    parents: dict[str, str] = {}
    for *above, token in prefixes:
        parent = above[-1] if above else "the root"
        if token in parents:
            raise ValueError(
                f"candidates: token {token} must stand in one place while conventions.tokens is unique "
                f"(got it under {parents[token]} and under {parent})"
            )
        parents[token] = parent
