"""Weighs what a run of QLoRA keeps: scales, adapters, AdamW's states, embedding and head, as tensors of torch."""

from __future__ import annotations

from fractions import Fraction

import torch

FLOATS = {16: torch.float16, 32: torch.float32}
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


def adapters(rank: int, d_model: int, d_ff: int, element: int) -> tuple[int, int, int]:
    """Values of a layer's adapters, bytes of these and their gradients, and of the states that AdamW makes for them."""
    ends = [(d_model, d_model)] * 4 + [(d_model, d_ff)] * 2 + [(d_ff, d_model)]
    with torch.device("meta"):
        both = [torch.empty(shape, requires_grad=True) for i, o in ends for shape in ((rank, i), (o, rank))]
    for one in both:
        one.grad = torch.empty_like(one)
    optimizer = torch.optim.AdamW(both, foreach=False)
    optimizer.step()
    states = sum(value.nbytes for state in optimizer.state.values() for value in state.values())
    kept = sum(tensor.to(FLOATS[8 * element]).nbytes for one in both for tensor in (one, one.grad) if tensor is not None)
    return sum(one.numel() for one in both), kept, states


def unquantized(vocabulary: int, d_model: int, bits: Fraction) -> Fraction:
    """Bytes of an embedding and an output head in 16 bits less those at `bits` a weight."""
    kwargs = {"device": "meta", "dtype": torch.float16}
    both = torch.nn.Embedding(vocabulary, d_model, **kwargs), torch.nn.Linear(d_model, vocabulary, bias=False, **kwargs)  # type: ignore[arg-type]
    return sum((one.weight.nbytes - one.weight.numel() * bits / 8 for one in both), start=Fraction(0))


def layer_inputs(n_layers: int, d_model: int, element: int) -> int:
    """Bytes of the inputs of all layers for one token."""
    return sum(torch.empty(d_model, dtype=FLOATS[8 * element], device="meta").nbytes for _ in range(n_layers))
