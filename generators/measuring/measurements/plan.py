"""Which recordings there are, and the parameters of each on a kind of device."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from generators.errors import MeasureError
from generators.measuring.measurements.collect import Measure
from generators.pipeline.catalog import COURSES, read_mapping

COURSE = COURSES / "comp4901y"
RECORDINGS = COURSE / "recordings"
MEASUREMENTS = COURSE / "measurements.yml"

_MEASURES = {
    "hw3_q1_products": "products.measure",
    "hw4_q1_allocation": "allocation.measure",
    "hw4_q2_tree_batch": "tree_batch.measure",
    "hw3_q3_output_len": "generation.measure_output_len",
    "hw3_q3_beam_width": "generation.measure_beam_width",
    "hw3_q3_top_k": "generation.measure_top_k",
    "hw3_q3_top_p": "generation.measure_top_p",
    "hw4_q3_speculative": "speculative.measure",
}
"""Where each recording is made, the shortest first."""

NAMES = tuple(_MEASURES)


def measure_of(what: str) -> Measure:
    """The function that makes a recording."""
    module, function = _MEASURES[what].split(".")
    measure: Measure = getattr(import_module(f"generators.measuring.measurements.{module}"), function)
    return measure


def parameters_of(what: str, device_kind: str, *, small: bool = False) -> dict[str, Any]:
    """What a recording is to be made with on `cpu` or `cuda`: the question's parameters under its own entry."""
    entry = read_mapping(MEASUREMENTS).get(what)
    if what not in _MEASURES or not isinstance(entry, Mapping):
        raise MeasureError(f"{MEASUREMENTS.name}: {what}: must be one of {', '.join(NAMES)}")
    found: dict[str, Any] = {}
    questions = read_mapping(COURSE / "params.yml")
    for question, fields in entry.get("take", {}).items():
        found |= {field: questions[question][field] for field in fields}
    for layer in ("all", device_kind, *(["small"] if small else [])):
        found |= entry.get(layer, {})
    return found


def path_of(what: str, device_kind: str, folder: Path = RECORDINGS) -> Path:
    """Where a recording lies."""
    return folder / f"{what}.{device_kind}.json"
