"""What `params.yml` may say of NF4, double quantization and paged optimizers."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from generators.params import Distinct, Params, PositiveExact, PositiveInt, Rising, Text, WithHeads, convention

MIB = 2**20
MAX_PAGES = 20_000
Size = Annotated[int, Field(gt=0, le=2**20)]
Matrix = Literal["query", "key", "value", "output", "gate", "up", "down"]
"""The linear layers of a transformer layer: four of attention, three of the gated feed-forward network."""


class Conventions(Params):
    """What bits and bytes rest on."""

    scale_bits: Literal[16, 32] = convention(32, ("A scale, and a second-level scale, takes {}", "bit"), "from QLoRA's paper")
    quantized_scale_bits: Literal[8, 16] = convention(
        8, ("After double quantization a scale takes {}", "bit"), "from QLoRA's paper"
    )
    bytes_per_value: Literal[2, 4] = convention(2, ("An adapter's value, its gradient and an activation take {} each", "byte"))


class Sample(Params):
    """The first seed of size×size weights and how many follow, and the sizes of blocks compared."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    n_seeds: Annotated[int, Field(ge=1, le=10)] = 5
    size: Annotated[int, Field(ge=16, le=128)]
    block_lens: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1, max_length=9), Rising]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for one in self.block_lens:
            if self.size**2 % one:
                raise ValueError(f"block_lens: must divide the {self.size**2} weights (got {one})")
        return self


class Model(Params):
    """A model by its name and number of parameters."""

    name: Annotated[Text, Field(max_length=40)]
    n_parameters: PositiveInt


class Training(WithHeads):
    """A fine-tuning run: the model's shape, the adapters' rank, the accelerator, and the tokens of each step.

    By default keys and values have as many heads as queries, the heads together are as wide as the model, and adapters stand
    beside every linear layer; `lora_on` names those that get one.
    """

    model: Text
    n_layers: Annotated[int, Field(gt=0, le=200)]
    d_model: Size
    n_heads: Size
    n_kv_heads: Size | None = None
    head_dim: Size | None = None
    d_ff: Size
    vocabulary_size: Size
    rank: Size
    lora_on: Annotated[list[Matrix], Field(min_length=1, default_factory=lambda: list(get_args(Matrix))), Distinct]
    limit_mib: PositiveInt
    page_kib: PositiveInt
    link_gb_per_s: PositiveExact
    tokens: Annotated[list[PositiveInt], Field(min_length=1, max_length=12)]


class Nf4Params(Params):
    """Weights to quantize, block sizes, models whose memory is counted, and the run with paged states."""

    sample: Sample
    block_len: Annotated[int, Field(ge=2, le=2**13)]
    second_block_len: Annotated[int, Field(ge=2, le=2**20)]
    models: Annotated[list[Model], Field(min_length=1, max_length=8)]
    training: Training
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        weights = self.sample.size**2
        if weights // 2 % self.block_len:
            raise ValueError(f"block_len: must divide the {weights} weights twice over (got {self.block_len})")
        names = [model.name for model in self.models]
        if self.training.model not in names:
            raise ValueError(f"training.model: must be the name of one of the models (got {self.training.model!r})")
        if len(set(names)) < len(names):
            raise ValueError(f"models: must have different names (got {names})")
        _refuse_what_does_not_fit(self)
        return self


def head_widths(run: Training) -> tuple[int, int]:
    """How wide all heads of the queries are side by side, and all of the keys."""
    width = run.head_dim or run.d_model // run.n_heads
    return run.n_heads * width, (run.n_kv_heads or run.n_heads) * width


def _refuse_what_does_not_fit(params: Nf4Params) -> None:
    """Weights and states must fit the accelerator, and each step's activations what is free without any state."""
    run, held = params.training, params.conventions
    d, (q, kv) = run.d_model, head_widths(run)
    ends = {"query": q, "output": q, "key": kv, "value": kv}
    adapters = run.n_layers * run.rank * sum(d + ends.get(one, run.d_ff) for one in run.lora_on)
    pages = -(-(8 * adapters + 8 * len(run.lora_on) * run.n_layers) // (1024 * run.page_kib))
    if pages > MAX_PAGES:
        raise ValueError(f"training.page_kib: the states must take at most {MAX_PAGES} pages (got {pages} of {run.page_kib} KiB)")
    bits = 4 + (held.quantized_scale_bits + Fraction(held.scale_bits) / params.second_block_len) / params.block_len
    quantized = -(-run.n_layers * d * (2 * q + 2 * kv + 3 * run.d_ff) * bits // 8)
    fixed = quantized + 2 * d * (2 * run.vocabulary_size + 2 * run.n_layers + 1) + 2 * held.bytes_per_value * adapters
    needed = -(-(fixed + pages * 1024 * run.page_kib) // MIB)
    if needed > run.limit_mib:
        rule = "must hold the bytes of weights and optimizer states"
        raise ValueError(f"training.limit_mib: {rule} (got {run.limit_mib} for {needed} MiB)")
    most = (run.limit_mib * MIB - fixed) // (held.bytes_per_value * run.n_layers * d)
    if max(run.tokens) > most:
        raise ValueError(f"training.tokens: each step must fit without optimizer states (got {max(run.tokens)} where {most} fit)")
