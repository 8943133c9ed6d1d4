"""Which recordings there are, and the parameters of each on a kind of device."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from generators.errors import MeasureError
from generators.measuring.measurements.collect import Measure
from generators.pipeline.catalog import COURSES, read_mapping, shown
from generators.pipeline.wording import shortened

COURSE = COURSES / "comp4901y"
RECORDINGS = COURSE / "recordings"
MEASUREMENTS = COURSE / "measurements.yml"

_MEASURES = {
    "hw3_q1_products": "products.measure",
    "hw4_q1_allocation": "allocation.measure",
    "hw4_q2_tree_batch": "tree_batch.measure",
    "hw3_q3_launches": "launches.measure",
    "hw3_q3_output_len": "generation.measure_output_len",
    "hw3_q3_beam_width": "generation.measure_beam_width",
    "hw3_q3_top_k": "generation.measure_filter",
    "hw3_q3_top_p": "generation.measure_filter",
    "hw4_q3_program": "speculative.measure",
    "hw4_q3_speculative": "speculative.measure",
}
"""Where each recording is made, the shortest first."""

NAMES = tuple(_MEASURES)


def measure_of(what: str) -> Measure:
    """The function that makes a recording."""
    module, function = _MEASURES[what].split(".")
    measure: Measure = getattr(import_module(f"generators.measuring.measurements.{module}"), function)
    return measure


_PARTS = ("take", "all", "cuda", "cpu", "small")
"""What an entry may hold: fields of the questions' entries, fields for every device, and fields for one kind of it."""


def parameters_of(what: str, device_kind: str, *, small: bool = False) -> dict[str, Any]:
    """What a recording is to be made with on `cpu` or `cuda`: the question's parameters under its own entry."""
    entries = read_mapping(MEASUREMENTS)
    if what not in _MEASURES or what not in entries:
        raise MeasureError(f"{MEASUREMENTS.name}: {what}: must be one of {', '.join(NAMES)}")
    where = f"{shown(MEASUREMENTS)}: {what}"
    entry, questions = _entry(entries[what], where), read_mapping(COURSE / "params.yml")
    found: dict[str, Any] = {}
    for question, fields in entry["take"].items():
        given = questions.get(question)
        for field in fields if isinstance(fields, list) else [fields]:
            if not isinstance(given, dict) or not isinstance(field, str) or field not in given:
                got = shortened(str(field))
                raise MeasureError(f"{where}: take.{question}: must name fields of this entry in params.yml (got {got})")
            found[field] = given[field]
    for layer in ("all", device_kind, *(["small"] if small else [])):
        found |= entry[layer]
    return found


def _entry(given: Any, where: str) -> dict[str, dict[str, Any]]:
    """An entry whose parts are mappings; checked by hand, as machines that measure may lack pydantic."""
    if not isinstance(given, dict):
        raise MeasureError(f"{where}: must be a mapping (got {shortened(str(given))})")
    for name, part in given.items():
        if name not in _PARTS:
            raise MeasureError(f"{where}: {name}: is not a known key (got {shortened(str(part))})")
        if not isinstance(part, dict):
            raise MeasureError(f"{where}: {name}: must be a mapping (got {shortened(str(part))})")
    return {name: given.get(name, {}) for name in _PARTS}


def path_of(what: str, device_kind: str, folder: Path = RECORDINGS) -> Path:
    """Where a recording lies."""
    return folder / f"{what}.{device_kind}.json"
