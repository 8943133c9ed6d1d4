"""Quartiles of what was measured, and where it was measured."""

from __future__ import annotations

from generators.answer import Text, text
from generators.recording import Recording, Series
from generators.table import Table, table

PER_SECOND_MS = 1000
ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}


def in_ms(series: Series) -> tuple[float, float, float]:
    """Median, first and third quartile of a series of seconds, in milliseconds."""
    low, high = series.spread
    return PER_SECOND_MS * series.median, PER_SECOND_MS * low, PER_SECOND_MS * high


def machine(recording: Recording) -> list[Text]:
    """What a short section says of a recording."""
    said = {"device": recording.device, "recorded": recording.date[:10], "torch": recording.versions["torch"]}
    return [text(key, value) for key, value in {**said, "element_type": str(recording.parameters["dtype"])}.items()]


def machine_table(recording: Recording, more: dict[str, str]) -> Table:
    """Where and with which versions the samples were taken, and more; a processor has no driver."""
    versions = ", ".join(f"{name} {version}" for name, version in recording.versions.items())
    said = {"device": recording.device, "driver": recording.driver, "versions": versions, **more}
    rows = {key: (key.replace("_", " ").capitalize(), value) for key, value in said.items() if value is not None}
    return table("machine", ["what", "value"], rows)
