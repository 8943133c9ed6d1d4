"""What `params.yml` may say of ways of tuning."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Matrices, Params, WithHeads, convention

Size = Annotated[int, Field(gt=0, le=2**20)]


class Conventions(Params):
    """What the numbers rest on."""

    bytes_per_element: Literal[2, 4] = convention(2, ("A cached value takes {}", "byte"))
    flops_per_multiply_add: Literal[1, 2] = convention(2, ("A multiply-add counts as {}", "FLOP"))


class TuningParams(WithHeads):
    """Sizes of the model and of what each method adds to it.

    By default all heads have keys of their own and share the width, the feed-forward network is four times as wide, and LoRA
    stands beside query, key and value; `lora_on` names other linear layers.
    """

    n_layers: Annotated[int, Field(gt=0, le=1024)]
    d_model: Size
    n_heads: Size
    n_kv_heads: Size | None = None
    head_dim: Size | None = None
    d_ff: Size | None = None
    rank: Size
    lora_on: Annotated[Matrices, Field(default_factory=lambda: ["query", "key", "value"])]
    n_virtual_tokens: Annotated[int, Field(gt=0, le=2**14)]
    context_len: Annotated[int, Field(gt=0, le=2**17)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.rank > self.d_model:
            raise ValueError(f"rank: must be at most d_model (got {self.rank} and {self.d_model})")
        return self
