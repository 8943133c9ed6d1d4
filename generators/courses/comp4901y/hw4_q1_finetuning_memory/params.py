"""What `params.yml` may say of fine-tuning memory."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from generators.params import Matrices, Params, PositiveInt, RecordedParams, check_heads, convention


class Conventions(Params):
    """What the numbers rest on."""

    bytes_per_element: Literal[2, 4] = convention(2, ("A parameter or gradient value takes {}", "byte"), "from the sheet")
    flops_per_multiply_add: Literal[1, 2] = convention(
        2, ("A multiply-add counts as {}", "FLOP"), "from the course's lectures", handed_in=False
    )
    adapter_biases: bool = convention(
        False,
        {True: "The two matrices of an adapter have biases", False: "The two matrices of an adapter have no biases"},
        "from the course's lectures",
    )


class FinetuningParams(RecordedParams):
    """Example sizes for which the symbolic answers are also given in bytes.

    `n_kv_heads` and `d_ff` stand where a model has fewer heads of keys and values than of queries, or another inner width
    of its feed-forward network than four times its own. `lora_on` names the linear layers that LoRA and VeRA stand beside, by
    default query, key and value.
    """

    n_layers: PositiveInt
    n_top_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    n_kv_heads: PositiveInt | None = None
    d_ff: PositiveInt | None = None
    rank: PositiveInt
    lora_on: Matrices | None = None
    batch_size: PositiveInt
    seq_len: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_heads(self.d_model, self.n_heads, self.n_kv_heads)
        if self.n_top_layers > self.n_layers:
            raise ValueError(f"n_top_layers: must be at most n_layers (got {self.n_top_layers} and {self.n_layers})")
        if self.rank > self.d_model:
            raise ValueError(f"rank: must be at most d_model (got {self.rank} and {self.d_model})")
        return self
