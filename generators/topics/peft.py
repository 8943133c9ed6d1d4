"""What parameter-efficient fine-tuning adds to a transformer layer: shapes, values and FLOPs.

The layer has W^Q, W^K, W^V, W^O of D×D, W^1 of D×4D and W^2 of 4D×D, and no biases, unless another width of keys and values
or of the feed-forward network is given.
Counts are symbolic; one FLOP stands here for one multiply-add, which callers scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import sympy

N_LAYER, N_TOP, D, R, B, L, D_KV, D_FF = sympy.symbols("N_layer N_top D R B L D_kv D_ff", positive=True)

ATTENTION_MATRICES = 4
ADAPTERS = 2
FFN_FACTOR = 4
BELOW_ATTENTION, ABOVE_ATTENTION = ("query", "key", "value"), ("output", "up", "down")
GRADIENTS = {"query": ("scores", "query"), "key": ("scores", "key"), "value": ("value",)}
"""The products of attention that lead backward to each: the gradient of the scores, then those of query or key, or of value."""


@dataclass(frozen=True)
class Group:
    """Trainable tensors of one shape: their names as LaTeX, how many a layer has, and their shape."""

    names: str
    count: int
    shape: tuple[sympy.Expr, ...]

    @property
    def values(self) -> sympy.Expr:
        """Values in all tensors of the group together."""
        return self.count * sympy.prod(self.shape)


def layer_groups(kv: sympy.Expr = D, ff: sympy.Expr = FFN_FACTOR * D) -> list[Group]:
    """The layer's own matrices; keys and values have width `kv`, the feed-forward network is `ff` wide inside."""
    attention = [Group("W^Q, W^K, W^V, W^O", ATTENTION_MATRICES, (D, D))]
    if kv != D:
        attention = [Group("W^Q, W^O", 2, (D, D)), Group("W^K, W^V", 2, (D, kv))]
    return [*attention, Group("W^1", 1, (D, ff)), Group("W^2", 1, (ff, D))]


def adapter_groups(*, biases: bool) -> list[Group]:
    """Two adapters in each layer, x + σ(x W_A) W_B."""
    groups = [
        Group(r"W_A \text{ of each adapter}", ADAPTERS, (D, R)),
        Group(r"W_B \text{ of each adapter}", ADAPTERS, (R, D)),
    ]
    if biases:
        groups += [
            Group(r"\beta_A \text{ of each adapter}", ADAPTERS, (R,)),
            Group(r"\beta_B \text{ of each adapter}", ADAPTERS, (D,)),
        ]
    return groups


Ends: TypeAlias = Mapping[str, tuple[sympy.Expr, sympy.Expr]]
"""Inputs and outputs of linear layers by name, from the bottom of a transformer layer up."""


def linear_ends(kv: sympy.Expr = D, ff: sympy.Expr = FFN_FACTOR * D) -> Ends:
    """The linear layers of a layer whose keys and values have width `kv`, and `ff` inside."""
    return {"query": (D, D), "key": (D, kv), "value": (D, kv), "output": (D, D), "up": (D, ff), "down": (ff, D)}


def _by_shape(tensor: str, shapes: Mapping[str, tuple[sympy.Expr, ...]]) -> list[Group]:
    """A tensor beside each linear layer, those of one shape together."""
    alike = {shape: [name for name, one in shapes.items() if one == shape] for shape in shapes.values()}
    return [Group(rf"{tensor} \text{{ of {', '.join(names)}}}", len(names), shape) for shape, names in alike.items()]


def lora_groups(ends: Ends) -> list[Group]:
    """A and B beside each linear layer."""
    into = {name: (inputs, R) for name, (inputs, _) in ends.items()}
    return _by_shape("W_A", into) + _by_shape("W_B", {name: (R, outputs) for name, (_, outputs) in ends.items()})


def vera_groups(ends: Ends) -> list[Group]:
    """The two tunable vectors beside each linear layer; A and B are frozen and shared."""
    return _by_shape("d", dict.fromkeys(ends, (R,))) + _by_shape("b", {name: (outputs,) for name, (_, outputs) in ends.items()})


def ffn_groups() -> list[Group]:
    """A feed-forward network with biases, Linear(D, 4D) and Linear(4D, D); weights are outputs × inputs as torch stores them."""
    hidden = FFN_FACTOR * D
    return [Group("W_1", 1, (hidden, D)), Group("b_1", 1, (hidden,)), Group("W_2", 1, (D, hidden)), Group("b_2", 1, (D,))]


def ffn_lora_groups() -> list[Group]:
    """A and B beside both weights of that network, h = Wx + BAx."""
    hidden = FFN_FACTOR * D
    return [Group("A_1", 1, (R, D)), Group("B_1", 1, (hidden, R)), Group("A_2", 1, (R, hidden)), Group("B_2", 1, (D, R))]


def total(groups: list[Group]) -> sympy.Expr:
    """Values of all groups in one layer."""
    return sympy.expand(sum(group.values for group in groups))


def vera_frozen(ends: Ends) -> sympy.Expr:
    """Values of VeRA's frozen A and B, kept once for the whole model and wide enough for every linear layer."""
    return R * sum((_widest(side) for side in zip(*ends.values(), strict=True)), sympy.Integer(0))


def _widest(widths: Iterable[sympy.Expr]) -> sympy.Expr:
    """The largest number; keys and values are never wider than the model."""
    letters = set(widths)
    return sympy.Max(*(letters - {D_KV} if D in letters else letters))


@dataclass(frozen=True)
class StepCost:
    """Multiply-adds of one training step: layers times the cost of one, less what autograd does not need at the bottom."""

    forward_layer: sympy.Expr
    backward_layer: sympy.Expr
    not_needed: sympy.Expr
    layers_backward: sympy.Symbol = N_LAYER

    def forward(self, flops_per_multiply_add: int) -> sympy.Expr:
        """FLOPs of the forward pass."""
        return N_LAYER * sympy.expand(flops_per_multiply_add * self.forward_layer)

    def backward(self, flops_per_multiply_add: int) -> sympy.Expr:
        """FLOPs of the backward pass."""
        whole = self.layers_backward * sympy.expand(flops_per_multiply_add * self.backward_layer)
        return whole - sympy.expand(flops_per_multiply_add * self.not_needed)


class Step:
    """Multiply-adds of one training step by method, for a layer whose keys and values have width `kv`, and `ff` inside.

    Backward, each product needs two: by its input, and by its weight unless that is frozen. Nothing is computed below the
    lowest trainable value, nor the gradient of the input that it meets.
    """

    def __init__(self, kv: sympy.Expr, ff: sympy.Expr, lora: Ends) -> None:
        tokens = B * L
        self.pairs = B * L**2 * D  # one product over all pairs of tokens and all heads
        self.attention = 2 * self.pairs  # QKᵀ and score·V
        self.weights = tokens * total(layer_groups(kv, ff))
        self.layer = self.weights + self.attention
        self.products = {name: tokens * inputs * outputs for name, (inputs, outputs) in linear_ends(kv, ff).items()}
        self.qkv = sum((self.products[name] for name in BELOW_ATTENTION), sympy.Integer(0))
        self.below_ffn = self.qkv + self.products["output"]
        self.low_rank = tokens * D * R  # one product with a D×R or R×D matrix
        self.into = {name: tokens * inputs * R for name, (inputs, _) in lora.items()}  # with A
        self.beside = sum(self.into.values()) + sum(tokens * R * outputs for _, outputs in lora.values())

    def freezing(self, n_tuned: sympy.Symbol) -> StepCost:
        """Train the top `n_tuned` layers; all layers for full fine-tuning."""
        return StepCost(self.layer, 2 * self.layer, self.qkv, n_tuned)

    def adapters(self) -> StepCost:
        """Frozen weights pass gradients by input alone; below the first adapter nothing is computed."""
        added = ADAPTERS * 2 * self.low_rank
        not_needed = self.below_ffn + 2 * self.attention + self.low_rank
        return StepCost(self.layer + added, self.weights + 2 * self.attention + 2 * added, not_needed)

    def lora(self) -> StepCost:
        """Two low-rank products for each matrix named, each with two products backward."""
        backward = self.weights + 2 * self.attention + 2 * self.beside
        return StepCost(self.layer + self.beside, backward, self._below_low_rank())

    def vera(self) -> StepCost:
        """As LoRA forward; backward the frozen A and B pass gradients by input alone."""
        backward = self.weights + 2 * self.attention + self.beside
        return StepCost(self.layer + self.beside, backward, self._below_low_rank())

    def _below_low_rank(self) -> sympy.Expr:
        """Products backward in the first layer that lead only to its input or to frozen values."""
        lowest = [name for name in BELOW_ATTENTION if name in self.into]
        if lowest:
            led_to = {one for name in lowest for one in GRADIENTS[name]}
            unled = len({one for all_of in GRADIENTS.values() for one in all_of}) - len(led_to)
            return self.qkv + unled * self.pairs + sum(self.into[name] for name in lowest)
        first = next(name for name in ABOVE_ATTENTION if name in self.into)
        below = ABOVE_ATTENTION[: ABOVE_ATTENTION.index(first) + 1]
        return self.qkv + 2 * self.attention + sum(self.products[name] for name in below) + self.into[first]
