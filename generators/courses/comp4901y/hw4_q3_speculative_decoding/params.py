"""What `params.yml` may say of timed speculative decoding."""

from generators.params import RecordedParams, Text


class SpeculativeParams(RecordedParams):
    """Which recorded prompt the sheet's program runs."""

    prompt: Text
