"""What `params.yml` may say of 8-bit products."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from generators.params import Exact, Params, Rising, Text, convention

MAX_ENTRIES = 20_000
Magnitude = Annotated[Exact, Field(ge=-1000, le=1000)]
Scheme = Literal[
    "float32", "absmax", "zero_point", "absmax_row_wise", "absmax_vector_wise", "zero_point_vector_wise",
    "absmax_row_wise_decomposed", "absmax_vector_wise_decomposed", "zero_point_vector_wise_decomposed",
]  # fmt: skip
"""The ways to multiply that the table of LLM.int8() compares."""


class Conventions(Params):
    """What the bytes rest on."""

    bytes_per_step: Literal[2, 4] = convention(4, ("A step takes {}", "byte"))
    bytes_per_zero_point: Literal[1, 2, 4] = convention(2, ("A zero point takes {}", "byte"))


class Outlier(Params):
    """A feature of X, counted from 0, and by how much its values are moved."""

    feature: Annotated[int, Field(ge=0)]
    size: Magnitude


class Product(Params):
    """Sizes of X and W, their first seed and how many follow, the outlier features, and the share of tokens they are moved in."""

    n_tokens: Annotated[int, Field(ge=8, le=64)]
    n_features: Annotated[int, Field(ge=16, le=256)]
    n_outputs: Annotated[int, Field(ge=8, le=128)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    n_seeds: Annotated[int, Field(ge=5, le=20)] = 10
    outliers: Annotated[list[Outlier], Field(min_length=1, max_length=8)]
    share_of_tokens: Annotated[Exact, Field(gt=0, le=1)]
    threshold: Annotated[Exact, Field(gt=0)]
    largest_sizes: Annotated[list[Annotated[Exact, Field(gt=0, le=1000)]], Field(min_length=2, max_length=9), Rising]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        entries = self.n_features * (self.n_tokens + self.n_outputs)
        if entries > MAX_ENTRIES:
            raise ValueError(f"n_features: must leave X and W at most {MAX_ENTRIES} entries (got {entries})")
        features = [one.feature for one in self.outliers]
        if len(set(features)) < len(features) or max(features) >= self.n_features:
            raise ValueError(f"outliers: must be of different features below {self.n_features} (got {features})")
        if all(one.size == 0 for one in self.outliers):
            raise ValueError("outliers: must have a size other than 0 (got 0)")
        return self


class PerplexityRow(Params):
    """A printed row: the method's name, how it multiplies, and a perplexity for each model."""

    method: Text
    scheme: Scheme
    values: list[Annotated[Exact, Field(gt=0)]]


class Perplexities(Params):
    """The printed table of LLM.int8(): perplexity by method and by size of the model."""

    models: Annotated[list[Annotated[Text, Field(max_length=12)]], Field(min_length=1, max_length=8)]
    decimals: Annotated[int, Field(ge=0, le=6)]
    rows: list[PerplexityRow]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for row in self.rows:
            if len(row.values) != len(self.models):
                raise ValueError(f"rows: {row.method!r} must have {len(self.models)} values (got {len(row.values)})")
            for one in row.values:
                if (one * 10**self.decimals).denominator != 1:
                    raise ValueError(f"rows: {row.method!r} must have at most {self.decimals} decimals (got {float(one):g})")
        schemes = [row.scheme for row in self.rows]
        for scheme in get_args(Scheme)[1:]:
            if schemes.count(scheme) != 1:
                raise ValueError(f"rows: must have the scheme {scheme!r} once (got {', '.join(schemes)})")
        return self


class Int8Params(Params):
    """A vector to quantize by hand, the matrix product, and the printed perplexities."""

    vector: Annotated[list[Magnitude], Field(min_length=2, max_length=10)]
    product: Product
    perplexities: Perplexities
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.vector)) == 1:
            raise ValueError(f"vector: must hold different numbers (got {self.vector[0]} everywhere)")
        return self
