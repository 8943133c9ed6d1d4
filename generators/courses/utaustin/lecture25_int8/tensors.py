"""Products of seeded matrices as int8 tensors, and with torch's own quantizer."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.ao.quantization.observer import PerChannelMinMaxObserver

if TYPE_CHECKING:
    from generators.courses.utaustin.lecture25_int8.params import Product


class Way(NamedTuple):
    """A method by its name, what stands for it above a column, its place in the printed table, and what it does to X and W."""

    name: str
    short: str
    scheme: str
    shifted: bool
    x_dim: int | None
    w_dim: int | None
    mixed: bool


WAYS = (
    Way("absmax", "absmax", "absmax", False, None, None, False),
    Way("zero-point", "zero-point", "zero_point", True, None, None, False),
    Way("absmax row-wise", "row-wise", "absmax_row_wise", False, 1, None, False),
    Way("absmax vector-wise", "absmax vector-wise", "absmax_vector_wise", False, 1, 0, False),
    Way("zero-point vector-wise", "zero-point vector", "zero_point_vector_wise", True, 1, 0, False),
    Way("absmax row-wise + decomposition", "row-wise + decomp.", "absmax_row_wise_decomposed", False, 1, None, True),
    Way("absmax LLM.int8()", "absmax LLM.int8()", "absmax_vector_wise_decomposed", False, 1, 0, True),
    Way("zero-point LLM.int8()", "zero-point LLM.int8()", "zero_point_vector_wise_decomposed", True, 1, 0, True),
)


class Sizes(NamedTuple):
    """What the operands are made from."""

    seed: int
    n: int
    h: int
    o: int
    outliers: tuple[tuple[int, float], ...]
    share: float
    limit: Fraction


def sizes_of(product: Product, scale: Fraction) -> Sizes:
    """The sizes of the parameters, with outliers times `scale`."""
    moved = tuple((one.feature, float(one.size * scale)) for one in product.outliers)
    return Sizes(
        product.seed, product.n_tokens, product.n_features, product.n_outputs, moved, float(product.share_of_tokens),
        product.threshold,
    )  # fmt: skip


@lru_cache(maxsize=32)
def sample(sizes: Sizes) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """X and W in hundredths as float64, and which features hold an outlier."""
    generator = random.Random(sizes.seed)
    x = torch.tensor([[round(100 * generator.gauss(0, 1)) for _ in range(sizes.h)] for _ in range(sizes.n)]).double()
    w = torch.tensor([[round(100 * generator.gauss(0, 1)) for _ in range(sizes.o)] for _ in range(sizes.h)]).double()
    for feature, size in sizes.outliers:
        for token in range(sizes.n):
            moved = round(100 * (size + generator.gauss(0, 1)))
            if generator.random() < sizes.share:
                x[token, feature] = moved
    wide = torch.tensor([any(Fraction(abs(int(v)), 100) > sizes.limit for v in column) for column in x.T.tolist()])
    return x, w, wide


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


def _product(sizes: Sizes, way: Way | None) -> torch.Tensor:
    x, w, wide = sample(sizes)
    if way is None or (way.mixed and bool(wide.all())):
        return halved(x, w)
    kept = ~wide if way.mixed else torch.ones_like(wide)
    ours = multiplied(coded(x[:, kept], way.x_dim, shifted=way.shifted), coded(w[kept], way.w_dim, shifted=way.shifted))
    return ours + halved(x[:, wide], w[wide]) if way.mixed else ours


@lru_cache(maxsize=256)
def errors(sizes: Sizes, way: Way | None) -> tuple[float, float]:
    """RMS error in units of one, and over the RMS of the exact product."""
    x, w, _ = sample(sizes)
    exact = x @ w
    off = _product(sizes, way) - exact
    return float(off.square().mean().sqrt()) / 10_000, float(off.norm() / exact.norm())


@lru_cache(maxsize=64)
def quantizers_error(sizes: Sizes, way: Way) -> float | None:
    """The RMS error with torch's observers and quantizers in the place of codes; None where a range leaves zero out."""
    x, w, wide = sample(sizes)
    kept = ~wide if way.mixed else torch.ones_like(wide)
    ours, theirs = _observed(x[:, kept], way.x_dim, way.shifted), _observed(w[kept], way.w_dim, way.shifted)
    if ours is None or theirs is None:
        return None
    product = ours @ theirs + (halved(x[:, wide], w[wide]) if way.mixed else 0)
    return float((product - x @ w).square().mean().sqrt()) / 10_000


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
