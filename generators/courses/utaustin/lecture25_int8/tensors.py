"""Products of seeded matrices as int8 tensors, and with torch's own quantizer."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.ao.quantization.observer import PerChannelMinMaxObserver

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_int8.params import Product


class Way(NamedTuple):
    """A method by its name, and what it does to X and W: the dimensions along which values share a step, none if all do."""

    name: str
    shifted: bool
    x_dim: int | None
    w_dim: int | None
    mixed: bool


WAYS = {
    "absmax": Way("absmax", False, None, None, False),
    "zero_point": Way("zero-point", True, None, None, False),
    "absmax_row_wise": Way("absmax row-wise", False, 1, None, False),
    "absmax_vector_wise": Way("absmax vector-wise", False, 1, 0, False),
    "zero_point_vector_wise": Way("zero-point vector-wise", True, 1, 0, False),
    "absmax_row_wise_decomposed": Way("absmax row-wise + decomposition", False, 1, None, True),
    "absmax_vector_wise_decomposed": Way("absmax LLM.int8()", False, 1, 0, True),
    "zero_point_vector_wise_decomposed": Way("zero-point LLM.int8()", True, 1, 0, True),
}


class Sample(NamedTuple):
    """X and W in hundredths as float64, and which features hold an outlier."""

    x: torch.Tensor
    w: torch.Tensor
    wide: torch.Tensor


def samples(product: Product, scale: Fraction = Fraction(1)) -> Iterator[Sample]:
    """The operands of each seed, with outliers times `scale`."""
    generator = random.Random()
    for seed in range(product.seed, product.seed + product.n_seeds):
        plain, w, state = _normal(seed, (product.n_tokens, product.n_features), (product.n_features, product.n_outputs))
        generator.setstate(state)
        x = plain.clone()
        for one in product.outliers:
            for token in range(product.n_tokens):
                moved = round(100 * (float(one.size * scale) + generator.gauss(0, 1)))
                if generator.random() < float(product.share_of_tokens):
                    x[token, one.feature] = moved
        yield Sample(x, w, x.abs().amax(0) > math.floor(100 * product.threshold))  # hundredths are whole


@lru_cache(maxsize=64)  # outliers come in several sizes
def _normal(seed: int, *shapes: tuple[int, int]) -> tuple[Any, ...]:
    """A tensor of each shape before outliers are moved, and the generator's state behind them."""
    generator = random.Random(seed)
    drawn = [torch.tensor([round(100 * generator.gauss(0, 1)) for _ in range(math.prod(shape))]) for shape in shapes]
    return *(one.reshape(shape).double() for one, shape in zip(drawn, shapes, strict=True)), generator.getstate()


Coded = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Int8 codes, the zero points that were added to them, and the steps."""


def coded(matrix: torch.Tensor, dim: int | None, *, shifted: bool) -> Coded:
    """Quantize with one range for all values or for each vector along `dim`."""
    dims = tuple(range(matrix.dim())) if dim is None else (dim,)
    low, high = matrix.amin(dims, keepdim=True), matrix.amax(dims, keepdim=True)
    most = torch.maximum(-low, high).clamp(min=0)
    most = torch.where(most == 0, torch.ones_like(most), most)
    span = torch.where(low == high, 2 * most, high - low) if shifted else 2 * most
    zero = -127 - torch.round(254 * low / span) if shifted else torch.zeros_like(span)
    codes = (torch.round(254 * matrix / span) + zero).clamp(-127, 127)
    return codes.to(torch.int8), zero, span / 254


def multiplied(x: Coded, w: Coded) -> torch.Tensor:
    """Int8 times int8 summed in int32, less what the zero points added, times the steps."""
    (ours, zero_x, step_x), (theirs, zero_w, step_w) = x, w
    product = torch._int_mm(ours, theirs).double()
    of_rows, of_columns = ours.double().sum(1, keepdim=True), theirs.double().sum(0, keepdim=True)
    product += zero_x * zero_w * ours.shape[1] - zero_x * of_columns - of_rows * zero_w
    return product * step_x * step_w


def halved(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The product of FP16 values, summed in float64."""
    return (x / 100).half().double() @ (w / 100).half().double() * 10_000


def error(sample: Sample, way: Way | None) -> float:
    """RMS error in units of one, by int8 tensors; by FP16 without a way."""
    x, w, wide = sample
    if way is None or (way.mixed and bool(wide.all())):
        return _rms(halved(x, w) - x @ w)
    kept = ~wide if way.mixed else torch.ones_like(wide)
    ours = multiplied(coded(x[:, kept], way.x_dim, shifted=way.shifted), coded(w[kept], way.w_dim, shifted=way.shifted))
    return _rms(ours + (halved(x[:, wide], w[wide]) if way.mixed else 0) - x @ w)


def size(sample: Sample) -> float:
    """RMS of the exact product."""
    return _rms(sample.x @ sample.w)


def quantizers_error(sample: Sample, way: Way) -> float | None:
    """The RMS error with torch's observers and quantizers in the place of codes; None where a range leaves zero out."""
    x, w, wide = sample
    kept = ~wide if way.mixed else torch.ones_like(wide)
    ours, theirs = _observed(x[:, kept], way.x_dim, way.shifted), _observed(w[kept], way.w_dim, way.shifted)
    if ours is None or theirs is None:
        return None
    return _rms(ours @ theirs + (halved(x[:, wide], w[wide]) if way.mixed else 0) - x @ w)


def _rms(product: torch.Tensor) -> float:
    return float(product.square().mean().sqrt()) / 10_000


def _observed(matrix: torch.Tensor, dim: int | None, shifted: bool) -> torch.Tensor | None:
    """Values in units of their step, in which halves stay halves, observed, rounded and limited vector by vector."""
    vectors = matrix.reshape(1, -1) if dim is None else matrix.movedim(dim, 1)
    low, high = vectors.aminmax(dim=1, keepdim=True)
    if shifted and bool(((low > 0) | (high < 0)).any()):
        return None
    span = (high - low if shifted else 2 * torch.maximum(-low, high)).clamp(min=1)
    scheme = torch.per_channel_affine if shifted else torch.per_channel_symmetric
    observer = PerChannelMinMaxObserver(
        0, torch.qint8, scheme, quant_min=-127, quant_max=127, factory_kwargs={"dtype": torch.float64}
    )
    units = observer(254 * vectors / span)
    _, zero = observer.calculate_qparams()
    back = torch.fake_quantize_per_channel_affine(units, torch.ones(len(units)), zero.int(), 0, -127, 127) * span / 254
    return back.reshape(matrix.shape) if dim is None else back.movedim(1, dim)
