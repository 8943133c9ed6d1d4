"""Finds rates and rooflines of the timed products again, from the raw samples with numpy and the operands' shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from generators.oracles.compare import close, close_rows, same_machine
from generators.oracles.layer_products import NAMES
from generators.steps import Check, Part

if TYPE_CHECKING:
    from generators.recording import Recording

NUMPY = "numpy, from the raw samples"
ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}


def verify_products(recording: Recording, part: Part) -> Iterator[Check]:
    """A product's least time is the longer of moving its operands and of its FLOPs; its share is that over its median."""
    kind, element = recording.device_kind, ELEMENT_BYTES[recording.parameters["dtype"]]
    timed = [one for one in recording.series if one.quantity == "seconds"]
    ceilings: dict[Any, Any] = {one.at["ceiling"]: one for one in timed if "ceiling" in one.at}
    per_byte = np.median(ceilings["copy"].samples) / ceilings["copy"].at["bytes"]
    per_flop = np.median(ceilings["matrix product"].samples) / ceilings["matrix product"].at["flops"]
    rows = []
    for one in timed:
        if "product" in one.at:
            batch, m, k, n = (int(one.at[name]) for name in ("batch", "m", "k", "n"))
            flops, moved = 2 * batch * m * k * n, element * batch * (m * k + k * n + m * n)
            least, median = max(flops * per_flop, moved * per_byte), float(np.median(one.samples))
            name = f"{one.at['phase']}: {NAMES[str(one.at['product'])]}"
            rates = (flops / median * 1e-12, flops / least * 1e-12, 100 * least / median)
            rows.append((name, *(float(x) for x in (flops / moved, median * 1e6, *rates))))
    yield close_rows(f"measured, {kind}: times, rates and rooflines", part.tables["products"], rows, NUMPY)
    made = recording.parameters
    sizes = (made[name] for name in ("seq_len", "d_model", "n_heads"))
    yield same_machine(part.tables["machine"], recording, made["dtype"], *sizes)
    yield close(f"measured, {kind}: copy bandwidth", part["bandwidth"].value, float(1e-9 / per_byte), NUMPY)
    yield close(f"measured, {kind}: matrix rate", part["rate"].value, float(1e-12 / per_flop), NUMPY)
    yield close(f"measured, {kind}: ridge point", part["ridge"].value, float(per_byte / per_flop), NUMPY)
