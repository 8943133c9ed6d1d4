"""What `params.yml` may say of arithmetic intensity."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Params, PositiveExact, PositiveInt, RecordedParams, Text, check_heads, convention


class Conventions(Params):
    """What the numbers rest on."""

    flops_per_multiply_add: Literal[1, 2] = convention(2, ("A multiply-add counts as {}", "FLOP"), "from the course's lectures")
    bytes_per_element: Literal[2, 4, 8] = convention(2, ("An element takes {}", "byte"), "from the course's lectures")


class Accelerator(Params):
    """Peak figures of an accelerator as its source states them: of dense FP16 products, two FLOPs a multiply-add."""

    name: Annotated[Text, Field(max_length=60)]
    peak_tflops: PositiveExact
    bandwidth_gb_per_s: PositiveExact
    source: Text


class InferenceParams(RecordedParams):
    """Sizes of the layer and the accelerators its products are placed on; by default D = n_H · H, as the sheet has it."""

    seq_len: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    n_kv_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    d_ff: PositiveInt | None = None
    accelerators: Annotated[list[Accelerator], Field(min_length=1, max_length=4)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_heads(self.d_model, self.n_heads, self.n_kv_heads, self.head_dim)
        names = [one.name for one in self.accelerators]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"accelerators: each name must stand once (got {name!r} twice)")
        return self
