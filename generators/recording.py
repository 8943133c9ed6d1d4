"""A Recording: raw samples of a measurement with its parameters and the machine it ran on.

Nothing outside the standard library is imported until a recording is validated, so that a machine with only torch
can measure and save.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from generators.errors import RecordingError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Scalar: TypeAlias = bool | int | float | str
At: TypeAlias = dict[str, Scalar]
"""The setting at which something was measured."""

_STRICT = {"strict": True, "extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class Series:
    """Raw samples of one quantity, in the order they were taken, at one setting; none or a non-finite one is refused."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    quantity: str
    unit: str
    at: At
    samples: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError(f"samples: {self.quantity} at {self.at} must have at least one sample (got none)")
        if not all(math.isfinite(sample) for sample in self.samples):
            raise ValueError(f"samples: {self.quantity} at {self.at} must be finite (got {self.samples})")

    @property
    def median(self) -> float:
        """The median of the samples, in `unit`."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The first and third quartile of the samples, in `unit`; a single sample is both."""
        if len(self.samples) == 1:
            return self.samples[0], self.samples[0]
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True, kw_only=True)
class Output:
    """Text that a program generated at one setting."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    at: At
    text: str


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was measured, with which parameters, where, when, and every raw sample; medians are computed, never stored.

    `models` says of every model that was run what it is and how it was trained; `driver` is the GPU's, if there is one.
    """

    __pydantic_config__: ClassVar[Any] = _STRICT

    what: str
    parameters: dict[str, Any]
    command: str
    device: str
    device_kind: Literal["cpu", "cuda"]
    driver: str | None
    versions: dict[str, str]
    date: str
    models: dict[str, dict[str, Any]]
    series: tuple[Series, ...]
    outputs: tuple[Output, ...] = ()

    def find(self, quantity: str, **at: Scalar) -> Iterator[Series]:
        """Yield the series of `quantity` whose setting has all the values in `at`."""
        for series in self.series:
            if series.quantity == quantity and at.items() <= series.at.items():
                yield series

    def one(self, quantity: str, **at: Scalar) -> Series:
        """The one series of `quantity` at this setting; none or several raise RecordingError."""
        found = list(self.find(quantity, **at))
        if len(found) != 1:
            raise RecordingError(f"{self.what}: {quantity} at {at}: must stand once in the recording (got {len(found)})")
        return found[0]


def save(recording: Recording, path: Path) -> None:
    """Write a recording as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(path.name + ".tmp")
    whole.write_text(as_json(recording), encoding="utf-8")
    whole.replace(path)


def as_json(recording: Recording) -> str:
    """JSON with one line a series, so that a renewed recording can be read as a diff."""
    content = asdict(recording)
    lists = {name: content.pop(name) for name in ("series", "outputs")}
    head = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).removesuffix("\n}")
    tail = (f' "{name}": [{_lines(items)}]' for name, items in lists.items())
    return ",\n".join([head, *tail]) + "\n}\n"


def _lines(items: list[Any]) -> str:
    lines = ",\n  ".join(json.dumps(item, ensure_ascii=False, allow_nan=False) for item in items)
    return f"\n  {lines}\n " if items else ""


def load(path: Path) -> Recording:
    """Read a recording; a broken rule raises RecordingError."""
    from pydantic import ValidationError

    try:
        return _adapter().validate_json(path.read_bytes())
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({type(error).__name__})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise RecordingError(f"{path}: {field + ': ' if field else ''}{' '.join(message.split())}") from None


def schema() -> dict[str, Any]:
    """The JSON schema of a recording."""
    return _adapter().json_schema()


@cache
def _adapter() -> TypeAdapter[Recording]:
    from pydantic import TypeAdapter

    return TypeAdapter(Recording)
