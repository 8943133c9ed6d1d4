"""What `params.yml` may say of the tensor."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from generators.params import Exact, Params, convention

LONGEST = {"samples": 12, "channels": 5, "features": 8}
MAX_ENTRIES = 96
PARTS = 600
"""Entries are multiples of 1/600, so that fractions of their statistics fit a page."""
Entry = Annotated[Exact, Field(ge=-100, le=100)]


class Conventions(Params):
    """What the variances rest on."""

    variance: Literal["population", "sample"] = convention(
        "population",
        {
            "population": "Variances divide by the number of values",
            "sample": "Variances divide by one less than the number of values",
        },
        "from solutions of earlier years",
    )


def _flat(tensor: Any) -> Any:
    """Refuse rows and columns in place of features, and say how they are written."""
    first = tensor
    for _ in range(3):
        first = first[0] if isinstance(first, list) and first else None
    if isinstance(first, list):
        raise ValueError(
            "must be samples, then channels, then features; write the rows of each channel one behind the other as its features, "
            "as every technique averages over all of them"
        )
    return tensor


class TensorParams(Params):
    """The tensor as samples, then channels, then features.

    Images have rows and columns in place of features. Write all rows of a channel one behind the other: batch, layer and instance
    normalization average over rows and columns together, so their order changes nothing.
    """

    tensor: Annotated[list[list[list[Entry]]], BeforeValidator(_flat)]
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_ragged(self.tensor)
        _refuse_too_large(self.tensor)
        _refuse_unprintable([entry for sample in self.tensor for channel in sample for entry in channel])
        if self.conventions.variance == "sample" and len(self.tensor[0][0]) == 1:
            raise ValueError(
                "conventions.variance: a sample variance needs at least two features, "
                "since instance normalization has one value a feature (got 1 feature)"
            )
        return self


def _refuse_ragged(tensor: list[list[list[Fraction]]]) -> None:
    if not tensor:
        raise ValueError("tensor: must have at least one sample (got [])")
    for i, sample in enumerate(tensor, 1):
        if not sample:
            raise ValueError(f"tensor: sample {i} must have at least one channel (got [])")
        if len(sample) != len(tensor[0]):
            raise ValueError(f"tensor: sample {i} must have as many channels as sample 1, {len(tensor[0])} (got {len(sample)})")
        for j, channel in enumerate(sample, 1):
            where = f"tensor: sample {i}, channel {j} must have"
            if not channel:
                raise ValueError(f"{where} at least one feature (got [])")
            if len(channel) != len(tensor[0][0]):
                raise ValueError(f"{where} as many features as the first, {len(tensor[0][0])} (got {len(channel)})")


def _refuse_too_large(tensor: list[list[list[Fraction]]]) -> None:
    """Beyond these sizes the matrices no longer fit a printed page."""
    sizes = {"samples": len(tensor), "channels": len(tensor[0]), "features": len(tensor[0][0])}
    for name, size in sizes.items():
        if size > LONGEST[name]:
            raise ValueError(f"tensor: must have at most {LONGEST[name]} {name} to fit a page (got {size})")
    entries = sizes["samples"] * sizes["channels"] * sizes["features"]
    if entries > MAX_ENTRIES:
        raise ValueError(f"tensor: must have at most {MAX_ENTRIES} entries to fit a page (got {entries})")


def _refuse_unprintable(entries: list[Fraction]) -> None:
    for entry in entries:
        if entry * PARTS % 1 != 0:
            raise ValueError(f"tensor: entries must be multiples of 1/{PARTS}, such as 0.01, 1/3 or 1/8 (got {entry})")
