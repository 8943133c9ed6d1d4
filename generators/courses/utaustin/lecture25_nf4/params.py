"""What `params.yml` may say of NF4, double quantization and paged optimizers."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Params, PositiveExact, PositiveInt, Rising, Text

MIB = 2**20
MAX_PAGES = 20_000


class Conventions(Params):
    """What bits and bytes rest on."""

    scale_bits: Literal[16, 32] = Field(32, description="bits of a scale, and of a second-level scale (32 is FP32)")
    quantized_scale_bits: Literal[8, 16] = Field(8, description="bits of a scale after double quantization")
    bytes_per_value: Literal[2, 4] = Field(2, description="bytes of an adapter's value, of its gradient and of an activation")


class Sample(Params):
    """Seeded size×size weights, and the sizes of blocks compared."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    size: Annotated[int, Field(ge=16, le=128)]
    block_lens: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2, max_length=9), Rising]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for one in self.block_lens:
            if self.size**2 % one:
                raise ValueError(f"block_lens: must divide the {self.size**2} weights (got {one})")
        return self


class Model(Params):
    """A model by its name and number of parameters."""

    name: Text
    n_parameters: PositiveInt


class Training(Params):
    """A fine-tuning run: the model, the adapters' rank, the accelerator, and the tokens of each step."""

    model: Text
    n_layers: PositiveInt
    d_model: PositiveInt
    d_ff: PositiveInt
    vocabulary_size: PositiveInt
    rank: PositiveInt
    limit_mib: PositiveInt
    page_kib: PositiveInt
    link_gb_per_s: PositiveExact
    tokens: Annotated[list[PositiveInt], Field(min_length=1, max_length=12)]


class Nf4Params(Params):
    """Weights to quantize, block sizes, models whose memory is counted, and the run with paged states."""

    sample: Sample
    block_len: Annotated[int, Field(ge=2)]
    second_block_len: Annotated[int, Field(ge=2)]
    models: Annotated[list[Model], Field(min_length=1, max_length=8)]
    training: Training
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        weights = self.sample.size**2
        if self.block_len not in self.sample.block_lens:
            raise ValueError(f"block_len: must be one of sample.block_lens (got {self.block_len})")
        if weights % (self.block_len * self.second_block_len):
            raise ValueError(
                f"second_block_len: must divide the {weights // self.block_len} scales (got {self.second_block_len})"
            )
        names = [model.name for model in self.models]
        if self.training.model not in names:
            raise ValueError(f"training.model: must be the name of one of the models (got {self.training.model!r})")
        if len(set(names)) < len(names):
            raise ValueError(f"models: must have different names (got {names})")
        _refuse_what_does_not_fit(self)
        return self


def _refuse_what_does_not_fit(params: Nf4Params) -> None:
    """Weights and states must fit the accelerator, and each step's activations what is free without any state."""
    run, held = params.training, params.conventions
    adapters = run.n_layers * run.rank * (8 * run.d_model + 3 * (run.d_model + run.d_ff))
    pages = -(-(8 * adapters + 56 * run.n_layers) // (1024 * run.page_kib))
    if pages > MAX_PAGES:
        raise ValueError(f"training.page_kib: must cut the states into at most {MAX_PAGES} pages (got {pages})")
    (count,) = (model.n_parameters for model in params.models if model.name == run.model)
    scales = held.quantized_scale_bits + Fraction(held.scale_bits, params.second_block_len)
    fixed = -(-count * (4 + scales / params.block_len) // 8) + 2 * held.bytes_per_value * adapters
    needed = -(-(fixed + pages * 1024 * run.page_kib) // MIB)
    if needed > run.limit_mib:
        raise ValueError(f"training.limit_mib: must hold weights and optimizer states, {needed} MiB (got {run.limit_mib})")
    most = (run.limit_mib * MIB - fixed) // (held.bytes_per_value * run.n_layers * run.d_model)
    if max(run.tokens) > most:
        raise ValueError(f"training.tokens: must be at most the {most} that fit without optimizer states (got {max(run.tokens)})")
