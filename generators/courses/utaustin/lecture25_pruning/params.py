"""What `params.yml` may say of pruning."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveInt, Rising, Text, convention

Sparsity = Annotated[Exact, Field(ge=0, lt=1)]
Size = Annotated[int, Field(gt=0, le=2**20)]


class Conventions(Params):
    """What bytes and work rest on."""

    bytes_per_value: Literal[1, 2, 4] = convention(2, ("A weight takes {}", "byte"))
    bytes_per_index: Literal[4, 8] = convention(4, ("An index of the sparse format takes {}", "byte"))
    flops_per_multiply_add: Literal[1, 2] = convention(2, ("A multiply-add counts as {}", "FLOP"))


class Pattern(Params):
    """Of each `group` neighbours, `kept` stay."""

    kept: PositiveInt
    group: Literal[2, 4, 8, 16]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kept >= self.group:
            raise ValueError(f"kept: must be less than the group of {self.group} (got {self.kept})")
        return self


class Layer(Params):
    """The seeded problem that the layer is fitted to."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    n_samples: Annotated[int, Field(gt=0, le=512)]
    n_inputs: Annotated[int, Field(ge=2, le=24)]
    n_outputs: Annotated[int, Field(ge=1, le=12)]
    noise: Annotated[int, Field(ge=0, le=10_000)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.n_samples < 2 * self.n_inputs:
            raise ValueError(f"n_samples: must be at least twice the {self.n_inputs} inputs (got {self.n_samples})")
        return self


class Stored(Params):
    """The large matrix whose bytes and FLOPs are counted."""

    name: Annotated[Text, Field(max_length=60)]
    n_rows: Size
    n_columns: Size
    n_tokens: Size


class PruningParams(Params):
    """The small layer and how it is pruned, and the large matrix."""

    layer: Layer
    pattern: Pattern
    sparsities: Annotated[list[Sparsity], Field(min_length=2, max_length=12), Rising]
    stored: Stored
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        n_inputs, group = self.layer.n_inputs, self.pattern.group
        if n_inputs % group:
            raise ValueError(f"layer.n_inputs: must be a multiple of the pattern's group, {group} (got {n_inputs})")
        if round(self.sparsities[-1] * n_inputs) == n_inputs:
            raise ValueError(f"sparsities: must leave a neuron (got {self.sparsities[-1]})")
        if self.stored.n_columns % group:
            raise ValueError(
                f"stored.n_columns: must be a multiple of the pattern's group, {group} (got {self.stored.n_columns})"
            )
        return self
