"""Which recordings a question shows: those of each kind of device that fit its entry, a GPU's before a processor's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.errors import RecordingError
from generators.pipeline.wording import shortened
from generators.recording import Recording, load

if TYPE_CHECKING:
    from generators.question import Recorded

KINDS = ("cuda", "cpu")

_MOST, _BEFORE = 40, 10
"""Characters of a value that a message shows, and how many of them stand before the first that differs."""


def command_of(what: str, device_kind: str) -> str:
    """The command that makes or renews a recording."""
    return f"python -m generators.measuring.measure_all --device {device_kind} --only {what}"


def paths(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Where each recording lies in `folder`, by kind of device and name, whether it exists or not."""
    return {kind: {name: folder / f"{name}.{kind}.json" for name in names} for kind in KINDS}


def fitting(folder: Path, names: Mapping[str, Recorded], entry: Mapping[str, Any]) -> dict[str, dict[str, Recording]]:
    """By kind of device and name, the recordings that were made with the entry's values in the fields that must agree."""
    found: dict[str, dict[str, Recording]] = {}
    for kind, of_kind in paths(folder, tuple(names)).items():
        existing = _of_one_device(folder, kind, {name: path for name, path in of_kind.items() if path.is_file()})
        fit = {name: one for name, one in existing.items() if not _differing(one, getattr(names[name], kind), entry)}
        if fit:
            found[kind] = fit
    return found


def left_out(folder: Path, names: Mapping[str, Recorded], entry: Mapping[str, Any]) -> dict[str, str]:
    """The recordings that exist and do not fit, by file, and in which fields that must agree they differ."""
    found = {}
    for kind, of_kind in paths(folder, tuple(names)).items():
        for name, path in of_kind.items():
            differing = _differing(load(path), getattr(names[name], kind), entry) if path.is_file() else []
            if differing:
                found[path.name] = "; ".join(differing)
    return found


def _differing(one: Recording, fields: Sequence[str], entry: Mapping[str, Any]) -> list[str]:
    """Each field in which a recording was not made with the entry's value, with both."""
    pairs = [(field, one.parameters.get(field), entry.get(field)) for field in fields]
    return ["{} was {}, is {}".format(field, *_apart(made, asked)) for field, made, asked in pairs if not _same(made, asked)]


def _same(made: Any, asked: Any) -> bool:
    """A recording holds an exact number as a float, an entry that was read as the text of a fraction."""
    return Fraction(str(made)) == Fraction(asked) if isinstance(made, float) and isinstance(asked, str) else made == asked


def _apart(made: Any, asked: Any) -> tuple[str, str]:
    """Both values, long ones from a little before the place where they begin to differ."""
    one, other = ("absent" if value is None else str(value) for value in (made, asked))
    shorter = min(len(one), len(other))
    first = next((place for place in range(shorter) if one[place] != other[place]), shorter)
    alike = first - _BEFORE if max(len(one), len(other)) > _MOST else 0
    start, more = (alike, "...") if alike > 0 else (0, "")
    return f"{more}{shortened(one[start:], _MOST)}", f"{more}{shortened(other[start:], _MOST)}"


def _of_one_device(folder: Path, kind: str, existing: Mapping[str, Path]) -> dict[str, Recording]:
    found = {name: load(path) for name, path in existing.items()}
    devices = sorted({recording.device for recording in found.values()})
    if len(devices) > 1:
        raise RecordingError(
            f"{folder.name}: device: {', '.join(found)} must be of one device (got {'; '.join(devices)}); "
            f"renew all with `{command_of(' '.join(found), kind)}`"
        )
    return found
