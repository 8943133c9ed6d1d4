"""Records the matrix products that torch runs: FLOPs by torch's own formulas, bytes of the tensors it was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

DTYPES = {2: torch.float16, 4: torch.float32, 8: torch.float64}
"""Types of elements by their bytes."""


@dataclass(frozen=True)
class Count:
    """FLOPs and bytes of one product; a batched product counts as the mean of its batch."""

    flops: Fraction
    bytes: Fraction
    batch: int = 1
    shape: tuple[int, ...] = field(default=(), compare=False)
    """m, k and n of (m×k)(k×n)."""

    @property
    def intensity(self) -> Fraction:
        """FLOPs per byte."""
        return self.flops / self.bytes


class ProductRecorder(TorchDispatchMode):
    """Notes every matrix product that reaches torch's dispatcher, forward and backward, in order."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: list[Count] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here; only to be kept from compiling, it would have to import the compiler."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet in _BATCHED or packet in _PLAIN:
            batch = result.shape[0] if packet in _BATCHED else 1
            tensors = [value for value in (*args, result) if isinstance(value, torch.Tensor)]
            flops = flop_registry[packet](*args, out_val=result)
            moved = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
            left, right = tensors[-3:-1]
            shape = (*left.shape[-2:], right.shape[-1])
            self.products.append(Count(Fraction(flops, batch), Fraction(moved, batch), batch, shape))
        return result

    @property
    def flops(self) -> int:
        """FLOPs of all products so far; torch counts two a multiply-add."""
        return int(sum(product.flops * product.batch for product in self.products))


def joined(first: torch.Tensor, second: torch.Tensor, dim: int = 0) -> torch.Tensor:
    """Two tensors one behind the other; without storage, `torch.cat` would import torch's compiler."""
    shape = list(first.shape)
    shape[dim] += second.shape[dim]
    whole = first.new_empty(shape)
    for part, place in zip(whole.split([first.shape[dim], second.shape[dim]], dim), (first, second), strict=True):
        part.copy_(place)
    return whole


_PLAIN = (torch.ops.aten.mm, torch.ops.aten.addmm)
_BATCHED = (torch.ops.aten.bmm, torch.ops.aten.baddbmm)
PRODUCTS = (*_PLAIN, *_BATCHED)
"""The operators that are counted as matrix products."""
