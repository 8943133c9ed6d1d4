"""What `params.yml` may say of cache policies."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Exact, Params, PositiveInt, WithHeads, convention

Length = Annotated[int, Field(gt=0, le=2**24)]


class Conventions(Params):
    """What the counts rest on."""

    bytes_per_element: Literal[2, 4] = convention(2, ("An element of a key or value takes {}", "byte"))
    bytes_per_sum: Literal[2, 4] = convention(4, ("A running sum of attention takes {}", "byte"))


class PulledToken(Params):
    """A token, counted from 1, that draws attention."""

    token: PositiveInt
    score: Annotated[Exact, Field(gt=0, le=20)]
    value_scale: Annotated[Exact, Field(gt=0, le=10)]


class SeededHead(Params):
    """Seeded attention heads of one size, and the tokens that every query of theirs looks at."""

    n_tokens: Annotated[int, Field(ge=3, le=20)]
    head_width: Annotated[int, Field(ge=1, le=8)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    n_seeds: Annotated[int, Field(ge=2, le=1000)] = 100
    pulls: Annotated[list[PulledToken], Field(max_length=6)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        tokens = [pull.token for pull in self.pulls]
        for token in tokens:
            if token > self.n_tokens:
                raise ValueError(f"pulls: token must be at most n_tokens (got {token})")
            if tokens.count(token) > 1:
                raise ValueError(f"pulls: each token must stand once (got {token} twice)")
        return self


class Memory(WithHeads):
    """A model, its budget, and the length at which the cache is counted."""

    n_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    n_kv_heads: PositiveInt | None = Field(None, description="heads of keys and values; n_heads unless said otherwise")
    head_dim: PositiveInt | None = Field(None, description="width of a head; d_model / n_heads unless said otherwise")
    budget: Length
    seq_len: Length


class PolicyParams(Params):
    """The budget and how it is shared, the heads on which policies are tried, and the model whose memory is counted."""

    budget: PositiveInt
    n_initial: PositiveInt
    n_recent: PositiveInt
    attention: SeededHead
    memory: Memory
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.budget >= self.attention.n_tokens:
            raise ValueError(f"budget: must be less than n_tokens (got {self.budget} and {self.attention.n_tokens})")
        for name in ("n_initial", "n_recent"):
            if getattr(self, name) >= self.budget:
                raise ValueError(f"{name}: must be less than budget (got {getattr(self, name)} and {self.budget})")
        return self
