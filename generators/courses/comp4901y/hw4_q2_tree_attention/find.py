"""Finds trees and masks again by brute force over prefixes, and runs a transformer under each mask.

From the sheet: 2.1 merges the candidates' prefixes, 2.2 repeats each head's guesses under every node of the level above;
an upper triangular mask has a one where the row's token leads to the column's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Context
from fractions import Fraction
from itertools import islice, product
from typing import Any

from generators.courses.comp4901y.hw4_q2_tree_attention.params import TreeParams
from generators.found import Found, Proof, Route
from generators.oracles.recorded import said_of_machine
from generators.recording import Recording

SHEET = Route("the sheet and the parameters, read again", restates=True)
PREFIXES = Route("all prefixes, compared pair by pair")
CACHES = Route("key and value tensors on torch's meta device")
LOGITS = Route("a small transformer in float64", tolerance=1e-12)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)

Prefix = tuple[str, ...]
TITLES = {"cuda": "The tree and its candidates timed on a GPU", "cpu": "The tree and its candidates timed on a processor"}


def find(params: TreeParams) -> Iterator[Found | Proof]:
    """Everything that is published about both trees."""
    guesses = [list(islice(head, params.medusa.top_k)) for head in params.medusa.heads]
    drafted = _depth_first(params.candidates)
    once = len({one[-1] for one in drafted}) == len(drafted)
    yield from _given(params, guesses)
    yield from PREFIXES.values("sheet", tokens_stand_once=once, tokens_repeat=not once)
    queries = params.conventions.rows == "queries"
    yield from SHEET.part("2.1", "Candidates of an assistant model")
    yield from _tree("2.1", drafted, queries=queries)
    yield from SHEET.part("2.2", "Medusa heads")
    yield from _tree("2.2", _level_by_level(params.medusa.root, guesses, params.medusa.choices), queries=queries)
    for kind, recordings in params.measured.items():
        yield from _measured(kind, recordings["hw4_q2_tree_batch"])


def _given(params: TreeParams, guesses: Sequence[Sequence[str]]) -> Iterator[Found]:
    yield from SHEET.part("sheet", "Given")
    sequences = {f"sequence_{n}": (n, ", ".join(tokens)) for n, tokens in enumerate(params.candidates, 1)}
    yield from SHEET.table("sheet", "candidates", sequences, columns=("number", "tokens"))
    heads = {f"head_{n}": (n, ", ".join(head)) for n, head in enumerate(guesses, 1)}
    yield from SHEET.table("sheet", "heads", heads, columns=("number", "guesses"))
    yield from SHEET.values("sheet", root=params.medusa.root, n_heads=len(guesses), n_candidates=len(sequences))
    choices = params.medusa.choices or []
    yield from SHEET.values("sheet", all_combinations=not choices, some_combinations=len(choices) > 0)
    if choices:
        yield from SHEET.values("sheet", choices=str(choices)[1:-1])
    ancestors = params.conventions.rows == "ancestors"
    yield from SHEET.values("sheet", rows_are_ancestors=ancestors, rows_are_queries=not ancestors)


def _depth_first(sequences: Sequence[Sequence[str]]) -> list[Prefix]:
    """Every distinct prefix, ordered by when each of its own prefixes is first met: parents first, branch by branch."""
    met: dict[Prefix, int] = {}
    for sequence in sequences:
        for end in range(1, len(sequence) + 1):
            met.setdefault(tuple(sequence[:end]), len(met))
    return sorted(met, key=lambda prefix: [met[prefix[:end]] for end in range(1, len(prefix) + 1)])


def _level_by_level(root: str, guesses: Sequence[Sequence[str]], choices: Sequence[Sequence[int]] | None) -> list[Prefix]:
    """The root, then what follows it: shorter before longer, and of equals those whose guesses are ranked higher."""
    ranks, levels = [range(len(head)) for head in guesses], range(1, len(guesses) + 1)
    if choices is None:
        kept = [one for level in levels for one in product(*ranks[:level])]
    else:
        kept = [one for level in levels for one in sorted(map(tuple, choices)) if len(one) == level]
    return [(root,), *((root, *(head[rank] for head, rank in zip(guesses, one, strict=False))) for one in kept)]


def _tree(label: str, prefixes: Sequence[Prefix], *, queries: bool) -> Iterator[Found | Proof]:
    place = {prefix: number for number, prefix in enumerate(prefixes, 1)}
    nodes = {str(number): (one[-1], place.get(one[:-1])) for one, number in place.items()}
    yield from PREFIXES.table(label, "tree", nodes, columns=("token", "parent"))
    leads = {(i, j): int(below[: len(above)] == above) for above, i in place.items() for below, j in place.items()}
    numbers = place.values()
    mask = {str(i): [leads[(j, i) if queries else (i, j)] for j in numbers] for i in numbers}
    yield from PREFIXES.table(label, "mask", mask, columns=tuple(map(str, numbers)))
    yield from LOGITS.proof(f"{label}: under the mask each candidate has the logits it has alone", _difference(prefixes, leads))
    ends = [one for one in prefixes if all(one == other or other[: len(one)] != one for other in prefixes)]
    tree, alone = len(prefixes), sum(map(len, ends))
    symbols = {"tokens_in_tree": "N_tree", "tokens_alone": "N_paths"}
    yield from PREFIXES.values(label, tokens_in_tree=tree, tokens_alone=alone, symbols=symbols)
    yield from PREFIXES.values(label, leaves=len(ends), share_saved=1 - Fraction(tree, alone))


def _difference(prefixes: Sequence[Prefix], leads: dict[tuple[int, int], int]) -> float:
    """The largest difference between logits under the mask, in one pass, and those of each prefix run alone."""
    import torch

    from generators.courses.comp4901y.hw4_q2_tree_attention.transformer import logits

    vocabulary = {token: number for number, token in enumerate(sorted({one[-1] for one in prefixes}))}
    tokens = [vocabulary[one[-1]] for one in prefixes]
    size = range(1, len(prefixes) + 1)
    allowed = torch.tensor([[leads[above, query] == 1 for above in size] for query in size])
    together = logits(tokens, [len(one) - 1 for one in prefixes], allowed)
    alone = [
        logits([vocabulary[token] for token in one], range(len(one)), torch.ones(len(one), len(one)).tril().bool())[-1]
        for one in prefixes
    ]
    return float((together - torch.stack(alone)).abs().nan_to_num(nan=torch.inf).max())


def _measured(kind: str, recording: Recording) -> Iterator[Found]:
    """Quartiles of the raw samples; tokens and caches are found from prefixes as well."""
    import numpy as np

    label, made = f"measured_{kind}", recording.parameters
    graphs = any(recording.find("seconds", launch="graph"))
    yield from SHEET.part(label, TITLES[kind])
    yield from said_of_machine(SHEET, label, recording)
    yield from SHEET.values(label, made["model"], graphs=graphs)
    rows: dict[str, dict[str, Any]] = {}
    for one in recording.series:
        at = {name: one.at[name] for name in ("part", "way")}
        row = rows.setdefault("-".join(map(str, at.values())).replace(" ", "_"), at)
        if one.quantity == "seconds" and one.at["launch"] == ("graph" if graphs else "kernel by kernel"):
            low, middle, high = (_shown(1000 * x) for x in np.percentile(one.samples, (25, 50, 75)))
            row |= {"tokens": one.at["tokens"], "time": middle, "low": low, "high": high}
        elif one.quantity != "seconds":
            cache = one.quantity == "cache_bytes"
            row["cache" if cache else "off"] = round(one.samples[0]) if cache else _shown(100 * one.samples[0])
    units = {"time": "ms", "low": "ms", "high": "ms", "cache": "B", "off": "%"}
    headings = {"low": "First quartile", "high": "Third quartile", "cache": "Cache of keys and values", "off": "Logits differ by"}
    columns = ("part", "way", "tokens", *units)
    yield from SAMPLES.table(label, "batches", rows, units=units, headings=headings, columns=columns)
    times = {f"{of}_{part}": _shown(rows[f"{part}-one_batch"][of] / rows[f"{part}-tree"][of])
             for part in ("2.1", "2.2") for of in ("time", "cache")}  # fmt: skip
    yield from SAMPLES.values(label, times)
    memory = min(times[f"cache_{part}"] - times[f"time_{part}"] for part in ("2.1", "2.2"))
    yield from SAMPLES.values(label, memory_above_all=memory > 0)
    yield from _batches(label, made)


def _shown(number: float) -> float:
    """The nearest decimal number of three digits."""
    return float(Context(prec=3).create_decimal(repr(float(number))))


def _batches(label: str, made: Mapping[str, Any]) -> Iterator[Found]:
    """A tree is one sequence behind its context, a batch pads every candidate to the longest, in turn only one is held."""
    medusa, model = made["medusa"], made["model"]
    guesses = [list(islice(head, medusa.get("top_k"))) for head in medusa["heads"]]
    guessed = _level_by_level(medusa["root"], guesses, medusa.get("choices"))
    for part, prefixes in (("2.1", _depth_first(made["candidates"])), ("2.2", guessed)):
        lengths = [len(one) for one in prefixes if not any(other[:-1] == one for other in prefixes)]
        nodes, longest, apart = len(prefixes), max(lengths), sum(lengths)
        padded = [longest] * len(lengths)
        for way, tokens, held in (("tree", nodes, [nodes]), ("one_batch", sum(padded), padded), ("in_turn", apart, [longest])):
            yield from PREFIXES.cells(label, "batches", {f"{part}-{way}": {"tokens": tokens}})
            cache = _cached([model["context_len"] + one for one in held], model, made["dtype"])
            yield from CACHES.cells(label, "batches", {f"{part}-{way}": {"cache": cache}})


def _cached(lengths: Sequence[int], model: Mapping[str, int], dtype: str) -> int:
    """Bytes of the key and value tensors of sequences of these lengths."""
    import torch

    shapes = [(length, model["d_model"]) for length in lengths for _ in range(2 * model["n_layers"])]
    return sum(torch.empty(shape, dtype=getattr(torch, dtype), device="meta").nbytes for shape in shapes)
