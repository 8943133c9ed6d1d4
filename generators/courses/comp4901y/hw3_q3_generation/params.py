"""What `params.yml` may say of the generation program."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from generators.params import Exact, PositiveInt, RecordedParams, Text


class GenerationParams(RecordedParams):
    """The course's arguments with its defaults; what the recorded runs were given stands in the recordings."""

    hf_model_name: Text
    prompt_seq: Text
    output_len: PositiveInt
    beam_width: PositiveInt
    top_k: Annotated[int, Field(ge=0)]
    top_p: Annotated[Exact, Field(gt=0, le=1)]
