"""What `params.yml` may say of LoRA and QLoRA."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params

Size = Annotated[int, Field(gt=0, le=2**20)]


class Conventions(Params):
    """What the numbers rest on."""

    output_matrix: Literal["hd_by_d", "d_by_d_summed_heads", "d_by_d_narrow_heads"] = Field(
        "hd_by_d", description="how the heads and the output matrix are made to fit"
    )
    bytes_per_value: Literal[2, 4] = Field(4, description="bytes of one value in full precision (4 is 32-bit floating point)")
    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")


class Sample(Params):
    """The size×size standard normal weights on which the quantization error is measured."""

    seed: Annotated[int, Field(ge=0)]
    size: Annotated[int, Field(ge=2, le=512)]


class LowRankParams(Params):
    """Sizes of the layer, bits of a quantized weight, and the memory limit of 4.4 (b).

    A headroom of 0 fits the combination that stores the least and no other, 1 fits all.
    """

    d_model: Size
    rank: Size
    n_heads: Size
    context_len: Size
    quantized_bits: Annotated[int, Field(ge=2)]
    memory_headroom: Annotated[Exact, Field(ge=0, le=1)]
    sample: Sample
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.rank > self.d_model:
            raise ValueError(f"rank: must be at most d_model (got {self.rank} and {self.d_model})")
        full = 8 * self.conventions.bytes_per_value
        if self.quantized_bits >= full:
            raise ValueError(f"quantized_bits: must be below the {full} bits of full precision (got {self.quantized_bits})")
        if self.conventions.output_matrix == "d_by_d_narrow_heads" and self.d_model % self.n_heads:
            rule = "must be divisible by n_heads while conventions.output_matrix is d_by_d_narrow_heads"
            raise ValueError(f"d_model: {rule} (got {self.d_model} and {self.n_heads})")
        return self
