"""Means, variances and normalized tensors as torch's own normalizations compute them, in float64."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

EPSILON = 1.0
"""Added to every variance; as large as this it keeps rounding small where a variance is zero."""
OVER = {"batch": (0, 2), "layer": (1, 2), "instance": (2,)}
"""The axes of (samples, channels, features) that each technique averages over."""


def in_float64(name: str, x: np.ndarray, *, sample: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Means and variances by route, each as (samples or 1, channels or 1); torch's kernels divide by the number of values."""
    axes = OVER[name]
    count = int(np.prod([x.shape[axis] for axis in axes]))
    divided = count / (count - 1) if sample else 1.0
    found = {"axes": (x.mean(axes), x.var(axes, ddof=int(sample)))}
    mean, variance = kernel_statistics(name, torch.from_numpy(x))
    found["kernels"] = (mean, variance * divided)
    if name != "layer" and count > 1:
        mean, variance = running_statistics(name, torch.from_numpy(x))
        found["running"] = (mean, variance * divided * (count - 1) / count)
    keep = x.mean(axes, keepdims=True).shape[:2]
    return {by: (one.reshape(keep), other.reshape(keep)) for by, (one, other) in found.items()}


def kernel_statistics(name: str, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population variance that the kernel of a normalization returns beside its output."""
    if name == "batch":
        _, mean, inverse = torch.native_batch_norm(x, None, None, None, None, True, 0.0, EPSILON)
    elif name == "layer":
        _, mean, inverse = torch.native_layer_norm(x, x.shape[1:], None, None, EPSILON)
    else:
        samples, channels, features = x.shape
        _, mean, inverse = torch.native_group_norm(x, None, None, samples, channels, features, channels, EPSILON)
    return mean.numpy(), (inverse**-2 - EPSILON).numpy()


def running_statistics(name: str, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample variance that batch_norm, or instance_norm of each sample alone, leaves in its running statistics."""
    parts = [x] if name == "batch" else list(x.split(1))
    mean, variance = torch.zeros(len(parts), x.shape[1]).double(), torch.ones(len(parts), x.shape[1]).double()
    for place, part in enumerate(parts):
        if name == "batch":
            functional.batch_norm(part, mean[place], variance[place], training=True, momentum=1.0)
        else:
            functional.instance_norm(part, mean[place], variance[place], use_input_stats=True, momentum=1.0)
    return mean.numpy(), variance.numpy()


def normalized(name: str, array: np.ndarray) -> np.ndarray:
    """The normalized tensor, without learned scale and shift."""
    x = torch.from_numpy(array)
    if name == "batch":
        out = torch.batch_norm(x, None, None, None, None, True, 0.0, EPSILON, False)
    elif name == "layer":
        out = functional.layer_norm(x, x.shape[1:], eps=EPSILON)
    else:
        out = torch.instance_norm(x, None, None, None, None, True, 0.0, EPSILON, False)
    return out.numpy()
