"""What `params.yml` may say of FlashAttention."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveExact, PositiveInt, Rising, Text

MAX_LENGTH = 2**20


class Conventions(Params):
    """What the counts rest on."""

    loop_order: Literal["keys_outer", "queries_outer"] = Field(
        "keys_outer", description="which blocks the outer loop takes (keys in FlashAttention, queries in FlashAttention-2)"
    )
    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one element (2 is FP16)")
    flops_per_multiply_add: Literal[1, 2] = Field(2, description="FLOPs counted for one multiply-add")


class Example(Params):
    """Scores of one query, and the value vector of each key."""

    scores: Annotated[list[Exact], Field(min_length=2, max_length=12)]
    values: list[Annotated[list[Exact], Field(min_length=1, max_length=3)]]
    block_len: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.values) != len(self.scores):
            raise ValueError(f"values: must be as many as scores (got {len(self.values)})")
        if len({len(value) for value in self.values}) > 1:
            raise ValueError(f"values: must be of one length (got {sorted({len(value) for value in self.values})})")
        if self.block_len >= len(self.scores):
            raise ValueError(f"block_len: must be less than the {len(self.scores)} scores (got {self.block_len})")
        return self


class Tiles(Params):
    """A seeded attention of n_tokens×head_width matrices, and the tiles it is computed in."""

    n_tokens: Annotated[int, Field(ge=2, le=32)]
    head_width: Annotated[int, Field(ge=1, le=8)]
    block_rows: PositiveInt
    block_columns: PositiveInt
    seed: Annotated[int, Field(ge=0, lt=2**32)]


class Accelerator(Params):
    """Peak figures of an accelerator, and the on-chip memory of one of its multiprocessors."""

    name: Text
    peak_tflops: PositiveExact
    bandwidth_gb_per_s: PositiveExact
    sram_kib: PositiveInt
    source: Text


class Traffics(Params):
    """Where reads and writes are counted: head width, lengths and sizes of SRAM."""

    head_width: PositiveInt
    seq_len: Annotated[int, Field(gt=0, le=MAX_LENGTH)]
    seq_lens: Annotated[list[Annotated[int, Field(gt=0, le=MAX_LENGTH)]], Field(min_length=2, max_length=12), Rising]
    sram_kib: Annotated[list[PositiveInt], Field(min_length=2, max_length=12), Rising]


class FlashParams(Params):
    """The example, the tiles, the sizes at which memory traffic is counted, and the accelerator."""

    example: Example
    tiles: Tiles
    traffic: Traffics
    accelerator: Accelerator
    conventions: Conventions = Conventions()
