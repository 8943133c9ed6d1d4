"""What `params.yml` may say of the bidirectional RNN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from generators.params import Params, convention

MAX_STEPS = 4
"""Labels in the picture of more steps would be too small in print."""


class Conventions(Params):
    """What the derivation rests on."""

    shapes: Literal["square", "general"] = convention(
        "square", {"square": "All weights are square", "general": "Weights are not square"}, "from the sheet", handed_in=False
    )


class RnnParams(Params):
    """How many time steps the graph is unrolled for."""

    time_steps: Annotated[int, Field(gt=0, le=MAX_STEPS)]
    conventions: Conventions = Conventions()
