"""Bytes that torch allocates for the parameters and gradients of each method of homework 4, question 1."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from generators.measuring.machine import dtype_named
from generators.measuring.measurements.collect import Item
from generators.recording import At, Series

METHODS = ("full", "freezing", "adapters", "lora", "vera")


def measure(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """For each method, bytes of its trainable parameters and of their gradients after a training step."""
    for method in METHODS:
        yield from _method(method, parameters, device)
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _method(method: str, parameters: Mapping[str, Any], device: torch.device) -> Iterator[Series]:
    """Train one step twice: the first makes torch's workspaces, the second is measured."""
    model = _built(method, parameters, device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    shape = (parameters["batch_size"], parameters["step_len"], parameters["d_model"])
    x = torch.randn(shape, device=device).to(dtype_named(parameters["dtype"]))
    model(x).sum().backward()
    model.zero_grad(set_to_none=True)
    before = _allocated(device)
    model(x).sum().backward()
    gradients = _allocated(device) - before
    held = [parameter.grad for parameter in trained if parameter.grad is not None]
    yield from _bytes(method, "gradients", held, gradients, device)
    before = _allocated(device)
    copies = [parameter.detach().clone() for parameter in trained]
    yield from _bytes(method, "parameters", copies, _allocated(device) - before, device)


def _bytes(method: str, kind: str, tensors: Sequence[torch.Tensor], allocated: int, device: torch.device) -> Iterator[Series]:
    """Bytes of the tensors' own storages, and on CUDA by how much torch's allocator grew."""
    stored = sum(tensor.untyped_storage().nbytes() for tensor in tensors)
    counts = {"storage": stored} | ({"allocator": allocated} if device.type == "cuda" else {})
    for counted_by, size in counts.items():
        at: At = {"method": method, "kind": kind, "counted_by": counted_by, "tensors": len(tensors)}
        yield Series(quantity="bytes", unit="B", at=at, samples=(size,))


def _built(method: str, parameters: Mapping[str, Any], device: torch.device) -> torch.nn.Module:
    """The method's modules, made in their own type at once: in float32 first, the whole model would be twice as large."""
    from generators.oracles.finetuning import build

    sizes = {
        "N_layer": parameters["n_layers"],
        "N_top": parameters["n_top_layers"],
        "D": parameters["d_model"],
        "R": parameters["rank"],
    }
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype_named(parameters["dtype"]))
    try:
        with torch.device(device):
            return build(method, sizes, parameters["n_heads"], biases=parameters["adapter_biases"])
    finally:
        torch.set_default_dtype(usual)


def _allocated(device: torch.device) -> int:
    """Bytes that torch's allocator has handed out on a CUDA device; 0 elsewhere, where it does not count."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
