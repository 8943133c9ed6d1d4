"""What `params.yml` may say of the cache of keys and values."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Params, PositiveInt, Rising, Text, WithHeads, convention

MAX_LENGTH = 2**24

Length = Annotated[int, Field(gt=0, le=MAX_LENGTH)]
Rows = list[Annotated[list[Annotated[int, Field(ge=-9, le=9)]], Field(min_length=1, max_length=3)]]


class Conventions(Params):
    """What the counts rest on."""

    flops_per_multiply_add: Literal[1, 2] = convention(2, ("A multiply-add counts as {}", "FLOP"))
    bytes_per_element: Literal[2, 4] = convention(2, ("An element takes {}", "byte"))


class Example(Params):
    """Queries, keys and values of a few tokens, one row a token."""

    tokens: Annotated[list[Text], Field(min_length=2, max_length=6)]
    queries: Rows
    keys: Rows
    values: Rows

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("queries", "keys", "values"):
            rows = getattr(self, name)
            if len(rows) != len(self.tokens):
                raise ValueError(f"{name}: must be as many as tokens (got {len(rows)})")
            if len({len(row) for row in rows}) > 1:
                raise ValueError(f"{name}: must be of one length (got {sorted({len(row) for row in rows})})")
        if len(self.queries[0]) != len(self.keys[0]):
            raise ValueError(f"keys: must be as long as queries (got {len(self.keys[0])})")
        return self


class Model(WithHeads):
    """The model whose steps are counted; shapes that are left out are those of multi-head attention."""

    n_layers: PositiveInt
    d_model: PositiveInt
    n_heads: PositiveInt
    n_kv_heads: PositiveInt | None = Field(None, description="heads of keys and values; n_heads unless said otherwise")
    head_dim: PositiveInt | None = Field(None, description="width of a head; d_model / n_heads unless said otherwise")
    d_ff: PositiveInt | None = Field(None, description="inner width of the feed-forward network; 4 d_model unless said otherwise")
    vocabulary_size: PositiveInt


class CacheParams(Params):
    """The example, the model, how many tokens are read and generated, and the lengths of the tables."""

    example: Example
    model: Model
    prompt_len: Length
    new_tokens: Annotated[int, Field(ge=2, le=512)]
    seq_lens: Annotated[list[Length], Field(min_length=2, max_length=10), Rising]
    conventions: Conventions = Conventions()
