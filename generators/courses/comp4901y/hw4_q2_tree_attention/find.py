"""Finds trees and masks again by brute force over prefixes, and runs a transformer under each mask.

From the sheet: 2.1 merges the candidates' prefixes, 2.2 repeats each head's guesses under every node of the level above;
an upper triangular mask has a one where the row's token leads to the column's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice, product
from typing import Any

from generators.courses.comp4901y.hw4_q2_tree_attention.params import Model, TreeParams
from generators.found import Found, Proof, Route
from generators.oracles.recorded import said_of_machine
from generators.recording import Recording

SHEET = Route("the sheet and the parameters, read again", restates=True)
PREFIXES = Route("all prefixes, compared pair by pair")
CACHES = Route("key and value tensors on torch's meta device")
LOGITS = Route("a small transformer in float64", tolerance=1e-12)
SAMPLES = Route("numpy, from the raw samples", tolerance=1e-12)

Prefix = tuple[str, ...]
SAVING = {
    "tokens_in_tree": "T",
    "tokens_apart": "S",
    "candidates": "k",
    "share_saved": r"\Delta_{\text{tokens}} / S",
}
CACHE = {
    "bytes_per_token": r"M_{\text{token}}",
    "bytes_saved": r"\Delta_{\text{draft}}",
    "bytes_saved_with_context": r"\Delta_{\text{all}}",
}


def find(params: TreeParams) -> Iterator[Found | Proof]:
    """Everything that is published about both trees."""
    guesses = [list(islice(head, params.medusa.top_k)) for head in params.medusa.heads]
    by_level = [(params.medusa.root, *choice) for used in range(len(guesses) + 1) for choice in product(*guesses[:used])]
    full = [one for one in by_level if len(one) == len(guesses) + 1]
    yield from _given(params, guesses)
    drafted = _depth_first(params.candidates)
    repeated = len({one[-1] for one in drafted}) < len(drafted)
    yield from PREFIXES.values("sheet", tokens_stand_once=not repeated, tokens_repeat=repeated)
    yield from _tree("2.1", "Candidates of an assistant model", params, drafted, params.candidates)
    yield from _tree("2.2", "Medusa heads", params, by_level, full)
    for kind, recordings in params.measured.items():
        yield from _measured(kind, recordings["hw4_q2_tree_batch"])


def _given(params: TreeParams, guesses: Sequence[Sequence[str]]) -> Iterator[Found]:
    model, conventions = params.model, params.conventions
    yield from SHEET.part("sheet", "Given")
    sequences = {f"sequence_{n}": (n, ", ".join(tokens)) for n, tokens in enumerate(params.candidates, 1)}
    yield from SHEET.table("sheet", "candidates", sequences, columns=("number", "tokens"))
    heads = {f"head_{n}": (n, " or ".join(head)) for n, head in enumerate(guesses, 1)}
    yield from SHEET.table("sheet", "heads", heads, columns=("number", "guesses"))
    yield from SHEET.values("sheet", root=params.medusa.root, n_heads=len(guesses), top_k=len(guesses[0]))
    yield from SHEET.values("sheet", one_guess=len(guesses[0]) == 1, several_guesses=len(guesses[0]) > 1)
    yield from SHEET.letters("sheet", N_layer=model.n_layers, D=model.d_model, C=model.context_len)
    yield from SHEET.letters("sheet", unit="B", e=conventions.bytes_per_element)
    ancestors = conventions.rows == "ancestors"
    yield from SHEET.values("sheet", rows_are_ancestors=ancestors, rows_are_queries=not ancestors)


def _depth_first(sequences: Sequence[Sequence[str]]) -> list[Prefix]:
    """Every distinct prefix, ordered by when each of its own prefixes is first met: parents first, branch by branch."""
    met: dict[Prefix, int] = {}
    for sequence in sequences:
        for end in range(1, len(sequence) + 1):
            met.setdefault(tuple(sequence[:end]), len(met))
    return sorted(met, key=lambda prefix: [met[prefix[:end]] for end in range(1, len(prefix) + 1)])


def _tree(
    label: str, title: str, params: TreeParams, prefixes: Sequence[Prefix], candidates: Sequence[Sequence[str]]
) -> Iterator[Found | Proof]:
    place = {prefix: number for number, prefix in enumerate(prefixes, 1)}
    yield from SHEET.part(label, title)
    nodes = {str(number): (number, one[-1], place.get(one[:-1]), len(one) - 1) for one, number in place.items()}
    columns = ("node", "token", "parent", "depth")
    yield from PREFIXES.table(label, "tree", nodes, headings={"parent": "Parent node"}, columns=columns)
    once = len({one[-1] for one in prefixes}) == len(prefixes)
    leads = {(i, j): int(below[: len(above)] == above) for above, i in place.items() for below, j in place.items()}
    queries = params.conventions.rows == "queries"
    mask = {
        str(i): (one[-1] if once else f"{i}: {one[-1]}", *(leads[(j, i) if queries else (i, j)] for j in place.values()))
        for one, i in place.items()
    }
    yield from PREFIXES.table(label, "mask", mask, columns=("token", *map(str, place.values())))
    yield from LOGITS.proof(f"{label}: under the mask each candidate has the logits it has alone", _difference(prefixes, leads))
    yield from _saving(label, params, len(prefixes), [len(one) for one in candidates])


def _saving(label: str, params: TreeParams, tree: int, lengths: Sequence[int]) -> Iterator[Found]:
    apart = sum(lengths)
    values = (tree, apart, len(lengths), 1 - Fraction(tree, apart))
    yield from PREFIXES.values(label, dict(zip(SAVING, values, strict=True)), symbols=SAVING)
    context, element = params.model.context_len, params.conventions.bytes_per_element
    one, apart_each, together = (_cached(of, params.model, element) for of in ([1], lengths, [tree]))
    with_context = [_cached(of, params.model, element) for of in ([context + n for n in lengths], [context + tree])]
    held = (one, apart_each - together, with_context[0] - with_context[1])
    yield from CACHES.values(label, dict(zip(CACHE, held, strict=True)), unit="B", symbols=CACHE)


def _cached(lengths: Sequence[int], model: Model, element: int) -> int:
    """Bytes of the key and value tensors of sequences of these lengths."""
    import torch

    dtype = {2: torch.float16, 4: torch.float32}[element]
    shapes = [(length, model.d_model) for length in lengths for _ in range(model.n_layers) for _ in ("keys", "values")]
    return sum(torch.empty(shape, dtype=dtype, device="meta").nbytes for shape in shapes)


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
    """Medians of the raw samples; the recorded texts are read again, tokens and caches found from prefixes as well."""
    import numpy as np

    label, made = f"measured_{kind}", recording.parameters
    graphs = any(recording.find("seconds", launch="graph"))
    titles = {"cuda": "The tree's batch measured on a GPU", "cpu": "The tree's batch measured on a processor"}
    yield from SHEET.part(label, titles[kind])
    yield from said_of_machine(SHEET, label, recording)
    yield from SHEET.values(label, made["model"], graphs=graphs)
    rows: dict[str, dict[str, Any]] = {}
    for one in recording.series:
        row = rows.setdefault(f"{one.at['part']}-{one.at['way']}".replace(" ", "_"), {})
        row |= {name: one.at[name] for name in ("part", "way", "tokens") if name in one.at}
        if one.quantity == "seconds":
            row["launched" if one.at["launch"] == "kernel by kernel" else "graph"] = 1000 * float(np.median(one.samples))
        elif one.quantity == "cache_bytes":
            row["cache"] = round(one.samples[0])
    units = {"launched": "ms", **({"graph": "ms"} if graphs else {}), "cache": "B"}
    headings = {"cache": "Cache of keys and values"} | ({} if graphs else {"launched": "Time"})
    yield from SAMPLES.table(label, "batches", rows, units=units, headings=headings, columns=("part", "way", "tokens", *units))
    yield from _batches(label, made)


def _batches(label: str, made: Mapping[str, Any]) -> Iterator[Found]:
    """A tree is one sequence behind its context, a batch pads every candidate to the longest, in turn only one is held."""
    element, model, medusa = 4 if made["dtype"] == "float32" else 2, Model(**made["model"]), made["medusa"]
    heads = [list(islice(head, medusa["top_k"])) for head in medusa["heads"]]
    for part, sequences in (("2.1", made["candidates"]), ("2.2", list(product([medusa["root"]], *heads)))):
        lengths = [len(one) for one in sequences]
        nodes, longest, apart = len(_depth_first(sequences)), max(lengths), sum(lengths)
        padded = [longest] * len(lengths)
        for way, tokens, held in (("tree", nodes, [nodes]), ("one_batch", sum(padded), padded), ("in_turn", apart, [longest])):
            cache = _cached([model.context_len + one for one in held], model, element)
            yield from PREFIXES.cells(label, "batches", {f"{part}-{way}": {"tokens": tokens}})
            yield from CACHES.cells(label, "batches", {f"{part}-{way}": {"cache": cache}})
