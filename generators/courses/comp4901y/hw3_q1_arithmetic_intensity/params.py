"""What `params.yml` may say of arithmetic intensity."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Params, PositiveExact, PositiveInt, RecordedParams, Text


class Conventions(Params):
    """What the numbers rest on."""

    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")
    bytes_per_element: Literal[2, 4, 8] = Field(2, description="bytes of one element (2 is FP16)")


class Accelerator(Params):
    """Peak figures of an accelerator as its source states them."""

    name: Annotated[Text, Field(max_length=60)]
    peak_tflops: PositiveExact
    bandwidth_gb_per_s: PositiveExact
    source: Text


class InferenceParams(RecordedParams):
    """Sizes of the layer and the accelerators its products are placed on."""

    seq_len: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    accelerators: Annotated[list[Accelerator], Field(min_length=1, max_length=4)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model: must be divisible by n_heads (got {self.d_model} and {self.n_heads})")
        names = [one.name for one in self.accelerators]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"accelerators: each name must stand once (got {name!r} twice)")
        return self
