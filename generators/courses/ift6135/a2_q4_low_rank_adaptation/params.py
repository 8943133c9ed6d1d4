"""What `params.yml` may say of LoRA and QLoRA."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from generators.params import Distinct, Exact, Params, convention

Projection = Literal["query", "key", "value"]
Size = Annotated[int, Field(gt=0, le=2**20)]


class Conventions(Params):
    """What the numbers rest on."""

    output_matrix: Literal["hd by d", "d by d"] = convention(
        "hd by d",
        {
            "hd by d": "Each head is d wide, and the output matrix is hd by d",
            "d by d": "Each head is d/h wide, and the output matrix is d by d",
        },
        "our choice, as the sheet contradicts itself",
        handed_in=False,
    )
    bytes_per_value: Literal[2, 4] = convention(4, ("A value in full precision takes {}", "byte"), "from the sheet")


class LowRankParams(Params):
    """Sizes of the layer, bits of a quantized weight, and the memory limit of 4.4 (b).

    A headroom of 0 fits the combination that stores the least and no other, 1 fits all. `lora_on` names the projections of a head
    that have an adapter, by default all three; W^F always has one, and W^O has none in the sheet's equations.
    """

    d_model: Size
    rank: Size
    lora_on: Annotated[list[Projection], Field(min_length=1, default_factory=lambda: list(get_args(Projection))), Distinct]
    n_heads: Size
    context_len: Size
    quantized_bits: Annotated[int, Field(ge=2)]
    memory_headroom: Annotated[Exact, Field(ge=0, le=1)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.rank > self.d_model:
            raise ValueError(f"rank: must be at most d_model (got {self.rank} and {self.d_model})")
        full = 8 * self.conventions.bytes_per_value
        if self.quantized_bits >= full:
            raise ValueError(f"quantized_bits: must be below the {full} bits of full precision (got {self.quantized_bits})")
        if self.conventions.output_matrix == "d by d" and self.d_model % self.n_heads:
            rule = "must be divisible by n_heads while conventions.output_matrix is d by d"
            raise ValueError(f"d_model: {rule} (got {self.d_model} and {self.n_heads})")
        return self
