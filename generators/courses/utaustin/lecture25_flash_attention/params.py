"""What `params.yml` may say of FlashAttention."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveInt, Rising, Text, convention

Sram = Annotated[int, Field(ge=1, le=2**20)]
Score = Annotated[Exact, Field(ge=-100, le=100)]


class Conventions(Params):
    """What the counts rest on."""

    loop_order: Literal["keys_outer", "queries_outer"] = convention(
        "keys_outer",
        {
            "keys_outer": "The outer loop takes blocks of keys, as in FlashAttention",
            "queries_outer": "The outer loop takes blocks of queries, as in FlashAttention-2",
        },
        "from FlashAttention's paper",
    )
    bytes_per_element: Literal[2, 4] = convention(2, ("An element takes {}", "byte"))
    flops_per_multiply_add: Literal[1, 2] = convention(2, ("A multiply-add counts as {}", "FLOP"))


class Example(Params):
    """Scores of one query, and the value vector of each key."""

    scores: Annotated[list[Score], Field(min_length=2, max_length=12)]
    values: list[Annotated[list[Score], Field(min_length=1, max_length=3)]]
    block_len: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.values) != len(self.scores):
            raise ValueError(f"values: must be as many as scores (got {len(self.values)})")
        if len({len(value) for value in self.values}) > 1:
            raise ValueError(f"values: must be of one length (got {sorted({len(value) for value in self.values})})")
        return self


class Accelerator(Params):
    """Peak figures of an accelerator, and the on-chip memory of one of its multiprocessors."""

    name: Text
    peak_tflops: Annotated[Exact, Field(ge=Fraction(1, 1000), le=10**4)]
    bandwidth_gb_per_s: Annotated[Exact, Field(ge=1, le=10**6)]
    sram_kib: Sram
    source: Text


class FlashParams(Params):
    """The example; head width, length and sizes of SRAM at which traffic is counted; and the accelerator."""

    example: Example
    head_width: Annotated[int, Field(ge=8, le=1024)]
    seq_len: Annotated[int, Field(ge=16, le=2**20)]
    sram_kib: Annotated[list[Sram], Field(min_length=1, max_length=12), Rising]
    accelerator: Accelerator
    conventions: Conventions = Conventions()
