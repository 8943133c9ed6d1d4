"""Finds the times and caches of the tree's batch again: medians with numpy, bytes by counting cached tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from generators.answer import Answer, Check, rational
from generators.oracles.compare import close_rows, same

if TYPE_CHECKING:
    from generators.measure import Recording

MS = 1000


def verify_batches(recording: Recording, answer: Answer) -> Iterator[Check]:
    """Compare the measured table with the raw samples, and each tree's cache with what the answer predicts for it."""
    table = answer["measured"].tables["batches"]
    ways = list(dict.fromkeys((str(one.at["part"]), str(one.at["way"])) for one in recording.series))
    rows = []
    for label, way in ways:
        found = [one for one in recording.series if (one.at["part"], one.at["way"]) == (label, way)]
        timed = {str(one.at["launch"]): one for one in found if one.quantity == "seconds"}
        times = [MS * float(np.median(timed[launch].samples)) for launch in ("kernel by kernel", "graph")]
        (cache,) = (one.samples[0] for one in found if one.quantity == "cache_bytes")
        rows.append((label, way, timed["graph"].at["tokens"], *times, round(cache)))
    yield close_rows("measured: tokens, medians and caches", table, rows, "numpy, from the raw samples")
    context = recording.parameters["model"]["context_len"]
    for name, kind, tokens, _, _, cache_bytes in rows:
        if kind == "tree":
            label = str(name)
            part = answer[label]
            yield same(f"measured: tokens of the tree of {label}", part["tokens_in_tree"].value, tokens, "the recorded batch")
            predicted = rational(part["bytes_per_token"].value) * (context + rational(part["tokens_in_tree"].value))
            yield same(
                f"measured: cache of the tree of {label} with its context", predicted, cache_bytes, "torch, recorded bytes"
            )
