"""Merges candidates and Medusa's guesses into trees; writes down their masks and what they save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy

from generators.answer import Answer, Item, Part, answer, claim, formula, letter, number, part, text
from generators.cells import Cell
from generators.courses.comp4901y.hw4_q2_tree_attention.params import TreeParams
from generators.recording import Recording
from generators.table import column, table
from generators.topics.measured import in_ms, machine
from generators.topics.prefix_tree import Tree, ancestor_mask, leaves, path, tree_of_heads, tree_of_sequences

T, S, k, C, N_LAYER, D, E = sympy.symbols("T S k C N_layer D e", positive=True)


def solve(params: TreeParams) -> Answer:
    """Both trees with their masks and savings, and the recorded batches."""
    used = [head[: params.medusa.top_k] for head in params.medusa.heads]
    drafted, medusa = tree_of_sequences(params.candidates), tree_of_heads(params.medusa.root, used)
    sheet = _sheet(params, used, repeated=_repeats(drafted))
    lengths = [len(candidate) for candidate in params.candidates]
    lengths_of_heads = [len(path(medusa, leaf)) for leaf in leaves(medusa)]
    transposed = params.conventions.rows == "queries"
    return answer(
        sheet,
        part("2.1", "Candidates of an assistant model", *_tree(drafted, lengths, transposed=transposed), within=sheet),
        part("2.2", "Medusa heads", *_tree(medusa, lengths_of_heads, transposed=transposed), within=sheet),
        *(_measured(kind, one["hw4_q2_tree_batch"]) for kind, one in params.measured.items()),
    )


def _sheet(params: TreeParams, used: Sequence[Sequence[str]], *, repeated: bool) -> Part:
    """What is given."""
    model, medusa = params.model, params.medusa
    candidates = {f"sequence_{number}": (number, ", ".join(tokens)) for number, tokens in enumerate(params.candidates, 1)}
    heads = {f"head_{number}": (number, " or ".join(head)) for number, head in enumerate(used, 1)}
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


def _repeats(tree: Tree) -> bool:
    return len({node.token for node in tree}) < len(tree)


def _tree(tree: Tree, lengths: Sequence[int], *, transposed: bool) -> list[Item]:
    """Nodes, mask, and what the tree saves; where a token stands more than once, its name in the mask carries its node."""
    places = {str(place): node for place, node in enumerate(tree, 1)}
    nodes = {
        place: (int(place), node.token, None if node.parent is None else node.parent + 1, node.depth)
        for place, node in places.items()
    }
    mask = ancestor_mask(tree)
    names = [f"{place}: {node.token}" if _repeats(tree) else node.token for place, node in places.items()]
    shown = zip(places, names, zip(*mask, strict=True) if transposed else mask, strict=True)
    return [
        table("tree", ["node", "token", column("parent", "Parent node"), "depth"], nodes, asked=True),
        table("mask", ["token", *places], {place: (name, *cells) for place, name, cells in shown}, asked=True),
        *_saving(len(tree), lengths),
    ]


def _saving(nodes: int, lengths: Sequence[int]) -> list[Item]:
    """Tokens and key-value cache bytes of the tree beside those of the candidates run apart."""
    each, kept_apart = 2 * N_LAYER * D * E, "cache saved where each candidate run apart keeps its own copy of the context"
    return [
        number("tokens_in_tree", nodes, symbol=T),
        number("tokens_apart", sum(lengths), "tokens of all candidates run apart", S),
        number("candidates", len(lengths), symbol=k),
        formula("share_saved", (S - T) / S, "share of tokens saved", r"\Delta_{\text{tokens}} / S"),
        formula("bytes_per_token", each, "cache of one token, keys and values", r"M_{\text{token}}", "B"),
        formula("bytes_saved", each * (S - T), "cache saved on drafted tokens", r"\Delta_{\text{draft}}", "B"),
        formula("bytes_saved_with_context", each * (S + k * C - T - C), kept_apart, r"\Delta_{\text{all}}", "B"),
    ]


def _measured(kind: str, recording: Recording) -> Part:
    """Tokens, times and cache of the tree's batch beside the candidates run apart, as one padded batch and in turn."""
    graphs = any(recording.find("seconds", launch="graph"))
    launches = ["kernel by kernel", "graph"][: 1 + graphs]

    def rows() -> Iterator[tuple[str, Sequence[Cell]]]:
        for one in recording.find("seconds", launch="kernel by kernel"):
            at = {name: one.at[name] for name in ("part", "way")}
            times = [in_ms(recording.one("seconds", launch=launch, **at))[0] for launch in launches]
            cache = int(recording.one("cache_bytes", **at).samples[0])
            yield "{part}-{way}".format(**at).replace(" ", "_"), (*map(str, at.values()), int(one.at["tokens"]), *times, cache)

    times = [column("launched", unit="ms"), column("graph", unit="ms")] if graphs else [column("launched", "Time", "ms")]
    return part(
        f"measured_{kind}",
        {"cuda": "The tree's batch measured on a GPU", "cpu": "The tree's batch measured on a processor"}[kind],
        *machine(recording),
        *(number(name, recording.parameters["model"][name]) for name in ("n_layers", "d_model", "context_len")),
        claim("graphs", graphs, "kernels were also replayed as one CUDA graph"),
        table("batches", ["part", "way", "tokens", *times, column("cache", "Cache of keys and values", "B")], rows()),
    )
