"""Merges candidates and Medusa's guesses into trees; writes down their masks and what they save."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.courses.comp4901y.hw4_q2_tree_attention.params import TreeParams
from generators.recording import Recording
from generators.table import Column, Table, column, table
from generators.topics.measured import in_ms
from generators.topics.prefix_tree import Tree, ancestor_mask, leaves, path, transpose, tree_of_heads, tree_of_sequences

T, S, k, C, N_LAYER, D, E = sympy.symbols("T S k C N_layer D e", positive=True)
MODEL = ("n_layers", "d_model", "context_len")


def solve(params: TreeParams) -> Answer:
    """Both trees with their masks and savings, and the recorded batches."""
    drafted = tree_of_sequences(params.candidates)
    sheet = _sheet(params, repeated=not _tokens_differ(drafted))
    medusa = tree_of_heads(params.medusa.root, [head[: params.medusa.top_k] for head in params.medusa.heads])
    lengths = [len(candidate) for candidate in params.candidates]
    lengths_of_heads = [len(path(medusa, leaf)) for leaf in leaves(medusa)]
    return answer(
        sheet,
        _part("2.1", "Candidates of an assistant model", drafted, lengths, sheet, params),
        _part("2.2", "Medusa heads", medusa, lengths_of_heads, sheet, params),
        *(_measured(kind, one["hw4_q2_tree_batch"]) for kind, one in params.measured.items()),
    )


def _sheet(params: TreeParams, *, repeated: bool) -> Part:
    """What is given."""
    model, medusa = params.model, params.medusa
    candidates = {
        f"sequence_{number}": {"number": number, "tokens": ", ".join(tokens)}
        for number, tokens in enumerate(params.candidates, 1)
    }
    heads = {
        f"head_{number}": {"number": number, "guesses": " or ".join(head[: medusa.top_k])}
        for number, head in enumerate(medusa.heads, 1)
    }
    return part(
        "sheet",
        "Given",
        table("candidates", ["number", "tokens"], candidates),
        text("root", medusa.root),
        table("heads", ["number", "guesses"], heads),
        number("n_heads", len(medusa.heads), "Medusa heads"),
        number("top_k", medusa.top_k, "guesses of each head"),
        claim("tokens_stand_once", not repeated, "each token of the candidates stands in one place"),
        claim("tokens_repeat", repeated, "a token of the candidates stands in several places"),
        claim("one_guess", medusa.top_k == 1),
        claim("several_guesses", medusa.top_k > 1),
        letter(N_LAYER, model.n_layers, "layers"),
        letter(D, model.d_model, "model width"),
        letter(C, model.context_len, "context tokens"),
        letter(E, params.conventions.bytes_per_element, "bytes of one element", "B"),
        claim("rows_are_ancestors", params.conventions.rows == "ancestors"),
        claim("rows_are_queries", params.conventions.rows == "queries"),
    )


def _part(label: str, title: str, tree: Tree, lengths: Sequence[int], sheet: Part, params: TreeParams) -> Part:
    return part(
        label,
        title,
        _nodes(tree),
        _mask(tree, transposed=params.conventions.rows == "queries", numbered=not _tokens_differ(tree)),
        *_saving(len(tree), lengths),
        within=sheet,
    )


def _tokens_differ(tree: Tree) -> bool:
    return len({node.token for node in tree}) == len(tree)


def _nodes(tree: Tree) -> Table:
    rows = {
        str(place): {
            "node": place,
            "token": node.token,
            "parent": None if node.parent is None else node.parent + 1,
            "depth": node.depth,
        }
        for place, node in enumerate(tree, 1)
    }
    return table("tree", ["node", "token", column("parent", "Parent node"), "depth"], rows, asked=True)


def _mask(tree: Tree, *, transposed: bool, numbered: bool) -> Table:
    """A row and a column a node; where a token stands more than once, its name carries the number of its node."""
    mask = transpose(ancestor_mask(tree)) if transposed else ancestor_mask(tree)
    places = [str(place) for place in range(1, len(tree) + 1)]
    rows = {
        place: {"token": f"{place}: {node.token}" if numbered else node.token, **dict(zip(places, cells, strict=True))}
        for place, node, cells in zip(places, tree, mask, strict=True)
    }
    return table("mask", ["token", *places], rows, asked=True)


def _saving(nodes: int, lengths: Sequence[int]) -> list[Item]:
    """Tokens and key-value cache bytes of the tree beside those of the candidates run apart."""
    each = 2 * N_LAYER * D * E
    return [
        number("tokens_in_tree", nodes, symbol=T),
        number("tokens_apart", sum(lengths), "tokens of all candidates run apart", S),
        number("candidates", len(lengths), symbol=k),
        formula("share_saved", (S - T) / S, "share of tokens saved", r"\Delta_{\text{tokens}} / S"),
        formula("bytes_per_token", each, "cache of one token, keys and values", r"M_{\text{token}}", "B"),
        formula("bytes_saved", each * (S - T), "cache saved on drafted tokens", r"\Delta_{\text{draft}}", "B"),
        formula(
            "bytes_saved_with_context",
            each * (S + k * C - T - C),
            "cache saved where each candidate run apart keeps its own copy of the context",
            r"\Delta_{\text{all}}",
            "B",
        ),
    ]


def _measured(kind: str, recording: Recording) -> Part:
    """Tokens, times and cache of the tree's batch beside the candidates run apart, as one padded batch and in turn."""
    made, model = recording.parameters, recording.parameters["model"]
    graphs = any(recording.find("seconds", launch="graph"))
    rows = {}
    for launched in recording.find("seconds", launch="kernel by kernel"):
        at = {name: launched.at[name] for name in ("part", "way")}
        cells = {"part": str(at["part"]), "way": str(at["way"]), "tokens": int(launched.at["tokens"])}
        times = {"launched": in_ms(launched)[0]}
        if graphs:
            times["graph"] = in_ms(recording.one("seconds", launch="graph", **at))[0]
        cache = {"cache": int(recording.one("cache_bytes", **at).samples[0])}
        rows["{part}-{way}".format(**at).replace(" ", "_")] = {**cells, **times, **cache}
    time_columns = [column("launched", unit="ms"), column("graph", unit="ms")] if graphs else [column("launched", "Time", "ms")]
    columns: list[Column | str] = ["part", "way", "tokens", *time_columns, column("cache", "Cache of keys and values", "B")]
    return part(
        f"measured_{kind}",
        {"cuda": "The tree's batch measured on a GPU", "cpu": "The tree's batch measured on a processor"}[kind],
        text("device", recording.device),
        text("recorded", recording.date),
        text("torch", recording.versions["torch"]),
        text("element_type", str(made["dtype"])),
        *(number(name, model[name]) for name in MODEL),
        claim("graphs", graphs, "kernels were also replayed as one CUDA graph"),
        table("batches", columns, rows),
    )
