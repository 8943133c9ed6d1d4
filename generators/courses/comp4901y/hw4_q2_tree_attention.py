"""Homework 4, question 2: prefix tree and tree attention mask of drafted candidates and of Medusa heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure
from generators.params import MeasuredParams, Params, PositiveInt, Text
from generators.recording import Recording
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.measured import in_ms
from generators.topics.prefix_tree import (
    Tree,
    ancestor_mask,
    leaves,
    level_sizes,
    path,
    transpose,
    tree_of_heads,
    tree_of_sequences,
)

MAX_NODES = 64
BATCHES = "hw4_q2_tree_batch"
MODEL = ("n_layers", "d_model", "context_len")
T, S, k, C, N_LAYER, D, E = sympy.symbols("T S k C N_layer D e", positive=True)


class Conventions(Params):
    """What the masks and the saving rest on."""

    rows: Literal["ancestors", "queries"] = Field("ancestors", description="what a row of the mask stands for")
    tokens: Literal["unique", "repeatable"] = Field("unique", description="whether a token of 2.1 names one node only")
    bytes_per_element: Literal[2, 4] = Field(2, description="bytes of one cached key or value element (2 is FP16)")


class Medusa(Params):
    """The original head's token, each Medusa head's ranked guesses, and how many of them are used."""

    root: Text
    heads: Annotated[list[list[Text]], Field(min_length=1)]
    top_k: PositiveInt

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for number, head in enumerate(self.heads, 1):
            if len(set(head)) < len(head):
                raise ValueError(f"heads: head {number} must not repeat a guess (got {head})")
            if len(head) < self.top_k:
                raise ValueError(f"heads: head {number} must have at least top_k = {self.top_k} guesses (got {head})")
        nodes = sum(level_sizes([self.top_k] * len(self.heads)))
        if nodes > MAX_NODES:
            raise ValueError(f"top_k: the tree must have at most {MAX_NODES} nodes (got {nodes})")
        return self

    @property
    def guesses(self) -> list[list[str]]:
        """The guesses that are used, one list a head."""
        return [head[: self.top_k] for head in self.heads]


class Model(Params):
    """The model whose key-value cache the saving is stated for."""

    n_layers: Annotated[int, Field(gt=0, le=10_000)]
    d_model: PositiveInt
    context_len: Annotated[int, Field(ge=0)]


class TreeParams(MeasuredParams):
    """Candidates of 2.1 and Medusa heads of 2.2."""

    candidates: Annotated[list[list[Text]], Field(min_length=1)]
    medusa: Medusa
    model: Model
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        seen: dict[tuple[str, ...], int] = {}
        for number, candidate in enumerate(self.candidates, 1):
            if not candidate:
                raise ValueError(f"candidates: sequence {number} must not be empty (got [])")
            if len(candidate) > MAX_NODES:
                raise ValueError(f"candidates: sequence {number} must have at most {MAX_NODES} tokens (got {len(candidate)})")
            first = seen.setdefault(tuple(candidate), number)
            if first != number:
                raise ValueError(f"candidates: sequence {number} must differ from sequence {first} (got {candidate})")
        tree = tree_of_sequences(self.candidates)
        if len(tree) > MAX_NODES:
            raise ValueError(f"candidates: the tree must have at most {MAX_NODES} nodes (got {len(tree)})")
        if self.conventions.tokens == "unique":
            _refuse_second_place(tree)
        return self


def _refuse_second_place(tree: Tree) -> None:
    parents: dict[str, str] = {}
    for node in tree:
        parent = "the root" if node.parent is None else tree[node.parent].token
        if node.token in parents:
            raise ValueError(
                f"candidates: token {node.token} must stand in one place while conventions.tokens is unique "
                f"(got it under {parents[node.token]} and under {parent})"
            )
        parents[node.token] = parent


def solve(params: TreeParams) -> Answer:
    """Merge the candidates, and Medusa's guesses, into trees; write down their masks and what they save."""
    drafted = tree_of_sequences(params.candidates)
    medusa = tree_of_heads(params.medusa.root, params.medusa.guesses)
    apart = [len(candidate) for candidate in params.candidates]
    apart_medusa = [len(path(medusa, leaf)) for leaf in leaves(medusa)]
    parts = {
        "2.1": _part("Candidates of an assistant model", drafted, apart, params),
        "2.2": _part("Medusa heads", medusa, apart_medusa, params),
    }
    return Answer(parts | {label: _measured(recording) for label, recording in batches(params).items()})


def batches(params: TreeParams) -> dict[str, Recording]:
    """The recordings of these trees; a GPU's only if its model is the page's, as a processor runs a smaller one."""
    found = {}
    for one in (params, params.elsewhere):
        recording = one.recordings.get(BATCHES) if one else None
        if recording:
            kind, made = recording.device_kind, recording.parameters
            page = params.model_dump(exclude={"conventions"} if kind == "cuda" else {"conventions", "model"})
            if all(made[name] == value for name, value in page.items()):
                found[f"measured_{kind}"] = recording
    return found


def _measured(recording: Recording) -> Part:
    """Tokens, times and cache of the tree's batch beside the candidates run apart, as one padded batch and in turn."""
    rows = []
    for launched in recording.find("seconds", launch="kernel by kernel"):
        at = {name: launched.at[name] for name in ("part", "way")}
        cache = recording.one("cache_bytes", **at)
        graph = next((in_ms(one)[0] for one in recording.find("seconds", launch="graph", **at)), None)
        rows.append((at["part"], at["way"], int(launched.at["tokens"]), in_ms(launched)[0], graph, int(cache.median)))
    made, model = recording.parameters, recording.parameters["model"]
    run = (recording.device, recording.date, recording.versions["torch"], str(made["dtype"]), *(model[name] for name in MODEL))
    tables = {
        "batches": Table(header=("Part", "Way", "Tokens", "Launched", "Graph", "Cache"), rows=tuple(rows)),
        "machine": Table(header=("Device", "Recorded", "Torch", "Element type", "N_layer", "D", "C"), rows=(run,)),
    }
    return Part(title="Measured", tables=tables)


def _part(title: str, tree: Tree, apart: list[int], params: TreeParams) -> Part:
    return Part(title=title, steps=_saving(len(tree), apart, params), tables={"tree": _nodes(tree), "mask": _mask(tree, params)})


def names(tree: Tree) -> list[str]:
    """A name a node: its token, preceded by its number where a token stands more than once."""
    tokens = [node.token for node in tree]
    if len(set(tokens)) == len(tokens):
        return tokens
    return [f"{number}: {token}" for number, token in enumerate(tokens, 1)]


def _nodes(tree: Tree) -> Table:
    rows = tuple(
        (number, node.token, None if node.parent is None else node.parent + 1, node.depth) for number, node in enumerate(tree, 1)
    )
    return Table(header=("Node", "Token", "Parent node", "Depth"), rows=rows)


def _mask(tree: Tree, params: TreeParams) -> Table:
    mask = ancestor_mask(tree)
    if params.conventions.rows == "queries":
        mask = transpose(mask)
    labels = names(tree)
    return Table(header=("", *labels), rows=tuple((label, *row) for label, row in zip(labels, mask, strict=True)))


def _saving(nodes: int, apart: list[int], params: TreeParams) -> dict[str, Step]:
    """Tokens and key-value cache bytes of the tree beside those of the candidates run apart."""
    model = params.model
    at = {T: nodes, S: sum(apart), k: len(apart), C: model.context_len}
    sizes = {**at, N_LAYER: model.n_layers, D: model.d_model, E: params.conventions.bytes_per_element}
    each = 2 * N_LAYER * D * E
    return {
        "tokens_in_tree": Step(what="tokens in the tree", symbol="T", value=nodes),
        "tokens_apart": Step(what="tokens of all candidates run apart", symbol="S", value=sum(apart)),
        "candidates": Step(what="candidates", symbol="k", value=len(apart)),
        "tokens_saved": step("tokens saved", r"\Delta_{\text{tokens}}", S - T, at),
        "share_saved": step("share of tokens saved", r"\Delta_{\text{tokens}} / S", (S - T) / S, at),
        "bytes_per_token": step("cache of one token, keys and values", r"M_{\text{token}}", each, sizes, "B"),
        "bytes_saved": step("cache saved on drafted tokens", r"\Delta_{\text{draft}}", each * (S - T), sizes, "B"),
        "bytes_saved_with_context": step(
            "cache saved when each candidate apart keeps its own copy of the context",
            r"\Delta_{\text{all}}", each * (S + k * C - T - C), sizes, "B",
        ),
    }  # fmt: skip


def verify(params: TreeParams, answer: Answer) -> Iterator[Check]:
    """Compare every pair of prefixes by brute force, and a transformer under the mask with each candidate alone."""
    from generators.oracles.tree_attention import verify_trees
    from generators.oracles.tree_batch import verify_batches

    recordings = batches(params)
    yield from verify_trees(params, Answer({label: part for label, part in answer.parts.items() if label not in recordings}))
    for label, recording in recordings.items():
        yield from verify_batches(recording, answer, label)


def draw(params: TreeParams, answer: Answer) -> dict[str, Figure]:
    """Each tree as a diagram and each mask as a picture."""
    from generators.figures.batches import batches_figure
    from generators.figures.mask import mask_figure
    from generators.figures.tree import tree_figure

    figures = {}
    for label in ("2.1", "2.2"):
        part = answer[label]
        figures[f"tree_{label}"] = tree_figure(part.tables["tree"])
        figures[f"mask_{label}"] = mask_figure(part.tables["mask"], params.conventions.rows)
    for label, recording in batches(params).items():
        figures[label] = batches_figure(answer[label].tables["batches"], recording.device)
    return figures


QUESTION = SelfVerifying(
    title="Tree attention: prefix trees and masks",
    points=40,
    params=TreeParams,
    solve=solve,
    verify=verify,
    draw=draw,
    recordings=(BATCHES,),
)
