"""Weighs what a run of QLoRA keeps: scales, adapters, AdamW's states, embedding and head, as tensors of torch."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import torch

FLOATS = {16: torch.float16, 32: torch.float32}
INTEGERS = {8: torch.int8, 16: torch.int16}


@lru_cache(maxsize=16)
def overheads(scale_bits: int, quantized_bits: int, block_len: int, second: int) -> tuple[Fraction, Fraction]:
    """Bits a weight for scales alone, and for quantized scales with their own, by the tensors for a few blocks."""
    scales = 3 * second
    plain = torch.empty(scales, dtype=FLOATS[scale_bits]).nbytes
    double = torch.empty(scales, dtype=INTEGERS[quantized_bits]).nbytes + torch.empty(3, dtype=FLOATS[scale_bits]).nbytes
    return Fraction(8 * plain, scales * block_len), Fraction(8 * double, scales * block_len)


@lru_cache(maxsize=8)
def adapters(rank: int, d_model: int, d_ff: int) -> tuple[int, int]:
    """Values of a layer's adapters, and bytes of the states that AdamW makes for them."""
    ends = [(d_model, d_model)] * 4 + [(d_model, d_ff)] * 2 + [(d_ff, d_model)]
    with torch.device("meta"):
        both = [torch.empty(shape, requires_grad=True) for i, o in ends for shape in ((rank, i), (o, rank))]
    for one in both:
        one.grad = torch.empty_like(one)
    optimizer = torch.optim.AdamW(both, foreach=False)
    optimizer.step()
    states = sum(value.nbytes for state in optimizer.state.values() for value in state.values())
    return sum(one.numel() for one in both), states


def unquantized(vocabulary: int, d_model: int, bits: Fraction) -> Fraction:
    """Bytes of an embedding and an output head in 16 bits less those at `bits` a weight."""
    kwargs = {"device": "meta", "dtype": torch.float16}
    both = torch.nn.Embedding(vocabulary, d_model, **kwargs), torch.nn.Linear(d_model, vocabulary, bias=False, **kwargs)  # type: ignore[arg-type]
    return sum((one.weight.nbytes - one.weight.numel() * bits / 8 for one in both), start=Fraction(0))


def layer_inputs(n_layers: int, d_model: int, element: int) -> int:
    """Bytes of the inputs of all layers for one token."""
    return sum(torch.empty(d_model, dtype=FLOATS[8 * element], device="meta").nbytes for _ in range(n_layers))
