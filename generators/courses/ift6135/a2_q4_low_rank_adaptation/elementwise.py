"""Records the arithmetic that torch runs outside matrix products: one operation for each scalar result."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from generators.oracles.products import PRODUCTS

aten = torch.ops.aten
_ONE_A_RESULT = {aten.add, aten.mul, aten.div, aten.sub, aten.exp, aten.round, aten.abs}
_FOLDING = {aten.amax, aten.sum}
_MOVING = {aten.expand, aten.view, aten.transpose, aten.t, aten.select, aten.clone, aten.detach, aten._to_copy, aten._unsafe_view}


class ElementwiseRecorder(TorchDispatchMode):
    """Notes every elementwise operation and reduction as a name and a count; what it does not know raises TypeError.

    A reduction of k values to one counts k - 1; moving values and changing their type count nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet in _ONE_A_RESULT:
            self._note(packet, math.prod(result.shape))
        elif packet in _FOLDING:
            self._note(packet, math.prod(args[0].shape) - math.prod(result.shape))
        elif packet not in _MOVING and packet not in PRODUCTS:
            raise TypeError(f"no rule says what {func} costs")
        return result

    def _note(self, packet: Any, count: int) -> None:
        self.operations.append((packet._qualified_op_name.removeprefix("aten::"), count))
