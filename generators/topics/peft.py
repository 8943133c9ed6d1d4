"""What parameter-efficient fine-tuning adds to a transformer layer: shapes, values and FLOPs.

The layer has W^Q, W^K, W^V, W^O of D×D, W^1 of D×4D and W^2 of 4D×D, and no biases, unless another width of keys and values
or of the feed-forward network is given.
Counts are symbolic; one FLOP stands here for one multiply-add, which callers scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

N_LAYER, N_TOP, D, R, B, L, D_KV, D_FF = sympy.symbols("N_layer N_top D R B L D_kv D_ff", positive=True)

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
        groups += [Group(r"b_A \text{ of each adapter}", ADAPTERS, (R,)), Group(r"b_B \text{ of each adapter}", ADAPTERS, (D,))]
    return groups


def lora_groups(kv: sympy.Expr = D) -> list[Group]:
    """W_A and W_B beside each of W^Q, W^K, W^V, of which the last two have `kv` outputs."""
    inner = Group(r"W_A \text{ of query, key, value}", ADAPTED, (D, R))
    if kv == D:
        return [inner, Group(r"W_B \text{ of query, key, value}", ADAPTED, (R, D))]
    return [inner, Group(r"W_B \text{ of query}", 1, (R, D)), Group(r"W_B \text{ of key, value}", 2, (R, kv))]


def vera_groups(kv: sympy.Expr = D) -> list[Group]:
    """The two tunable vectors beside each of W^Q, W^K, W^V; A and B are frozen and shared."""
    inner = Group(r"d \text{ of query, key, value}", ADAPTED, (R,))
    if kv == D:
        return [inner, Group(r"b \text{ of query, key, value}", ADAPTED, (D,))]
    return [inner, Group(r"b \text{ of query}", 1, (D,)), Group(r"b \text{ of key, value}", 2, (kv,))]


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


class Step:
    """Multiply-adds of one training step by method, for a layer whose keys and values have width `kv`, and `ff` inside.

    Backward, each product needs two: by its input, and by its weight unless that is frozen. Nothing is computed below the
    lowest trainable value, nor the gradient of the input that it meets.
    """

    def __init__(self, kv: sympy.Expr = D, ff: sympy.Expr = FFN_FACTOR * D) -> None:
        tokens = B * L
        self.attention = 2 * B * L**2 * D  # QKᵀ and score·V over all heads
        self.weights = tokens * total(layer_groups(kv, ff))
        self.layer = self.weights + self.attention
        self.qkv = tokens * (D**2 + 2 * D * kv)
        self.below_ffn = self.qkv + tokens * D**2
        self.low_rank = tokens * D * R  # one product with a D×R or R×D matrix
        self.beside_qkv = tokens * (3 * D * R + R * D + 2 * R * kv)  # A and B of query, key and value

    def freezing(self, n_tuned: sympy.Symbol) -> StepCost:
        """Train the top `n_tuned` layers; all layers for full fine-tuning."""
        return StepCost(self.layer, 2 * self.layer, self.qkv, n_tuned)

    def adapters(self) -> StepCost:
        """Frozen weights pass gradients by input alone; below the first adapter nothing is computed."""
        added = ADAPTERS * 2 * self.low_rank
        not_needed = self.below_ffn + 2 * self.attention + self.low_rank
        return StepCost(self.layer + added, self.weights + 2 * self.attention + 2 * added, not_needed)

    def lora(self) -> StepCost:
        """Two low-rank products for each of W^Q, W^K, W^V, each with two products backward."""
        backward = self.weights + 2 * self.attention + 2 * self.beside_qkv
        return StepCost(self.layer + self.beside_qkv, backward, self.qkv + ADAPTED * self.low_rank)

    def vera(self) -> StepCost:
        """As LoRA forward; backward the frozen A and B pass gradients by input alone."""
        backward = self.weights + 2 * self.attention + self.beside_qkv
        return StepCost(self.layer + self.beside_qkv, backward, self.qkv + ADAPTED * self.low_rank)
