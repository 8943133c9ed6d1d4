"""LoRA and QLoRA versions of the sheet's LFFN and MHA as torch modules, and what a pass of each was seen to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Literal

import sympy
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.oracles.products import DTYPES, PRODUCTS, Count, ProductRecorder

n, d, r, h = sympy.symbols("n d r h", positive=True)
SIZES = {n: 7, d: 3 * 11, r: 5, h: 3}
LETTERS = {7: n, 11: d / h, 5: r, 3: h}
"""What each prime factor of these sizes stands for: every size of a tensor is a product of letters in one way only."""
NARROW = "d by d"
Form = Literal["beside", "merged", "merging"]

aten = torch.ops.aten
_ONE_A_RESULT = {aten.add, aten.mul, aten.div, aten.sub, aten.exp, aten.round, aten.abs}
_FOLDING = {aten.amax, aten.sum}
_MOVING = {aten.expand, aten.view, aten.transpose, aten.t, aten.select, aten.clone, aten.detach, aten._to_copy, aten._unsafe_view}


class Frozen(nn.Module):
    """`count` frozen matrices, in full precision, or as codes and one step Δ each that `forward` turns back."""

    def __init__(self, count: int, rows: int, columns: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, rows, columns), requires_grad=False)
        self.held: tuple[torch.Tensor, ...] = ()

    def quantize(self, bits: int) -> None:
        """Hold steps and codes in place of the weights."""
        step = self.weight.abs().amax(dim=(1, 2), keepdim=True) / (2 ** (bits - 1) - 1)
        self.held = (step, (self.weight / step).round().to(torch.int32))

    def forward(self) -> torch.Tensor:
        """(count, rows, columns) in full precision."""
        return self.held[0] * self.held[1] if self.held else self.weight


class Adapted(nn.Module):
    """X W + (X A) Bᵀ for `count` matrices W at once."""

    def __init__(self, count: int, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.frozen = Frozen(count, rows, columns)
        self.a = nn.Parameter(torch.randn(count, rows, rank))
        self.b = nn.Parameter(torch.randn(count, columns, rank))

    def forward(self, x: torch.Tensor, form: Form = "beside") -> torch.Tensor:
        """(n, rows) to (count, n, columns); "merged" takes W as if A Bᵀ were already in it, "merging" puts it there."""
        x, b = x.expand(len(self.a), -1, -1), self.b.transpose(1, 2)
        w: torch.Tensor = self.frozen()
        if form == "merging":
            return w + self.a @ b
        return x @ w + (x @ self.a) @ b if form == "beside" else x @ w


class Plain(nn.Module):
    """X W for `count` matrices W at once."""

    def __init__(self, count: int, rows: int, columns: int) -> None:
        super().__init__()
        self.frozen = Frozen(count, rows, columns)

    def forward(self, x: torch.Tensor, form: Form) -> torch.Tensor:
        """(n, rows) to (count, n, columns) in every form."""
        w: torch.Tensor = self.frozen()
        return x.expand(len(w), -1, -1) @ w


class Mha(nn.Module):
    """h heads of query, key and value, of which those in `on` are adapted, side by side; narrow heads share the width."""

    def __init__(self, d: int, r: int, h: int, on: Sequence[str], *, narrow: bool) -> None:
        super().__init__()
        sizes = (h, d, d // h if narrow else d)
        self.q, self.k, self.v = (Adapted(*sizes, r) if one in on else Plain(*sizes) for one in ("query", "key", "value"))
        self.o = Frozen(1, d if narrow else h * d, d)

    def forward(self, x: torch.Tensor, form: Form = "beside") -> torch.Tensor:
        """(n, d) to (n, d)."""
        q, k, v = (projection(x, form) for projection in (self.q, self.k, self.v))
        scores = (q @ k.transpose(1, 2)) / x.shape[-1] ** 0.5
        exponentials = torch.exp(scores - scores.amax(-1, keepdim=True))
        heads = (exponentials / exponentials.sum(-1, keepdim=True)) @ v
        out: torch.Tensor = heads.transpose(0, 1).flatten(1) @ self.o()[0]
        return out


class Recorder(TorchDispatchMode):
    """Notes arithmetic outside products; what it does not know raises TypeError.

    An elementwise operation counts one for each result, a reduction of k values to one k - 1; moving values counts nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[str, sympy.Expr]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result, packet = func(*args, **(kwargs or {})), func._overloadpacket
        name = packet._qualified_op_name.removeprefix("aten::")
        if packet in _ONE_A_RESULT:
            self.operations.append((name, written(result.numel())))
        elif packet in _FOLDING:
            self.operations.append((name, written(args[0].numel()) - written(result.numel())))
        elif packet not in _MOVING and packet not in PRODUCTS:
            raise TypeError(f"no rule says what {func} costs")
        return result


@cache
def written(size: int) -> sympy.Expr:
    """A size of a tensor in letters; one with any other factor raises KeyError."""
    return sympy.Mul(*(LETTERS[prime] ** power for prime, power in sympy.factorint(size).items()))


def bits_of(tensors: Iterable[torch.Tensor], code_bits: int) -> sympy.Expr:
    """What tensors hold; integer codes are held in as many bits as they need."""
    return sum(written(one.numel()) * (8 * one.element_size() if one.is_floating_point() else code_bits) for one in tensors)


@dataclass(frozen=True)
class Seen:
    """What one module did and held under one method; `trained_bits` are those of A and B, gradients and Adam's moments."""

    products: Sequence[Count]
    operations: Mapping[str, sympy.Expr]
    quantization: sympy.Expr
    weights: sympy.Expr
    frozen_bits: sympy.Expr
    pairs: sympy.Expr
    trainable: sympy.Expr
    trained_bits: sympy.Expr

    def multiply_adds(self, places: Iterable[int] | None = None) -> sympy.Expr:
        """Of the products at these places in the order in which they ran, or of all; torch counts two FLOPs each."""
        chosen = self.products if places is None else [self.products[place] for place in places]
        return sum(written(int(one.flops) // 2 * one.batch) for one in chosen)

    @property
    def others(self) -> sympy.Expr:
        """Operations outside products in one pass."""
        return sum(self.operations.values())


@lru_cache(maxsize=64)
def observe(module: str, method: str, bits: int, size: int, reading: str, on: tuple[str, ...], form: Form = "beside") -> Seen:
    """Run a pass with codes of `bits` bits and other values of `size` bytes under recorders, and read the module's tensors."""
    with torch.device("meta"):
        width, rank, heads = (SIZES[one] for one in (d, r, h))
        layer = Adapted(1, width, width, rank) if module == "LFFN" else Mha(width, rank, heads, on, narrow=reading == NARROW)
        built, x = layer.to(DTYPES[size]), torch.ones(SIZES[n], width, dtype=DTYPES[size])
        frozen = [one for one in built.modules() if isinstance(one, Frozen)]
        with torch.no_grad(), Recorder() as once:
            for one in frozen if method == "QLoRA" else ():
                one.quantize(bits)
        with torch.no_grad(), ProductRecorder() as products, Recorder() as run:
            built(x, form)
    trainable = [one for one in built.parameters() if one.requires_grad]
    adapted = [one for one in built.modules() if isinstance(one, Adapted)]
    return Seen(
        products=products.products,
        operations=_by_step(run.operations),
        quantization=sum(count for _, count in once.operations),
        weights=sum(written(one.weight.numel()) for one in frozen),
        frozen_bits=bits_of((tensor for one in frozen for tensor in one.held or (one.weight,)), bits),
        pairs=sum(written(len(one.a)) for one in adapted),
        trainable=sum(written(one.numel()) for one in trainable),
        trained_bits=bits_of(_kept_in_training(built, x, trainable), bits),
    )


def _kept_in_training(built: nn.Module, x: torch.Tensor, trainable: Sequence[nn.Parameter]) -> list[torch.Tensor]:
    """All tensors of the trained values' size that are there after one step of Adam."""
    optimizer = torch.optim.Adam(trainable, foreach=False)
    built(x).sum().backward()
    optimizer.step()
    moments = [optimizer.state[one][name] for one in trainable for name in ("exp_avg", "exp_avg_sq")]
    return [*trainable, *(one.grad for one in trainable if one.grad is not None), *moments]


def _by_step(operations: Iterable[tuple[str, sympy.Expr]]) -> dict[str, sympy.Expr]:
    """What each operation was for, told from torch's names and their order."""
    steps = {"mul": "dequantization", "add": "branches"}
    attention = iter(("scaling", *["softmax"] * 5))
    found: dict[str, sympy.Expr] = {}
    for name, count in operations:
        step = steps[name] if name in steps else next(attention)
        found[step] = found.get(step, 0) + count
    return found


class Entry:
    """What modules were seen to do with the entry's bits and bytes, and the numbers at its sizes."""

    def __init__(self, params: LowRankParams) -> None:
        self.params = params
        self.sizes = {"n": params.context_len, "d": params.d_model, "r": params.rank, "h": params.n_heads}

    def seen(self, module: str, method: str, form: Form = "beside") -> Seen:
        """One pass."""
        held = self.params.conventions
        how = self.params.quantized_bits, held.bytes_per_value, held.output_matrix, tuple(self.params.lora_on)
        return observe(module, method, *how, form)

    def at(self, count: sympy.Expr, **others: int) -> Fraction:
        """What was counted in letters, as a number; at other sizes where they are given."""
        sizes = {**self.sizes, **others}
        return Fraction(str(sympy.sympify(count).subs({letter: sizes[str(letter)] for letter in SIZES})))

    def operations(self, seen: Seen, **others: int) -> Fraction:
        """All of a pass; a multiply-add is two."""
        return self.at(2 * seen.multiply_adds() + seen.others, **others)
