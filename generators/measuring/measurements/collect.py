"""Puts what a measurement yields into a Recording, and keeps what there is when it breaks off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from generators.measuring.machine import described
from generators.recording import Output, Recording, Series, save

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Model:
    """A model that the measurement ran, and what is known of it."""

    name: str
    card: dict[str, Any]


@dataclass(frozen=True)
class SoFar:
    """Series measured so far; each replaces its earlier version. `name` says how far the measurement is."""

    name: str
    series: tuple[Series, ...]


Item: TypeAlias = Series | SoFar | Output | Model
Measure: TypeAlias = Callable[[Mapping[str, Any], "torch.device"], Iterator[Item]]
"""Runs a measurement with its parameters on a device and yields each result as soon as it has it."""


def seconds(samples: Iterable[float], **at: bool | float | str) -> Series:
    """A series of times."""
    return Series(quantity="seconds", unit="s", at=at, samples=tuple(samples))


def recorded(
    what: str,
    measure: Measure,
    parameters: dict[str, Any],
    device: torch.device,
    folder: Path,
    command: str,
    tell: Callable[[str], None],
) -> Path:
    """Run a measurement and save its Recording; while it runs, and if it fails, what there is lies in `*.partial.json`."""
    whole = folder / f"{what}.{device.type}.json"
    partial = whole.with_suffix(".partial.json")
    series: dict[tuple[Any, ...], Series] = {}
    outputs: list[Output] = []
    models: dict[str, dict[str, Any]] = {}
    machine = described(device)

    def recording() -> Recording:
        return Recording(
            what=what,
            parameters=parameters,
            command=command,
            models=models,
            series=tuple(series.values()),
            outputs=tuple(outputs),
            **machine,
        )

    for item in measure(parameters, device):
        if isinstance(item, Model):
            models[item.name] = item.card
        elif isinstance(item, Output):
            outputs.append(item)
        else:
            found = item.series if isinstance(item, SoFar) else (item,)
            series |= {(one.quantity, *sorted(one.at.items())): one for one in found}
            told = item.name if isinstance(item, SoFar) else f"{item.quantity} {item.at}: {item.median:.4g} {item.unit}"
            tell(f"{what}: {told}")
            save(recording(), partial)
    save(recording(), whole)
    partial.unlink(missing_ok=True)
    return whole
