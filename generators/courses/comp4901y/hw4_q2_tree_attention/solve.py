"""Merges candidates and Medusa's guesses into trees, and writes down their masks and the tokens they save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, number, part, text
from generators.cells import Cell, significant
from generators.courses.comp4901y.hw4_q2_tree_attention.params import TreeParams
from generators.recording import Recording
from generators.table import column, table
from generators.topics.measured import in_ms, machine
from generators.topics.prefix_tree import Tree, ancestor_mask, leaves, path, tree_of_guesses, tree_of_sequences

N_TREE, N_PATHS = sympy.symbols("N_tree N_paths", positive=True)
TITLES = {"cuda": "The tree and its candidates timed on a GPU", "cpu": "The tree and its candidates timed on a processor"}


def solve(params: TreeParams) -> Answer:
    """Both trees with their masks and savings, and the recorded passes."""
    medusa, transposed = params.medusa, params.conventions.rows == "queries"
    used = [head[: params.medusa.top_k] for head in medusa.heads]
    drafted = tree_of_sequences(params.candidates)
    guessed = tree_of_guesses(medusa.root, medusa.heads, medusa.top_k, medusa.choices)
    return answer(
        _sheet(params, used, repeated=_repeats(drafted)),
        part("2.1", "Candidates of an assistant model", *_tree(drafted, transposed=transposed)),
        part("2.2", "Medusa heads", *_tree(guessed, transposed=transposed)),
        *(_measured(kind, one["hw4_q2_tree_batch"]) for kind, one in params.measured.items()),
    )


def _sheet(params: TreeParams, used: Sequence[Sequence[str]], *, repeated: bool) -> Part:
    """What is given."""
    medusa, sparse, ancestors = params.medusa, params.medusa.choices is not None, params.conventions.rows == "ancestors"
    candidates = {f"sequence_{place}": (place, ", ".join(tokens)) for place, tokens in enumerate(params.candidates, 1)}
    heads = {f"head_{place}": (place, ", ".join(head)) for place, head in enumerate(used, 1)}
    return part(
        "sheet",
        "Given",
        number("n_candidates", len(candidates), "candidates"),
        table("candidates", ["number", "tokens"], candidates),
        text("root", medusa.root),
        number("n_heads", len(heads), "Medusa heads"),
        table("heads", ["number", "guesses"], heads),
        claim("all_combinations", not sparse, "every combination of guesses is used"),
        claim("some_combinations", sparse, "some combinations of guesses are used"),
        *([text("choices", ", ".join(map(str, medusa.choices)))] if medusa.choices else []),
        claim("tokens_stand_once", not repeated, "each token of the candidates stands in one place"),
        claim("tokens_repeat", repeated, "a token of the candidates stands in several places"),
        claim("rows_are_ancestors", ancestors),
        claim("rows_are_queries", not ancestors),
    )


def _repeats(tree: Tree) -> bool:
    return len({node.token for node in tree}) < len(tree)


def _tree(tree: Tree, *, transposed: bool) -> Iterator[Item]:
    """Nodes, mask, and the tokens that the tree saves: alone, one candidate a leaf would be run."""
    places = {str(place): node for place, node in enumerate(tree, 1)}
    parents = {place: (node.token, None if node.parent is None else node.parent + 1) for place, node in places.items()}
    mask = ancestor_mask(tree)
    alone = [len(path(tree, leaf)) for leaf in leaves(tree)]
    yield table("tree", ["token", "parent"], parents, asked=True, drawn=True)
    rows = zip(*mask, strict=True) if transposed else mask
    yield table("mask", list(places), dict(zip(places, rows, strict=True)), asked=True, drawn=True)
    yield number("leaves", len(alone))
    yield number("tokens_in_tree", len(tree), symbol=N_TREE)
    yield number("tokens_alone", sum(alone), "tokens of the paths to all leaves", N_PATHS)
    yield formula("share_saved", (N_PATHS - N_TREE) / N_PATHS, "share of tokens saved")


def _measured(kind: str, recording: Recording) -> Part:
    """Time and cache of the tree's pass beside those of its candidates as one padded batch and in turn."""
    graphs = any(recording.find("seconds", launch="graph"))
    rows: dict[str, Sequence[Cell]] = {}
    for one in recording.find("seconds", launch="graph" if graphs else "kernel by kernel"):
        at = {name: one.at[name] for name in ("part", "way")}
        times, cache = map(significant, in_ms(one)), int(recording.one("cache_bytes", **at).samples[0])
        off = significant(100 * recording.one("logit_difference", **at).samples[0], 3)
        key = f"{at['part']}-{at['way']}".replace(" ", "_")
        rows[key] = (*map(str, at.values()), int(one.at["tokens"]), *times, cache, off)
    columns = [column("time", unit="ms"), column("low", "First quartile", "ms"), column("high", "Third quartile", "ms"),
               column("cache", "Cache of keys and values", "B"), column("off", "Logits differ by", "%")]  # fmt: skip
    return part(
        f"measured_{kind}",
        TITLES[kind],
        *machine(recording),
        *(number(name, recording.parameters["model"][name]) for name in ("n_layers", "d_model", "context_len")),
        claim("graphs", graphs, "each pass was replayed as one CUDA graph"),
        table("batches", ["part", "way", "tokens", *columns], rows),
        *_ratios(rows),
    )


def _ratios(rows: dict[str, Sequence[Cell]]) -> Iterator[Item]:
    """Time and cache of the one batch over those of the tree, from the table's own numbers."""
    ratios = {}
    for label, (name, place) in product(("2.1", "2.2"), {"time": 3, "cache": 6}.items()):
        batch, tree = (float(rows[f"{label}-{way}"][place]) for way in ("one_batch", "tree"))  # type: ignore[arg-type]
        ratios[label, name] = significant(batch / tree, 3)
        yield number(f"{name}_{label}", ratios[label, name], f"{name} of the one batch over the tree's")
    memory = all(ratios[label, "cache"] > ratios[label, "time"] for label in ("2.1", "2.2"))
    yield claim("memory_above_all", memory, "the tree saves more of the cache than of the time")
