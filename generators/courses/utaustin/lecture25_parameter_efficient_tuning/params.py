"""What `params.yml` may say of parameter-efficient tuning."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from generators.params import Distinct, Exact, Matrices, Params, PositiveInt, Rising, Text, convention

Size = Annotated[int, Field(gt=0, le=2**20)]


class Conventions(Params):
    """What counts and bytes rest on."""

    adapters_train_norms: bool = convention(
        True,
        {True: "Adapters train the layers' norms as well, as in their paper", False: "Adapters do not train the layers' norms"},
        "from the adapters' paper",
    )
    bytes_per_value: Literal[2, 4] = convention(4, ("A value takes {}", "byte"))
    optimizer_states: int = convention(2, ("The optimizer keeps {} for each trained one", "value"), ge=0, le=4)


class Model(Params):
    """A BERT's configuration."""

    name: Annotated[Text, Field(max_length=40)]
    n_layers: Annotated[int, Field(gt=0, le=200)]
    d_model: Annotated[int, Field(gt=0, le=2**15)]
    d_ff: Size
    vocabulary_size: Size
    n_positions: Size
    n_segments: Annotated[int, Field(gt=0, le=64)]


class Printed(Params):
    """A share of the lecture's table in per cent, with the decimals it is printed with."""

    percent: Annotated[Exact, Field(gt=0, le=100)]
    decimals: Annotated[int, Field(ge=0, le=6)]


class TableOfLecture(Params):
    """The column %Param."""

    bitfit: Printed
    adapters: Printed
    diff_pruning: Printed


class TuningParams(Params):
    """The matrix of the slide's question, the models, widths and ranks, and what the lecture prints."""

    d_model: Size
    ranks: Annotated[list[Size], Field(min_length=1, max_length=8), Rising]
    models: Annotated[list[Model], Field(min_length=1, max_length=4)]
    adapter_width: Size
    other_adapter_widths: Annotated[list[Size], Field(max_length=5), Distinct]
    rank: Size
    lora_on: Matrices
    n_tasks: PositiveInt
    printed: TableOfLecture
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if max(self.ranks) > self.d_model:
            raise ValueError(f"ranks: must be at most d_model (got {max(self.ranks)} and {self.d_model})")
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError(f"models: must not repeat a name (got {', '.join(names)})")
        narrowest = min(self.d_model, *(min(model.d_model, model.d_ff) for model in self.models))
        if self.rank > narrowest:
            raise ValueError(f"rank: must be at most the smallest width of all models (got {self.rank} and {narrowest})")
        return self
