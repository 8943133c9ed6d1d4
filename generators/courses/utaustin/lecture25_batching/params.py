"""What `params.yml` may say of batching."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Params, PositiveExact, PositiveInt, Text


class Conventions(Params):
    """What the numbers rest on."""

    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")
    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one weight, key or value (2 is FP16)")


class Model(Params):
    """A decoder whose heads all have keys and values of their own."""

    n_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    vocabulary_size: PositiveInt


class Accelerator(Params):
    """Peak figures as the source states them; memory in units of 10^9 bytes."""

    name: Text
    peak_tflops: PositiveExact
    bandwidth_gb_per_s: PositiveExact
    memory_gb: PositiveExact
    source: Text


class BatchingParams(Params):
    """The model, the batch sizes, the cached tokens of each sequence, and the accelerator."""

    model: Model
    context_len: PositiveInt
    other_context_lens: Annotated[list[PositiveInt], Field(max_length=4)]
    batch_sizes: Annotated[list[PositiveInt], Field(min_length=2, max_length=12)]
    accelerator: Accelerator
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        model = self.model
        if model.d_model % model.n_heads:
            raise ValueError(f"model: d_model must be divisible by n_heads (got {model.d_model} and {model.n_heads})")
        if self.batch_sizes != sorted(set(self.batch_sizes)) or self.batch_sizes[0] != 1:
            raise ValueError(f"batch_sizes: must begin with 1 and rise (got {self.batch_sizes})")
        lengths = [self.context_len, *self.other_context_lens]
        if len(set(lengths)) < len(lengths):
            raise ValueError(f"other_context_lens: must differ from context_len and each other (got {self.other_context_lens})")
        weights = 12 * model.n_layers * model.d_model**2 + model.d_model * model.vocabulary_size
        memory = self.accelerator.memory_gb * 10**9 / self.conventions.bytes_per_element
        for length in sorted(lengths):
            if weights + 2 * model.n_layers * model.d_model * length > memory:
                raise ValueError(
                    f"accelerator: memory_gb must hold the weights and one sequence of {length} token{'s' * (length > 1)} "
                    f"(got {self.accelerator.memory_gb})"
                )
        return self
