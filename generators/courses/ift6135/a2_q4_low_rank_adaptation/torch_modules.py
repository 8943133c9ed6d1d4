"""LoRA and QLoRA versions of the sheet's LFFN and MHA as torch modules, and what a pass of each was seen to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import torch
from torch import nn

from generators.courses.ift6135.a2_q4_low_rank_adaptation.elementwise import ElementwiseRecorder
from generators.oracles.products import Count, ProductRecorder

DTYPES = {2: torch.float16, 4: torch.float32, 8: torch.float64}
Form = Literal["(XA)B", "X(AB)", "merged"]
TALL, SUMMED, NARROW = "hd_by_d", "d_by_d_summed_heads", "d_by_d_narrow_heads"


def quantize(weight: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Integer codes and one step Δ for each matrix of a (count, rows, columns) tensor."""
    step = weight.abs().amax(dim=(1, 2), keepdim=True) / (2 ** (bits - 1) - 1)
    return (weight / step).round().to(torch.int32), step


class Frozen(nn.Module):
    """`count` frozen matrices, in full precision, or as codes and steps that `forward` turns back."""

    def __init__(self, count: int, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, rows, columns), requires_grad=False)
        self.codes: torch.Tensor | None = None
        self.step: torch.Tensor | None = None

    def quantize(self, bits: int) -> None:
        """Replace the weights by codes."""
        self.codes, self.step = quantize(self.weight, bits)

    def forward(self) -> torch.Tensor:
        """(count, rows, columns) in full precision."""
        if self.codes is None or self.step is None:
            return self.weight
        weight: torch.Tensor = self.step * self.codes.to(self.step.dtype)
        return weight


class Adapted(nn.Module):
    """X W + (X A) Bᵀ for `count` matrices W at once."""

    def __init__(self, count: int, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.frozen = Frozen(count, rows, columns)
        self.a = nn.Parameter(torch.randn(count, rows, rank))
        self.b = nn.Parameter(torch.randn(count, columns, rank))

    def merged(self) -> torch.Tensor:
        """W + A Bᵀ, which needs no adapter beside it."""
        weight: torch.Tensor = self.frozen() + self.a @ self.b.transpose(1, 2)
        return weight

    def forward(self, x: torch.Tensor, form: Form = "(XA)B") -> torch.Tensor:
        """(n, rows) to (count, n, columns); "merged" takes W as if A Bᵀ were already in it."""
        x, b = x.expand(len(self.a), -1, -1), self.b.transpose(1, 2)
        out: torch.Tensor = x @ self.frozen()
        if form == "(XA)B":
            return out + (x @ self.a) @ b
        return out + x @ (self.a @ b) if form == "X(AB)" else out


class Lffn(nn.Module):
    """One adapted d×d matrix."""

    def __init__(self, d: int, r: int) -> None:
        super().__init__()
        self.f = Adapted(1, d, d, r)

    def forward(self, x: torch.Tensor, form: Form = "(XA)B") -> torch.Tensor:
        """(n, d) to (n, d)."""
        out: torch.Tensor = self.f(x, form)[0]
        return out


class Mha(nn.Module):
    """h heads with adapted query, key and value, joined as the reading of W^O has it."""

    def __init__(self, d: int, r: int, h: int, reading: str) -> None:
        super().__init__()
        width = d // h if reading == NARROW else d
        self.q, self.k, self.v = (Adapted(h, d, width, r) for _ in range(3))
        self.o = Frozen(1, h * d if reading == TALL else d, d)
        self.summed = reading == SUMMED

    def forward(self, x: torch.Tensor, form: Form = "(XA)B") -> torch.Tensor:
        """(n, d) to (n, d)."""
        q, k, v = (projection(x, form) for projection in (self.q, self.k, self.v))
        scores = (q @ k.transpose(1, 2)) / x.shape[-1] ** 0.5
        powers = torch.exp(scores - scores.amax(-1, keepdim=True))
        heads = (powers / powers.sum(-1, keepdim=True)) @ v
        joined = heads.sum(0) if self.summed else heads.transpose(0, 1).flatten(1)
        out: torch.Tensor = joined @ self.o()[0]
        return out


@dataclass(frozen=True)
class Sizes:
    """The sheet's letters, the bytes of a value in full precision, and the reading of W^O."""

    n: int
    d: int
    r: int
    h: int
    m: int
    bytes_per_value: int
    reading: str

    @property
    def letters(self) -> dict[str, int]:
        """The sizes by the letter that formulas use."""
        return {"n": self.n, "d": self.d, "r": self.r, "h": self.h, "m": self.m}


@dataclass(frozen=True)
class Found:
    """One module under one method: its products in order, other operations by step, and what its tensors hold."""

    products: tuple[Count, ...]
    operations: Counter[str]
    quantization: int
    frozen_values: int
    frozen_bytes: Fraction
    trainable: tuple[tuple[int, int], ...]  # matrices and values of all A, and of all B
    trainable_bytes: int

    @property
    def multiply_adds(self) -> int:
        """Of all products; torch counts two FLOPs each."""
        return self.multiply_adds_of(range(len(self.products)))

    def multiply_adds_of(self, places: Iterable[int]) -> int:
        """Of the products at these places in the order in which they ran."""
        return int(sum(self.products[place].flops * self.products[place].batch for place in places)) // 2

    def work(self, flops_per_multiply_add: int) -> int:
        """FLOPs of the products and operations outside them."""
        return flops_per_multiply_add * self.multiply_adds + self.elementwise

    @property
    def elementwise(self) -> int:
        """Operations outside products in one pass."""
        return sum(self.operations.values())

    @property
    def trainable_values(self) -> int:
        """Of all A and B."""
        return sum(values for _, values in self.trainable)


def new(module: str, sizes: Sizes) -> Lffn | Mha:
    """A module with random weights on the default device."""
    built = Lffn(sizes.d, sizes.r) if module == "LFFN" else Mha(sizes.d, sizes.r, sizes.h, sizes.reading)
    return built.to(DTYPES[sizes.bytes_per_value])


@lru_cache(maxsize=512)
def observe(module: str, method: str, sizes: Sizes, device: str = "meta", form: Form = "(XA)B") -> Found:
    """Run one pass under both recorders, and read the module's tensors."""
    with torch.device(device), torch.no_grad():
        built = new(module, sizes)
        x = torch.ones(sizes.n, sizes.d, dtype=DTYPES[sizes.bytes_per_value])
        frozen = [one for one in built.modules() if isinstance(one, Frozen)]
        with ElementwiseRecorder() as once:
            for one in frozen if method == "QLoRA" else ():
                one.quantize(sizes.m)
        with ProductRecorder() as products, ElementwiseRecorder() as elementwise:
            built(x, form)
    return Found(
        products=tuple(products.products),
        operations=_by_step(elementwise.operations),
        quantization=sum(count for _, count in once.operations),
        frozen_values=sum(one.weight.numel() for one in frozen),
        frozen_bytes=sum((_held(one, sizes.m) for one in frozen), Fraction(0)),
        trainable=tuple(_shapes(built, name) for name in ("a", "b")),
        trainable_bytes=sum(p.nbytes for p in built.parameters() if p.requires_grad),
    )


@lru_cache(maxsize=8)
def observe_merging(sizes: Sizes, device: str = "meta") -> tuple[int, int]:
    """Multiply-adds and additions of merging the adapter of one d×d matrix."""
    with torch.device(device), torch.no_grad():
        built = new("LFFN", sizes)
        with ProductRecorder() as products, ElementwiseRecorder() as elementwise:
            built.get_submodule("f").merged()  # type: ignore[operator]
    return products.flops // 2, sum(count for _, count in elementwise.operations)


def _held(one: Frozen, bits: int) -> Fraction:
    """Bytes of the weights; or of the steps and of the codes written with `bits` bits each, really so off the meta device."""
    if one.codes is None or one.step is None:
        return Fraction(one.weight.nbytes)
    packed = one.codes.numel() * bits if one.codes.is_meta else len(packed_bits(one.codes.flatten().tolist(), bits))
    return Fraction(packed, 8) + one.step.nbytes


def packed_bits(codes: list[int], bits: int) -> str:
    """The codes in two's complement, one after the other; a code that needs more bits raises OverflowError."""
    if max(map(abs, codes)) >= 2 ** (bits - 1):
        raise OverflowError(f"a code needs more than {bits} bits")
    return "".join(format(code % 2**bits, f"0{bits}b") for code in codes)


def _shapes(built: nn.Module, name: str) -> tuple[int, int]:
    held = [getattr(one, name) for one in built.modules() if isinstance(one, Adapted)]
    return sum(len(one) for one in held), sum(one.numel() for one in held)


def _by_step(operations: list[tuple[str, int]]) -> Counter[str]:
    """What each operation was for, told from torch's names and their order."""
    steps = {"mul": "dequantize W", "add": "add the two branches"}
    attention = iter(("divide the scores by √d", *["softmax"] * 5, "add up the heads"))
    found: Counter[str] = Counter()
    for name, count in operations:
        found[steps[name] if name in steps else next(attention)] += count
    return found
