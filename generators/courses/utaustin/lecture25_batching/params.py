"""What `params.yml` may say of batching."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Distinct, Exact, Params, PositiveInt, Text, WithHeads, convention

Length = Annotated[int, Field(ge=1, le=2**24)]
Width = Annotated[int, Field(ge=64, le=2**20)]


class Conventions(Params):
    """What the numbers rest on."""

    flops_per_multiply_add: Literal[1, 2] = convention(2, ("A multiply-add counts as {}", "FLOP"))
    bytes_per_element: Literal[2, 4] = convention(2, ("A weight, key or value takes {}", "byte"))


class Model(WithHeads):
    """A decoder; without the optional sizes all heads have keys and values of their own, and share or multiply its width."""

    n_layers: Annotated[int, Field(ge=1, le=1024)]
    d_model: Width
    n_heads: Annotated[int, Field(ge=1, le=1024)]
    n_kv_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    d_ff: PositiveInt | None = None
    vocabulary_size: Width


class Accelerator(Params):
    """Peak figures as the source states them; memory in units of 10^9 bytes."""

    name: Text
    peak_tflops: Annotated[Exact, Field(ge=Fraction(1, 1000), le=10**4)]
    bandwidth_gb_per_s: Annotated[Exact, Field(ge=1, le=10**5)]
    memory_gb: Annotated[Exact, Field(gt=0, le=10**6)]
    source: Text


class BatchingParams(Params):
    """The model, the batch sizes, the cached tokens of each sequence, and the accelerator."""

    model: Model
    context_len: Length
    other_context_lens: Annotated[list[Length], Field(max_length=4), Distinct]
    batch_sizes: Annotated[list[PositiveInt], Field(min_length=1, max_length=12)]
    accelerator: Accelerator
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.batch_sizes != sorted(set(self.batch_sizes)) or self.batch_sizes[0] != 1:
            raise ValueError(f"batch_sizes: must begin with 1 and rise (got {self.batch_sizes})")
        model, memory = self.model, self.accelerator.memory_gb
        width, kv_heads = model.head_dim or model.d_model // model.n_heads, model.n_kv_heads or model.n_heads
        layer = 2 * model.d_model * (width * (model.n_heads + kv_heads) + (model.d_ff or 4 * model.d_model))
        for length in (self.context_len, *self.other_context_lens):
            values = model.n_layers * (layer + 2 * length * width * kv_heads) + 2 * model.d_model * model.vocabulary_size
            if values * self.conventions.bytes_per_element > memory * 10**9:
                rule = "must hold the bytes of the weights and one sequence"
                raise ValueError(f"accelerator.memory_gb: {rule} (got {memory} and a length of {length})")
        return self
