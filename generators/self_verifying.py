"""A question that still verifies its answer itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from generators.answer import Figure
from generators.params import Params
from generators.steps import Answer, Check

P = TypeVar("P", bound=Params)


@dataclass(frozen=True, kw_only=True)
class SelfVerifying(Generic[P]):
    """A unit without side effects: the same parameters always give the same answer, checks and figures.

    `verify` finds the published values of the answer again from the parameters, by a route that
    shares no code with `solve`. `recordings` names the measurements that the answer shows; its parameters are then
    `MeasuredParams`, which hold those that exist.
    """

    title: str
    points: int
    params: type[P]
    solve: Callable[[P], Answer]
    verify: Callable[[P, Answer], Iterable[Check]]
    draw: Callable[[P, Answer], Mapping[str, Figure]]
    recordings: tuple[str, ...] = ()
