"""Finds the allocated bytes of the fine-tuning methods again, from the recording and from blocks of each tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from generators.oracles.compare import same, same_machine, same_rows
from generators.oracles.finetuning import TITLES
from generators.steps import Check, Part

if TYPE_CHECKING:
    from generators.recording import Recording

BLOCK_BYTES = 512
"""What torch's CUDA allocator rounds every tensor up to."""


def verify_allocation(recording: Recording, part: Part) -> Iterator[Check]:
    """Compare the measured table with the samples, and samples with predictions and with sums of whole blocks."""
    device, made = recording.device_kind, recording.parameters
    built = (made[name] for name in ("n_layers", "n_top_layers", "d_model", "n_heads", "rank"))
    yield same_machine(part.tables["machine"], recording, made["dtype"], *built)
    samples = {(one.at["method"], one.at["kind"], one.at["counted_by"]): round(one.samples[0]) for one in recording.series}
    methods = list(dict.fromkeys(str(one.at["method"]) for one in recording.series))
    rows = []
    for title, method in zip(TITLES, methods, strict=True):
        for kind in ("parameters", "gradients"):
            stored = samples[method, kind, "storage"]
            rows.append((title, kind, stored, stored, samples.get((method, kind, "allocator"))))
    yield same_rows(
        f"measured, {device}: predicted equals stored, for every method", part.tables["bytes"], rows, "torch, recorded storages"
    )
    if recording.device_kind == "cuda":
        for method, sizes in _tensors(recording.parameters).items():
            found = sum(-(-size // BLOCK_BYTES) * BLOCK_BYTES for size in sizes)
            what = f"measured: allocated for the parameters, {method}"
            yield same(what, samples[method, "parameters", "allocator"], found, f"blocks of {BLOCK_BYTES} B, tensor by tensor")


def _tensors(made: Mapping[str, Any]) -> dict[str, list[int]]:
    """Bytes of every trainable tensor of the methods whose tensors are small, by method."""
    width, rank, layers, element = made["d_model"], made["rank"], made["n_layers"], 4 if made["dtype"] == "float32" else 2
    return {
        "lora": [width * rank * element] * (6 * layers),
        "vera": [rank * element, width * element] * (3 * layers),
    }
