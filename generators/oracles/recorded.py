"""What is said of where a recording was made, read from it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from generators.cells import Cell
from generators.found import Found, Route
from generators.recording import Recording


def said_of_machine(route: Route, label: str, recording: Recording) -> Iterator[Found]:
    """Device, date, torch's version and element type, as a short section names them."""
    day = datetime.fromisoformat(recording.date).date().isoformat()
    yield from route.values(label, device=recording.device, recorded=day, element_type=recording.parameters["dtype"])
    yield from route.values(label, torch=dict(recording.versions)["torch"])


def machine_rows(recording: Recording, *more: tuple[str, str]) -> dict[str, Sequence[Cell]]:
    """Rows of a table of the machine; a recording without a driver has no such row."""
    said = [("Device", recording.device), ("Driver", recording.driver)]
    said += [("Versions", ", ".join(map(" ".join, recording.versions.items()))), *more]
    return {name.lower().replace(" ", "_"): (name, value) for name, value in said if value}
