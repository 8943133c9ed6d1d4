"""LoRA and QLoRA versions of the sheet's LFFN and MHA as torch modules, and what a pass of each was seen to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Literal

import sympy
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from generators.courses.ift6135.a2_q4_low_rank_adaptation.params import LowRankParams
from generators.oracles.products import PRODUCTS, Count, ProductRecorder

n, d, r, h = sympy.symbols("n d r h", positive=True)
SIZES = {n: 7, d: 3 * 11, r: 5, h: 3}
LETTERS = {7: n, 11: d / h, 5: r, 3: h}
"""What each prime factor of these sizes stands for: every size of a tensor is a product of letters in one way only."""
DTYPES = {2: torch.float16, 4: torch.float32, 8: torch.float64}
Form = Literal["(XA)B", "X(AB)", "merged", "merging"]
TALL, SUMMED, NARROW = "hd_by_d", "d_by_d_summed_heads", "d_by_d_narrow_heads"

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

    def forward(self, x: torch.Tensor, form: Form = "(XA)B") -> torch.Tensor:
        """(n, rows) to (count, n, columns); "merged" takes W as if A Bᵀ were already in it, "merging" puts it there."""
        x, b = x.expand(len(self.a), -1, -1), self.b.transpose(1, 2)
        forms: dict[Form, Callable[[], torch.Tensor]] = {
            "(XA)B": lambda: x @ self.frozen() + (x @ self.a) @ b,
            "X(AB)": lambda: x @ self.frozen() + x @ (self.a @ b),
            "merged": lambda: x @ self.frozen(),
            "merging": lambda: self.frozen() + self.a @ b,
        }
        return forms[form]()


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
        exponentials = torch.exp(scores - scores.amax(-1, keepdim=True))
        heads = (exponentials / exponentials.sum(-1, keepdim=True)) @ v
        joined = heads.sum(0) if self.summed else heads.transpose(0, 1).flatten(1)
        out: torch.Tensor = joined @ self.o()[0]
        return out


class Recorder(TorchDispatchMode):
    """Notes arithmetic outside products, and bits of weights that are read; what it does not know raises TypeError.

    An elementwise operation counts one for each result, a reduction of k values to one k - 1; moving values counts nothing.
    What is made of weights alone is a copy of them, which is written and read again.
    """

    def __init__(self, weights: Iterable[torch.Tensor] = (), code_bits: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[str, sympy.Expr]] = []
        self.read_bits = self.written_bits = self.read_again_bits = sympy.Integer(0)
        self._weights = [one.untyped_storage() for one in weights]  # which views share; torch compares storages by identity
        self._copies: list[torch.UntypedStorage] = []
        self._code_bits = code_bits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result, packet = func(*args, **(kwargs or {})), func._overloadpacket
        if packet in _MOVING:
            return result
        taken = [one for one in args if isinstance(one, torch.Tensor)]
        if packet in _ONE_A_RESULT:
            self._note(packet, written(result.numel()))
        elif packet in _FOLDING:
            self._note(packet, written(taken[0].numel()) - written(result.numel()))
        elif packet not in PRODUCTS:
            raise TypeError(f"no rule says what {func} costs")
        self._weigh(taken, result)
        return result

    def _note(self, packet: Any, count: sympy.Expr) -> None:
        self.operations.append((packet._qualified_op_name.removeprefix("aten::"), count))

    def _weigh(self, taken: Sequence[torch.Tensor], result: torch.Tensor) -> None:
        whole, copied = ([one for one in taken if one.untyped_storage() in among] for among in (self._weights, self._copies))
        self.read_bits += sum(bits_of(one, self._code_bits) for one in whole)
        self.read_again_bits += sum(bits_of(one, self._code_bits) for one in copied)
        if len(whole) + len(copied) == len(taken):
            self.written_bits += bits_of(result, self._code_bits)
            self._copies.append(result.untyped_storage())


@cache
def written(size: int) -> sympy.Expr:
    """A size of a tensor in letters; one with any other factor raises KeyError."""
    return sympy.Mul(*(LETTERS[prime] ** power for prime, power in sympy.factorint(size).items()))


def bits_of(tensor: torch.Tensor, code_bits: int) -> sympy.Expr:
    """What a tensor holds; integer codes are held in as many bits as they need."""
    return written(tensor.numel()) * (8 * tensor.element_size() if tensor.is_floating_point() else code_bits)


@dataclass(frozen=True)
class Seen:
    """What one module did and held under one method; `trainable` are the matrices and values of all A, and of all B."""

    products: Sequence[Count]
    operations: Mapping[str, sympy.Expr]
    quantization: sympy.Expr
    frozen_bits: sympy.Expr
    trainable: Sequence[tuple[sympy.Expr, sympy.Expr]]
    trainable_bits: sympy.Expr
    read_bits: sympy.Expr
    written_bits: sympy.Expr
    read_again_bits: sympy.Expr

    def multiply_adds(self, places: Iterable[int] | None = None) -> sympy.Expr:
        """Of the products at these places in the order in which they ran, or of all; torch counts two FLOPs each."""
        chosen = self.products if places is None else [self.products[place] for place in places]
        return sum(written(int(one.flops) // 2 * one.batch) for one in chosen)

    @property
    def elementwise(self) -> sympy.Expr:
        """Operations outside products in one pass."""
        return sum(self.operations.values())

    @property
    def trainable_values(self) -> sympy.Expr:
        """Of all A and B."""
        return sum(values for _, values in self.trainable)


@lru_cache(maxsize=128)
def observe(module: str, method: str, bits: int, size: int, reading: str = TALL, form: Form = "(XA)B") -> Seen:
    """Run a pass with codes of `bits` bits and other values of `size` bytes under recorders, and read the module's tensors."""
    with torch.device("meta"), torch.no_grad():
        layer = Adapted(1, SIZES[d], SIZES[d], SIZES[r]) if module == "LFFN" else Mha(SIZES[d], SIZES[r], SIZES[h], reading)
        built = layer.to(DTYPES[size])
        frozen = [one for one in built.modules() if isinstance(one, Frozen)]
        adapted = [one for one in built.modules() if isinstance(one, Adapted)]
        with Recorder() as once:
            for one in frozen if method == "QLoRA" else ():
                one.quantize(bits)
        held = [tensor for one in frozen for tensor in one.held or (one.weight,)]
        trained = [one for one in built.parameters() if one.requires_grad]
        x = torch.ones(SIZES[n], SIZES[d], dtype=DTYPES[size])
        with ProductRecorder() as products, Recorder([*held, *trained], bits) as run:
            built(x, form)
    return Seen(
        products=products.products,
        operations=_by_step(run.operations),
        quantization=sum(count for _, count in once.operations),
        frozen_bits=sum(bits_of(one, bits) for one in held),
        trainable=[_held(adapted, name) for name in ("a", "b")],
        trainable_bits=sum(bits_of(one, bits) for one in trained),
        read_bits=run.read_bits,
        written_bits=run.written_bits,
        read_again_bits=run.read_again_bits,
    )


def _held(adapted: Iterable[Adapted], name: str) -> tuple[sympy.Expr, sympy.Expr]:
    ones = [getattr(one, name) for one in adapted]
    return sum(written(len(one)) for one in ones), sum(written(one.numel()) for one in ones)


def _by_step(operations: Iterable[tuple[str, sympy.Expr]]) -> dict[str, sympy.Expr]:
    """What each operation was for, told from torch's names and their order."""
    steps = {"mul": "dequantize W", "add": "add the two branches"}
    attention = iter(("divide the scores by √d", *["softmax"] * 5, "add up the heads"))
    found: dict[str, sympy.Expr] = {}
    for name, count in operations:
        step = steps[name] if name in steps else next(attention)
        found[step] = found.get(step, 0) + count
    return found


class Entry:
    """What modules were seen to do with the entry's bits and bytes, and the numbers at its sizes."""

    def __init__(self, params: LowRankParams) -> None:
        self.params, self.flops = params, params.conventions.flops_per_multiply_add
        self.sizes = {"n": params.context_len, "d": params.d_model, "r": params.rank, "h": params.n_heads}

    def seen(self, module: str, method: str, form: Form = "(XA)B", *, bits: int = 0, reading: str = "") -> Seen:
        """One pass; with other bits or another reading of W^O where they are given."""
        held = self.params.conventions
        bits = bits or self.params.quantized_bits
        return observe(module, method, bits, held.bytes_per_value, reading or held.output_matrix, form)

    def at(self, count: sympy.Expr, **others: int) -> Fraction:
        """What was counted in letters, as a number; at other sizes where they are given."""
        sizes = {**self.sizes, **others}
        return Fraction(str(sympy.sympify(count).subs({letter: sizes[str(letter)] for letter in SIZES})))

    def bytes_at(self, bits: sympy.Expr, **others: int) -> Fraction:
        """Bits counted in letters, as bytes."""
        return self.at(bits, **others) / 8

    def work(self, seen: Seen, **others: int) -> tuple[Fraction, Fraction]:
        """FLOPs of the products of a pass, and operations outside them."""
        return self.flops * self.at(seen.multiply_adds(), **others), self.at(seen.elementwise, **others)
