"""Times every product of homework 3, question 1, and the machine's own ceilings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch

from generators.measuring.machine import dtype_named
from generators.measuring.measurements.collect import Item, seconds
from generators.measuring.timing import captured, device_seconds
from generators.recording import At, Series

MOST_SETS = 64


@dataclass(frozen=True)
class Shape:
    """A batch of products (m×k)(k×n); `stored_transposed` where the layer keeps the second operand as n×k."""

    phase: str
    product: str
    batch: int
    m: int
    k: int
    n: int
    stored_transposed: bool = True

    def nbytes(self, element: int) -> int:
        """Bytes of both operands and the result."""
        return element * self.batch * (self.m * self.k + self.k * self.n + self.m * self.n)


def shapes(seq_len: int, d_model: int, n_heads: int) -> list[Shape]:
    """The products of one layer, all heads together, for a prompt of `seq_len` tokens and for the token after it."""
    width = d_model // n_heads
    found = []
    for phase, rows, columns in (("prefill", seq_len, seq_len), ("decode", 1, seq_len + 1)):
        found += [
            Shape(phase, "projection", 1, rows, d_model, d_model),
            Shape(phase, "score", n_heads, rows, width, columns),
            Shape(phase, "weighting", n_heads, rows, columns, width, stored_transposed=False),
            Shape(phase, "up", 1, rows, d_model, 4 * d_model),
            Shape(phase, "down", 1, rows, 4 * d_model, d_model),
        ]
    return found


def measure(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """The two ceilings, then seconds of each product, and how far its result is from one in float32."""
    dtype = dtype_named(parameters["dtype"])
    times = {"warmup": parameters["warmup"], "repeats": parameters["repeats"]}
    yield _copy(parameters["copy_bytes"], device, times)
    yield _square(parameters["matrix_size"], dtype, device, times)
    for shape in shapes(parameters["seq_len"], parameters["d_model"], parameters["n_heads"]):
        yield from _product(shape, dtype, device, parameters["rotate_bytes"], times)


def _copy(size: int, device: torch.device, times: Mapping[str, int]) -> Series:
    """A copy within the device's memory; `bytes` counts those read and those written."""
    source = torch.empty(size, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    samples = device_seconds(lambda: target.copy_(source), device, **times)
    return seconds(samples, ceiling="copy", bytes=2 * size)


def _square(size: int, dtype: torch.dtype, device: torch.device, times: Mapping[str, int]) -> Series:
    """A large square product of random matrices by the library that torch calls."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    result = torch.empty(size, size, dtype=dtype, device=device)
    samples = device_seconds(lambda: torch.mm(a, b, out=result), device, **times)
    return seconds(samples, ceiling="matrix product", flops=2 * size**3)


def _product(
    shape: Shape, dtype: torch.dtype, device: torch.device, rotate_bytes: int, times: Mapping[str, int]
) -> Iterator[Series]:
    """Seconds of one product, over as many sets of operands as it takes to leave no cache useful."""
    sets = min(MOST_SETS, ceil(rotate_bytes / shape.nbytes(dtype.itemsize)))
    operands = [_operands(shape, dtype, device) for _ in range(sets)]
    multiply: Callable[..., Any] = torch.mm if shape.batch == 1 else torch.bmm

    def run() -> None:
        for a, b, result in operands:
            multiply(a, b, out=result)

    samples = device_seconds(captured(run, device), device, **times)
    at: At = {"phase": shape.phase, "product": shape.product, "batch": shape.batch, "m": shape.m, "k": shape.k, "n": shape.n}
    yield seconds((sample / sets for sample in samples), **at, sets=sets)
    a, b, result = operands[0]
    reference = multiply(a.float(), b.float())
    difference = float((result.float() - reference).norm() / reference.norm())
    yield Series(quantity="relative_difference", unit="1", at=at, samples=(difference,))


def _operands(shape: Shape, dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random operands and room for the result, poisoned with NaN; without the batch dimension where it is 1."""
    a = torch.randn(shape.batch, shape.m, shape.k, device=device).to(dtype)
    b = torch.randn(shape.batch, shape.n, shape.k, device=device).to(dtype)
    b = b.transpose(1, 2) if shape.stored_transposed else b.view(shape.batch, shape.k, shape.n)
    result = torch.full((shape.batch, shape.m, shape.n), torch.nan, dtype=dtype, device=device)
    return (a[0], b[0], result[0]) if shape.batch == 1 else (a, b, result)
