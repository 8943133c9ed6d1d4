"""Finds the times and caches of the tree's batch again: medians with numpy, bytes by counting cached tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from generators.oracles.compare import at_sizes, close_rows, same, same_machine
from generators.steps import Answer, Check

if TYPE_CHECKING:
    from generators.recording import Recording

MS = 1000
ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}


def verify_batches(recording: Recording, answer: Answer, place: str) -> Iterator[Check]:
    """Compare the measured table with the raw samples, and each tree's cache with what the answer predicts for it."""
    table, kind = answer[place].tables["batches"], recording.device_kind
    made, model = recording.parameters, recording.parameters["model"]
    sizes = (model[name] for name in ("n_layers", "d_model", "context_len"))
    yield same_machine(answer[place].tables["machine"], recording, made["dtype"], *sizes)
    ways = list(dict.fromkeys((str(one.at["part"]), str(one.at["way"])) for one in recording.series))
    rows = []
    for label, way in ways:
        found = [one for one in recording.series if (one.at["part"], one.at["way"]) == (label, way)]
        timed = {str(one.at["launch"]): one for one in found if one.quantity == "seconds"}
        launches = [timed.get(launch) for launch in ("kernel by kernel", "graph")]
        times = [MS * float(np.median(one.samples)) if one else None for one in launches]
        (cache,) = (one.samples[0] for one in found if one.quantity == "cache_bytes")
        rows.append((label, way, timed["kernel by kernel"].at["tokens"], *times, round(cache)))
    yield close_rows(f"measured, {kind}: tokens, medians and caches", table, rows, "numpy, from the raw samples")
    element = ELEMENT_BYTES[made["dtype"]]
    at = {"N_layer": model["n_layers"], "D": model["d_model"], "e": element}
    for label, tokens, cache_bytes in ((str(row[0]), row[2], row[-1]) for row in rows if row[1] == "tree"):
        part, where = answer[label], f"measured, {kind}"
        yield same(f"{where}: tokens of the tree of {label}", part["tokens_in_tree"].value, tokens, "the recorded batch")
        formula = part["bytes_per_token"].formula
        assert formula is not None
        predicted = at_sizes(formula, at) * (model["context_len"] + tokens)
        yield same(f"{where}: cache of the tree of {label} with its context", predicted, cache_bytes, "torch, recorded bytes")
