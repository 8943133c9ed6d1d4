"""Lecture 25, Medusa: what the heads cost, the tree of their guesses, and pruning it to the likely ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Annotated, Self

import sympy
from pydantic import Field, model_validator

from generators.answer import Figure, Value, exact, rational
from generators.params import Exact, Params, PositiveInt, Text
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table, step
from generators.topics.medusa import (
    D_FF,
    N_LAYER,
    D,
    K,
    V,
    by_reach,
    expected_tokens,
    head_values,
    hit_rates,
    matrix_values,
    model_values,
    rate_symbols,
    reach,
)
from generators.topics.prefix_tree import Tree, level_sizes, path, subtree, tree_of_heads

MAX_NODES = 400
Share = Annotated[Exact, Field(gt=0, lt=1)]


class Conventions(Params):
    """What the sizes rest on."""

    head_bias: bool = Field(False, description="whether the first matrix of a head has a bias")
    bytes_per_value: int = Field(2, ge=1, le=8, description="bytes of one value (2 is FP16)")
    flops_per_multiply_add: int = Field(2, ge=1, le=2, description="FLOPs counted for one multiply-add")


class Model(Params):
    """The model the heads stand on."""

    name: Text
    n_layers: PositiveInt
    d_model: PositiveInt
    d_ff: PositiveInt
    vocabulary_size: PositiveInt


class Head(Params):
    """A head's guesses, best first, and how often each is right if all tokens before are."""

    guesses: Annotated[list[Text], Field(min_length=1)]
    accuracies: list[Share]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.guesses)) < len(self.guesses):
            raise ValueError(f"guesses: must not repeat a token (got {self.guesses})")
        if len(self.accuracies) != len(self.guesses):
            raise ValueError(f"accuracies: must be as many as guesses (got {len(self.accuracies)})")
        if self.accuracies != sorted(self.accuracies, reverse=True):
            raise ValueError(f"accuracies: must not rise from one guess to the next (got {_listed(self.accuracies)})")
        if sum(self.accuracies) > 1:
            raise ValueError(f"accuracies: must not sum to more than 1 (got {sum(self.accuracies)})")
        return self


def _listed(numbers: Sequence[Fraction]) -> str:
    return ", ".join(map(str, numbers))


class MedusaParams(Params):
    """The model, the token of its own head, the Medusa heads, and how many nodes the pruned tree has below the root."""

    model: Model
    root: Text
    heads: Annotated[list[Head], Field(min_length=1, max_length=6)]
    n_nodes: PositiveInt
    conventions: Conventions = Conventions()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        width = len(self.heads[0].guesses)
        for number, head in enumerate(self.heads, 1):
            if len(head.guesses) != width:
                raise ValueError(f"heads: head {number} must have {width} guesses like head 1 (got {len(head.guesses)})")
        nodes = sum(level_sizes([width] * len(self.heads))) - 1
        if nodes > MAX_NODES:
            raise ValueError(f"heads: the full tree must have at most {MAX_NODES} nodes below the root (got {nodes})")
        if self.n_nodes > nodes:
            raise ValueError(f"n_nodes: must be at most the {nodes} nodes of the full tree (got {self.n_nodes})")
        return self

    @property
    def guesses(self) -> list[list[str]]:
        """The guesses, one list a head."""
        return [head.guesses for head in self.heads]

    @property
    def shares(self) -> list[list[Fraction]]:
        """The accuracies, one list a head."""
        return [head.accuracies for head in self.heads]

    @property
    def widths(self) -> range:
        """How many guesses of each head a full tree may use."""
        return range(1, len(self.heads[0].guesses) + 1)

    @property
    def sizes(self) -> dict[sympy.Symbol, Value]:
        """The letters of the formulas with their values."""
        model = self.model
        sizes = {N_LAYER: model.n_layers, D: model.d_model, D_FF: model.d_ff, V: model.vocabulary_size}
        return {**sizes, K: len(self.heads)}


def solve(params: MedusaParams) -> Answer:
    """Count the heads, add up the full tree, and grow the best tree node by node."""
    sizes, full = _sizes(params), _full(params)
    return Answer({"1": sizes, "2": full, "3": _pruned(params, rational(sizes["slower"].value), full.tables["widths"])})


def _sizes(params: MedusaParams) -> Part:
    at, conventions = params.sizes, params.conventions
    head = head_values(bias=conventions.head_bias)
    flops = conventions.flops_per_multiply_add * head_values(bias=False)
    steps = {
        "head": step("values of one head", r"N_{\text{head}}", head, at),
        "model": step("values of the model", r"N_{\text{model}}", sympy.factor(model_values(), N_LAYER), at),
        "share": step("all heads over the model", r"K N_{\text{head}} / N_{\text{model}}", K * head / model_values(), at),
        "bytes": step("bytes of all heads", r"M_{\text{heads}}", conventions.bytes_per_value * K * head, at, "B"),
        "flops": step("FLOPs of all heads at one position", r"F_{\text{heads}}", K * flops, at, "FLOP"),
        "slower": step("weights a step reads, with over without heads", "s", 1 + K * head / matrix_values(), at),
    }
    return Part(title="The heads", steps=steps)


def full_tree(params: MedusaParams, width: int) -> Tree:
    """Every combination of each head's first `width` guesses."""
    return tree_of_heads(params.root, [guesses[:width] for guesses in params.guesses])


def _full(params: MedusaParams) -> Part:
    symbols = rate_symbols(len(params.heads))
    widest = params.widths[-1]
    formula = expected_tokens(symbols)
    rows = []
    for width in params.widths:
        rates = hit_rates(params.shares, width)
        sizes = level_sizes([width] * len(rates))
        tokens = exact(formula.subs(dict(zip(symbols, rates, strict=True))))
        rows.append((width, *rates, sum(sizes) - 1, sizes[-1], tokens))
    header = ("Guesses a head", *(f"Hit rate {k}" for k in range(1, len(symbols) + 1)), "Nodes", "Leaves", "Tokens a step")
    at = dict(zip(symbols, hit_rates(params.shares, widest), strict=True))
    steps = {
        "nodes": Step(what="nodes below the root", symbol="n", value=sum(level_sizes([widest] * len(symbols))) - 1),
        "tokens": step("expected tokens a step", r"\mathbb{E}[T]", formula, at),
    }
    return Part(title="The full tree", steps=steps, tables={"widths": Table(header=header, rows=tuple(rows))})


def best_tokens(params: MedusaParams) -> list[Fraction]:
    """Expected tokens a step with the best tree of 0, 1, 2 ... nodes below the root."""
    tree = full_tree(params, params.widths[-1])
    reached = reach(tree, params.shares, params.guesses)
    found: list[Fraction] = []
    for node in by_reach(tree, reached):
        found.append(reached[node] + (found[-1] if found else 0))
    return found


def pruned_tree(params: MedusaParams) -> tuple[Tree, list[Fraction]]:
    """The best tree of `n_nodes` below the root, and how likely each of its nodes is reached."""
    tree = full_tree(params, params.widths[-1])
    reached = reach(tree, params.shares, params.guesses)
    kept = sorted(by_reach(tree, reached)[: params.n_nodes + 1])
    return subtree(tree, kept), [reached[node] for node in kept]


def _pruned(params: MedusaParams, slower: Fraction, full: Table) -> Part:
    best = best_tokens(params)
    widest = len(best) - 1
    steps = {
        "tokens": Step(what="expected tokens a step", symbol=r"\mathbb{E}[T]", value=exact(best[params.n_nodes])),
        "share": Step(
            what="of what the full tree adds to the root's token", symbol=r"\rho",
            value=exact((best[params.n_nodes] - 1) / (best[widest] - 1)),
        ),
        "gain": Step(what="gain where reading weights sets the time", symbol="G", value=exact(best[params.n_nodes] / slower)),
    }  # fmt: skip
    tables = {"growth": _growth(params), "sizes": _by_size(full, best, slower), "tree": _nodes(params)}
    return Part(title="Pruned trees", steps=steps, tables=tables)


def _growth(params: MedusaParams) -> Table:
    """The nodes in the order in which they join the tree."""
    tree = full_tree(params, params.widths[-1])
    reached = reach(tree, params.shares, params.guesses)
    rows = []
    total = Fraction(0)
    for count, node in enumerate(by_reach(tree, reached)[: params.n_nodes + 1]):
        total += reached[node]
        words = [tree[above].token for above in path(tree, node)][1:]
        ranks = [guesses.index(word) + 1 for guesses, word in zip(params.guesses, words, strict=False)]
        rows.append((count, " ".join(words) or "the root", ", ".join(map(str, ranks)) or "–", reached[node], total))
    return Table(header=("Nodes", "Added", "Ranks", "Reached", "Tokens a step"), rows=tuple(rows))


def _by_size(full: Table, best: Sequence[Fraction], slower: Fraction) -> Table:
    """Full trees beside the best tree of as many nodes."""
    rows = []
    for row in full.rows:
        nodes = int(rational(row[-3]))
        rows.append((nodes, row[0], row[-1], exact(best[nodes]), exact(best[nodes] / slower)))
    header = ("Nodes", "Guesses a head", "Full tree", "Best tree of that size", "Its gain")
    return Table(header=header, rows=tuple(rows))


def _nodes(params: MedusaParams) -> Table:
    tree, reached = pruned_tree(params)
    rows = tuple(
        (number, node.token, None if node.parent is None else node.parent + 1, node.depth, share)
        for number, (node, share) in enumerate(zip(tree, reached, strict=True), 1)
    )
    return Table(header=("Node", "Token", "Parent node", "Depth", "Reached"), rows=rows)


def verify(params: MedusaParams, answer: Answer) -> Iterator[Check]:
    """Count a model and heads of torch, play every outcome of the heads, and search for better trees."""
    from generators.oracles.medusa import verify_medusa

    return verify_medusa(params, answer)


def draw(params: MedusaParams, answer: Answer) -> dict[str, Figure]:
    """The pruned tree, and expected tokens over the number of nodes."""
    from generators.figures.medusa import growth_figure, guesses_figure

    full = [(float(rational(row[-3])), float(rational(row[-1]))) for row in answer["2"].tables["widths"].rows]
    best = [(float(nodes), float(tokens)) for nodes, tokens in enumerate(best_tokens(params)) if nodes]
    return {
        "tree": guesses_figure(answer["3"].tables["tree"]),
        "growth": growth_figure(full, best, params.n_nodes),
    }


QUESTION = SelfVerifying(
    title="Medusa heads and their tree",
    points=0,
    params=MedusaParams,
    solve=solve,
    verify=verify,
    draw=draw,
)
