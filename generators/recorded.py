"""Which recordings a question shows: those of one device, a GPU's before a CPU's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from generators.errors import RecordingError
from generators.measure import Recording, load

KINDS = ("cuda", "cpu")


def command_of(what: str, device_kind: str) -> str:
    """The command that makes or renews a recording."""
    return f"python -m generators.measure_all --device {device_kind} --only {what}"


def paths(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Where each recording lies in `folder`, by kind of device and name, whether it exists or not."""
    return {kind: {name: folder / f"{name}.{kind}.json" for name in names} for kind in KINDS}


def shown_recordings(folder: Path, names: Sequence[str]) -> dict[str, Recording]:
    """The recordings of the kind of device that has most of them, CUDA where both have as many.

    Two devices are never mixed: recordings of different ones raise RecordingError.
    """
    existing = {
        kind: {name: path for name, path in of_kind.items() if path.is_file()} for kind, of_kind in paths(folder, names).items()
    }
    chosen = max(existing, key=lambda kind: len(existing[kind]))
    found = {name: load(path) for name, path in existing[chosen].items()}
    devices = sorted({recording.device for recording in found.values()})
    if len(devices) > 1:
        raise RecordingError(
            f"{folder.name}: device: {', '.join(found)} must be of one device (got {'; '.join(devices)}); "
            f"renew all with `{command_of(' '.join(names), chosen)}`"
        )
    return found
