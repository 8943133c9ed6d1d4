"""What `params.yml` may say of tree attention."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Params, PositiveInt, RecordedParams, Text

MAX_NODES = 64


class Conventions(Params):
    """What the masks and the saving rest on."""

    rows: Literal["ancestors", "queries"] = Field("ancestors", description="what a row of the mask stands for")
    tokens: Literal["unique", "repeatable"] = Field("unique", description="whether a token of 2.1 names one node only")
    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one cached key or value element (2 is FP16)")


class Medusa(Params):
    """The original head's token, each Medusa head's ranked guesses, and how many of them are used."""

    root: Text
    heads: Annotated[list[list[Text]], Field(min_length=1)]
    top_k: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for number, head in enumerate(self.heads, 1):
            if len(set(head)) < len(head):
                raise ValueError(f"heads: head {number} must not repeat a guess (got {head})")
            if len(head) < self.top_k:
                raise ValueError(f"heads: head {number} must have at least top_k = {self.top_k} guesses (got {head})")
        nodes = sum(self.top_k**depth for depth in range(len(self.heads) + 1))
        if nodes > MAX_NODES:
            raise ValueError(f"top_k: the tree must have at most {MAX_NODES} nodes (got {nodes})")
        return self


class Model(Params):
    """The model whose key-value cache the saving is stated for."""

    n_layers: Annotated[int, Field(gt=0, le=10_000)]
    d_model: PositiveInt
    context_len: Annotated[int, Field(ge=0)]


class TreeParams(RecordedParams):
    """Candidates of 2.1 and Medusa heads of 2.2."""

    candidates: Annotated[list[list[Text]], Field(min_length=1)]
    medusa: Medusa
    model: Model
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
