"""Weighs what a run of QLoRA keeps: scales, adapters, AdamW's states, embedding and head, as tensors of torch."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_nf4.params import Training

FLOATS = {16: torch.float16, 32: torch.float32}
NAMES = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output", "gate_proj": "gate", "up_proj": "up",
         "down_proj": "down"}  # fmt: skip
INTEGERS = {8: torch.int8, 16: torch.int16}


def bits_a_weight(scale_bits: int, quantized_bits: int, block_len: int, second: int) -> tuple[Fraction, Fraction, Fraction]:
    """Bits a weight of codes, of scales, and of quantized scales with their own, by the tensors for a few blocks."""
    n_weights, n_scales = 2 * block_len * second, 2 * second
    codes = torch.empty(n_weights // 2, dtype=torch.uint8, device="meta")
    scales, seconds = (torch.empty(count, dtype=FLOATS[scale_bits], device="meta") for count in (n_scales, 2))
    quantized = torch.empty(n_scales, dtype=INTEGERS[quantized_bits], device="meta")
    codes_bits, plain, double = (Fraction(8 * held, n_weights) for held in
                                 (codes.nbytes, scales.nbytes, quantized.nbytes + seconds.nbytes))  # fmt: skip
    return codes_bits, plain, double


class Counts(NamedTuple):
    """Values of linear layers, of all else, of adapters, bytes of AdamW's states for these, and tensors of them in a layer."""

    linear: int
    others: int
    adapters: int
    states: int
    tensors: int


def counts(run: Training) -> Counts:
    """Counts of a Llama with A and B beside its linear layers, by the line through those with one and with two layers."""
    one, two = (_counted(run, layers) for layers in (1, 2))
    counted = (first + (run.n_layers - 1) * (second - first) for first, second in zip(one, two, strict=True))
    return Counts(*counted)._replace(tensors=one.tensors)


def _counted(run: Training, layers: int) -> Counts:
    model = llama(run, layers)
    linear = linear_layers(model).values()
    with torch.device("meta"):
        adapted = [one for name, one in linear_layers(model).items() if NAMES[name.split(".")[-1]] in run.lora_on]
        ends = [(run.rank, one.in_features) for one in adapted] + [(one.out_features, run.rank) for one in adapted]
        adapters = [torch.empty(shape, requires_grad=True) for shape in ends]
    for one in adapters:
        one.grad = torch.empty_like(one)
    optimizer = torch.optim.AdamW(adapters, foreach=False)
    optimizer.step()
    states = sum(value.nbytes for state in optimizer.state.values() for value in state.values())
    coded = _values(one.weight for one in linear)
    return Counts(coded, _values(model.parameters()) - coded, _values(adapters), states, len(adapters) // layers)


def llama(run: Training, n_layers: int) -> Any:
    """A model with a shape's widths and heads, an output head of its own, and so many layers.

    A shape has d_model, d_ff, vocabulary_size and n_heads; n_kv_heads and head_dim may be None.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=run.vocabulary_size, hidden_size=run.d_model, intermediate_size=run.d_ff, num_hidden_layers=n_layers,
        num_attention_heads=run.n_heads, num_key_value_heads=run.n_kv_heads or run.n_heads,
        head_dim=run.head_dim or run.d_model // run.n_heads, tie_word_embeddings=False, pad_token_id=None,
    )  # fmt: skip
    with torch.device("meta"):
        return LlamaForCausalLM(config)


def linear_layers(model: Any) -> dict[str, torch.nn.Linear]:
    """All of them by name but the output head."""
    return {name: one for name, one in model.named_modules() if isinstance(one, torch.nn.Linear) and name != "lm_head"}


def _values(tensors: Iterable[torch.Tensor]) -> int:
    return sum(one.numel() for one in tensors)


def nbytes(values: int, element: int) -> int:
    """Bytes of as many values of `element` bytes."""
    return torch.empty(values, dtype=FLOATS[8 * element], device="meta").nbytes


def layer_inputs(n_layers: int, d_model: int, element: int) -> int:
    """Bytes of the inputs of all layers for one token."""
    return sum(nbytes(d_model, element) for _ in range(n_layers))
