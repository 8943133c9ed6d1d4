"""What parameter-efficient fine-tuning adds to a transformer layer: shapes, values and FLOPs.

The layer has W^Q, W^K, W^V, W^O of D×D, W^1 of D×4D and W^2 of 4D×D, and no biases.
Counts are symbolic; one FLOP stands here for one multiply-add, which callers scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

N_LAYER, N_TOP, D, R, B, L = sympy.symbols("N_layer N_top D R B L", positive=True)

ATTENTION_MATRICES = 4
ADAPTERS = 2
ADAPTED = 3  # query, key and value
FFN_FACTOR = 4


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


def layer_groups() -> list[Group]:
    """The layer's own matrices."""
    return [
        Group("W^Q, W^K, W^V, W^O", ATTENTION_MATRICES, (D, D)),
        Group("W^1", 1, (D, FFN_FACTOR * D)),
        Group("W^2", 1, (FFN_FACTOR * D, D)),
    ]


def adapter_groups(*, biases: bool) -> list[Group]:
    """Two adapters in each layer, x + σ(x W_A) W_B."""
    groups = [
        Group(r"W_A \text{ of each adapter}", ADAPTERS, (D, R)),
        Group(r"W_B \text{ of each adapter}", ADAPTERS, (R, D)),
    ]
    if biases:
        groups += [Group(r"b_A \text{ of each adapter}", ADAPTERS, (R,)), Group(r"b_B \text{ of each adapter}", ADAPTERS, (D,))]
    return groups


def low_rank_groups(names: str, count: int) -> list[Group]:
    """A and B beside each of `count` D×D matrices."""
    return [Group(rf"A \text{{ of {names}}}", count, (D, R)), Group(rf"B \text{{ of {names}}}", count, (R, D))]


def lora_groups() -> list[Group]:
    """A and B beside each of W^Q, W^K, W^V."""
    return low_rank_groups("query, key, value", ADAPTED)


def vera_groups() -> list[Group]:
    """The two tunable vectors beside each of W^Q, W^K, W^V; A and B are frozen and shared."""
    return [
        Group(r"d \text{ of query, key, value}", ADAPTED, (R,)),
        Group(r"b \text{ of query, key, value}", ADAPTED, (D,)),
    ]


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


def vera_frozen() -> sympy.Expr:
    """Values of VeRA's frozen A (D×R) and B (R×D), kept once for the whole model."""
    return 2 * D * R


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


_TOKENS = B * L
_ATTENTION = 2 * B * L**2 * D  # QKᵀ and score·V over all heads
_WEIGHTS = _TOKENS * total(layer_groups())
_LAYER = _WEIGHTS + _ATTENTION
_QKV = _TOKENS * 3 * D**2
_BELOW_FFN = _TOKENS * ATTENTION_MATRICES * D**2
_LOW_RANK = _TOKENS * D * R  # one product with a D×R or R×D matrix


def freezing_cost(n_tuned: sympy.Symbol) -> StepCost:
    """Train the top `n_tuned` layers; all layers for full fine-tuning.

    Backward needs two products for each one forward (by input and by weight), except that nothing
    asks for the gradient of the lowest tuned layer's input.
    """
    return StepCost(_LAYER, 2 * _LAYER, _QKV, n_tuned)


def adapter_cost() -> StepCost:
    """Frozen weights pass gradients by input alone; below the first adapter nothing is computed."""
    added = ADAPTERS * 2 * _LOW_RANK
    return StepCost(_LAYER + added, _WEIGHTS + 2 * _ATTENTION + 2 * added, _BELOW_FFN + 2 * _ATTENTION + _LOW_RANK)


def lora_cost() -> StepCost:
    """Two low-rank products for each of W^Q, W^K, W^V, each with two products backward."""
    added = ADAPTED * 2 * _LOW_RANK
    return StepCost(_LAYER + added, _WEIGHTS + 2 * _ATTENTION + 2 * added, _QKV + ADAPTED * _LOW_RANK)


def vera_cost() -> StepCost:
    """As LoRA forward; backward the frozen A and B pass gradients by input alone."""
    added = ADAPTED * 2 * _LOW_RANK
    return StepCost(_LAYER + added, _WEIGHTS + 2 * _ATTENTION + added, _QKV + ADAPTED * _LOW_RANK)
