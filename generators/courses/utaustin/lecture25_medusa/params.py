"""What `params.yml` may say of Medusa heads."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveInt, Text

MAX_NODES = 400
MAX_HEADS = 6
Share = Annotated[Exact, Field(gt=0, lt=1)]


class Conventions(Params):
    """What the sizes rest on."""

    head_bias: bool = Field(False, description="whether the first matrix of a head has a bias")
    bytes_per_value: int = Field(2, ge=1, le=8, description="bytes of one value (2 is FP16)")
    flops_per_multiply_add: int = Field(2, ge=1, le=2, description="FLOPs counted for one multiply-add")


class Model(Params):
    """The model the heads stand on."""

    name: Text
    n_layers: PositiveInt
    d_model: PositiveInt
    d_ff: PositiveInt
    vocabulary_size: PositiveInt


class Head(Params):
    """A head's guesses, best first, and how often each is right if all tokens before are."""

    guesses: Annotated[list[Text], Field(min_length=1)]
    accuracies: list[Share]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.guesses)) < len(self.guesses):
            raise ValueError(f"guesses: must not repeat a token (got {self.guesses})")
        if len(self.accuracies) != len(self.guesses):
            raise ValueError(f"accuracies: must be as many as guesses (got {len(self.accuracies)})")
        if self.accuracies != sorted(self.accuracies, reverse=True):
            raise ValueError(f"accuracies: must not rise from one guess to the next (got {_listed(self.accuracies)})")
        if sum(self.accuracies) > 1:
            raise ValueError(f"accuracies: must not sum to more than 1 (got {sum(self.accuracies)})")
        return self


def _listed(numbers: Sequence[Fraction]) -> str:
    return ", ".join(map(str, numbers))


class MedusaParams(Params):
    """The model, the token of its own head, the Medusa heads, and how many nodes the pruned tree has below the root."""

    model: Model
    root: Text
    heads: Annotated[list[Head], Field(min_length=1, max_length=MAX_HEADS)]
    n_nodes: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        width = len(self.heads[0].guesses)
        for number, head in enumerate(self.heads, 1):
            if len(head.guesses) != width:
                raise ValueError(f"heads: head {number} must have {width} guesses like head 1 (got {len(head.guesses)})")
        nodes = sum(width**depth for depth in range(1, len(self.heads) + 1))
        if nodes > MAX_NODES:
            raise ValueError(f"heads: the full tree must have at most {MAX_NODES} nodes below the root (got {nodes})")
        if self.n_nodes > nodes:
            raise ValueError(f"n_nodes: must be at most the {nodes} nodes of the full tree (got {self.n_nodes})")
        return self
