"""What `params.yml` may say of Medusa heads."""

from __future__ import annotations

from math import prod
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveInt, Text, Token, WithHeads, convention

MAX_NODES = 400
Share = Annotated[Exact, Field(gt=0, lt=1)]


class Conventions(Params):
    """What the sizes rest on."""

    head_bias: bool = convention(
        False, {True: "The first matrix of a head has a bias", False: "The first matrix of a head has no bias"}
    )
    bytes_per_value: Literal[1, 2, 4] = convention(2, ("A value takes {}", "byte"))
    flops_per_multiply_add: Literal[1, 2] = convention(2, ("A multiply-add counts as {}", "FLOP"))


class Model(WithHeads):
    """The model the heads stand on; without the optional sizes every attention head has keys and values of its own."""

    name: Text
    n_layers: Annotated[int, Field(ge=1, le=1024)]
    d_model: PositiveInt
    n_heads: PositiveInt
    n_kv_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    d_ff: PositiveInt
    vocabulary_size: PositiveInt


class Head(Params):
    """A head's guesses, best first, and how often each is right if all tokens before are."""

    guesses: Annotated[list[Token], Field(min_length=1, max_length=32)]
    accuracies: list[Share]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.guesses)) < len(self.guesses):
            raise ValueError(f"guesses: must not repeat a token (got {self.guesses})")
        if len(self.accuracies) != len(self.guesses):
            raise ValueError(f"accuracies: must be as many as guesses (got {len(self.accuracies)})")
        if self.accuracies != sorted(self.accuracies, reverse=True):
            raise ValueError(f"accuracies: must not rise from one guess to the next (got {', '.join(map(str, self.accuracies))})")
        if sum(self.accuracies) > 1:
            raise ValueError(f"accuracies: must not sum to more than 1 (got {sum(self.accuracies)})")
        return self


class MedusaParams(Params):
    """The model, the token of its own head, the Medusa heads, and the nodes of the pruned tree below the root.

    `choices` may give a sparse tree as Medusa's code writes it: for each node the numbers of its guesses, from 0.
    """

    model: Model
    root: Token
    heads: Annotated[list[Head], Field(min_length=1, max_length=6)]
    n_nodes: Annotated[int, Field(ge=1, le=64)]
    choices: Annotated[list[list[int]], Field(min_length=1, max_length=64)] | None = None
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        widths = [len(head.guesses) for head in self.heads]
        nodes = sum(prod(widths[:depth]) for depth in range(1, len(widths) + 1))
        if nodes > MAX_NODES:
            raise ValueError(f"heads: the full tree must have at most {MAX_NODES} nodes below the root (got {nodes})")
        if self.n_nodes > nodes:
            raise ValueError(f"n_nodes: must be at most the nodes of the full tree, {nodes} (got {self.n_nodes})")
        chosen = self.choices or []
        for path in chosen:
            if chosen.count(path) > 1:
                raise ValueError(f"choices: must not repeat a node (got {path})")
            if not 0 < len(path) <= len(widths) or not all(0 <= rank < widths[k] for k, rank in enumerate(path)):
                raise ValueError(f"choices: a node must name one guess of each head down to it, counted from 0 (got {path})")
            if path[1:] and path[:-1] not in chosen:
                raise ValueError(f"choices: the node above each node must be chosen too (got {path})")
        return self
