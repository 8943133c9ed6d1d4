"""What a recording says of the machine it was made on."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.errors import MeasureError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "scikit-learn")


def device_named(name: str) -> torch.device:
    """The device `cpu`, `cuda` or `cuda:N`; one that is not there raises MeasureError."""
    import torch

    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and (kind == "cpu" or not index.isdecimal())):
        raise MeasureError(f"device: must be cpu, cuda or cuda:N (got {name})")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "cuda" and int(index or 0) >= count:
        raise MeasureError(f"device: must exist, and torch finds {count} CUDA devices here (got {name})")
    return torch.device(kind, int(index or 0)) if kind == "cuda" else torch.device("cpu")


def device_at_hand() -> str:
    """`cuda` where torch finds a CUDA device, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype_named(name: str) -> torch.dtype:
    """The torch type of a name in DTYPES; another raises MeasureError."""
    import torch

    if name not in DTYPES:
        raise MeasureError(f"dtype: must be one of {', '.join(DTYPES)} (got {name})")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def described(device: torch.device) -> dict[str, Any]:
    """The fields of a Recording that name the machine and the date."""
    import torch

    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else f"{_processor()}, {torch.get_num_threads()} threads",
        "device_kind": device.type,
        "driver": _driver() if cuda else None,
        "versions": _versions(),
        "date": now(),
    }


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    import torch

    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if torch.version.cuda:
        found["cuda"] = torch.version.cuda
    return found


def _processor() -> str:
    """The processor's model name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def gpu_state() -> dict[str, tuple[str, float]]:
    """Unit and value of the first GPU's clock and of its power limit, as far as nvidia-smi tells them."""
    shown = _asked_gpu("clocks.sm,power.limit").split(",")
    known = {"clock": "MHz", "power_limit": "W"}
    told = zip(known.items(), shown, strict=False)
    return {name: (unit, float(one)) for (name, unit), one in told if one.strip().replace(".", "", 1).isdigit()}


def _driver() -> str | None:
    shown = _asked_gpu("driver_version").split()
    return shown[0] if shown else None


def _asked_gpu(fields: str) -> str:
    """What nvidia-smi says of the first GPU, or nothing."""
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.partition("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return ""
