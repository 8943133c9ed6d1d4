"""What torch's normalizations compute of a tensor of samples, channels and features in float64, for `find`."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

EPSILON = 1.0
"""Added to every variance; as large as this it keeps rounding small where a variance is zero."""


def statistics_of(technique: str, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Means and population variances that a normalization's kernel returns beside its output, a row a sample."""
    samples, channels, features = x.shape
    if technique == "batch":
        _, mean, inverse = torch.native_batch_norm(x, None, None, None, None, True, 0.0, EPSILON)
    elif technique == "layer":
        _, mean, inverse = torch.native_layer_norm(x, x.shape[1:], None, None, EPSILON)
    else:
        _, mean, inverse = torch.native_group_norm(x, None, None, samples, channels, features, channels, EPSILON)
    shape = {"batch": (1, channels), "layer": (samples, 1), "instance": (samples, channels)}[technique]
    return mean.numpy().reshape(shape), (inverse**-2 - EPSILON).numpy().reshape(shape)


def normalized(technique: str, x: torch.Tensor) -> np.ndarray:
    """The tensor normalized by torch's public functions, without learned scale and shift."""
    if technique == "batch":
        out = torch.batch_norm(x, None, None, None, None, True, 0.0, EPSILON, False)
    elif technique == "layer":
        out = functional.layer_norm(x, x.shape[1:], eps=EPSILON)
    else:
        out = torch.instance_norm(x, None, None, None, None, True, 0.0, EPSILON, False)
    return out.numpy()


def running_variance(x: torch.Tensor) -> np.ndarray:
    """What batch normalization leaves as the running variance of each channel after one batch that counts fully."""
    mean, variance = torch.zeros(x.shape[1]).double(), torch.ones(x.shape[1]).double()
    functional.batch_norm(x, mean, variance, training=True, momentum=1.0)
    return variance.numpy()
