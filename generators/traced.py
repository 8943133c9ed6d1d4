"""Numbers that keep how they follow from parameters, so that a page can work them out again for other parameters.

A solver runs with them as with any other number. What it decides by comparing them is kept as a condition, and what only
holds for the number itself, as the length of a list, is kept as the condition that the number stays.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from fractions import Fraction
from functools import wraps
from typing import Any, TypeGuard, TypeVar

import sympy

Node = tuple[Any, ...]
"""An operation and the places of what it works on; `("#", "4/3")` is a number and `("p", "rank")` a parameter."""


class Trace:
    """The nodes of all traced numbers, and the conditions under which a run stays as it was, in order."""

    def __init__(self, against: int | None = None) -> None:
        self.against = against  # the place of a condition that comes out the other way
        self.nodes: list[Node] = []
        self.conditions: dict[tuple[int, bool], int] = {}
        self.parts: dict[str, list[int]] = {}
        self._places: dict[Node, int] = {}
        self._noted: list[set[int]] = [set()]  # of the run, and of each function within it that stands alone

    def place(self, node: Node) -> int:
        """Where a node stands; equal nodes stand once."""
        if node not in self._places:
            self._places[node] = len(self.nodes)
            self.nodes.append(node)
        return self._places[node]

    def parameter(self, name: str, number: int | Fraction) -> Traced:
        """A parameter as a traced number."""
        return Traced(self, number, self.place(("p", name)))

    def note(self, node: int, *, holds: bool) -> int:
        """Keep the condition that a comparison comes out as it did; returns its place."""
        place = self.conditions.setdefault((node, holds), len(self.conditions))
        self._noted[-1].add(place)
        return place

    def part_ends(self, label: str) -> None:
        """Say that a part is made: it rests on all conditions so far but those of functions that stand alone."""
        self.parts[label] = sorted(set().union(*self._noted))

    @contextmanager
    def apart(self) -> Iterator[set[int]]:
        """Keep the conditions that are noted within apart from all others; gives them."""
        self._noted.append(set())
        yield self._noted[-1]
        self._noted.pop()

    def constant(self, number: int | Fraction) -> int:
        """Where a number stands."""
        return self.place(("#", str(number)))


CURRENT: ContextVar[Trace | None] = ContextVar("CURRENT", default=None)
"""The trace of the run that is going on."""


Made = TypeVar("Made")


def alone(build: Callable[..., Made]) -> Callable[..., Made]:
    """Mark a function that returns a part, and whose part no other part uses: what it decides concerns that part alone."""

    @wraps(build)
    def traced_apart(*arguments: Any, **named: Any) -> Made:
        trace = CURRENT.get()
        with trace.apart() if trace else nullcontext():
            return build(*arguments, **named)

    return traced_apart


def _exact(number: Any) -> int | Fraction | None:
    return None if isinstance(number, bool) or not isinstance(number, int | Fraction) else number


class Condition:
    """A comparison of traced numbers; whoever takes it as true or false decides by it."""

    def __init__(self, trace: Trace, node: int, holds: bool) -> None:
        self.trace, self.node, self.holds = trace, node, holds

    def __bool__(self) -> bool:
        place = self.trace.note(self.node, holds=self.holds)
        return self.holds != (place == self.trace.against)

    def __eq__(self, other: object) -> bool:
        return bool(self) == (bool(other) if is_condition(other) else other)

    def __hash__(self) -> int:
        return hash(bool(self))

    def __repr__(self) -> str:
        return str(bool(self))

    def opposite(self) -> Condition:
        """That it does not hold."""
        return Condition(self.trace, self.trace.place(("not", self.node)), not self.holds)


def _ratio(one: int | Fraction, other: int | Fraction) -> int | Fraction:
    """The exact quotient; that of ints is a Fraction here, as solvers divide Fractions."""
    return Fraction(one) / other


def _power(base: int | Fraction, exponent: int | Fraction) -> int | Fraction:
    if Fraction(exponent).denominator != 1:
        raise TypeError("a traced power must be whole")
    return base ** int(exponent) if exponent >= 0 else Fraction(base) ** int(exponent)


def _one(sign: str, work: Callable[[Any, Any], Any]) -> Any:
    """A method that works with another number."""
    return lambda self, other: self.worked(sign, other, work)


def _both(sign: str, work: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """The methods for a traced number on the left and on the right."""
    return _one(sign, work), lambda self, other: self.worked(sign, other, work, turned=True)


def _kept(work: Callable[..., Any]) -> Any:
    """A method that does its work with the number itself, which then must stay."""
    return lambda self, *others: work(self.kept(), *others)


class Traced(Fraction):
    """A number with its node; it passes for an int where it is one."""

    __slots__ = ("node", "number", "part", "trace", "when")
    number: int | Fraction
    node: int
    trace: Trace
    part: str
    when: Condition | None  # while it does not hold, there is no number

    def __new__(  # noqa: D102
        cls, trace: Trace, number: int | Fraction, node: int, part: str = "", when: Condition | None = None
    ) -> Traced:
        self = super().__new__(cls, number)
        self.trace, self.number, self.node, self.part, self.when = trace, number, node, part, when
        return self

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.number)

    def lowest(self) -> Traced:
        """The same number, as an int where it is whole."""
        whole = self.number == int(self.number)
        return Traced(self.trace, int(self.number), self.node, self.part, self.when) if whole else self

    def is_parameter(self, name: str) -> bool:
        """Whether the number is a parameter as it was given."""
        return bool(self.trace.nodes[self.node] == ("p", name))

    def kept(self) -> int | Fraction:
        """The number itself; what is made of it holds only while it stays."""
        self.stays()
        return self.number

    def stays(self) -> int:
        """Note that the number must be what it is; returns the condition's place."""
        return self.trace.note(self.trace.place(("==", self.node, self.trace.constant(self.number))), holds=True)

    def worked(self, sign: str, other: Any, work: Callable[[Any, Any], Any], *, turned: bool = False) -> Any:
        """What an operation gives; `turned`, the other number stands on the left."""
        if is_traced(other) and other.trace is self.trace:
            second, node = other.number, other.node
        else:
            plain = _exact(untraced(other))
            if plain is None:
                return work(other, self.kept()) if turned else work(self.kept(), other)
            second, node = plain, self.trace.constant(plain)
        first_node, second_node = (node, self.node) if turned else (self.node, node)
        result = work(second, self.number) if turned else work(self.number, second)
        if isinstance(result, bool) and node == self.node:
            return result  # a number is equal to itself, whatever it is
        at = self.trace.place((sign, first_node, second_node))
        return Condition(self.trace, at, result) if isinstance(result, bool) else Traced(self.trace, result, at)

    __add__, __radd__ = _both("+", operator.add)
    __sub__, __rsub__ = _both("-", operator.sub)
    __mul__, __rmul__ = _both("*", operator.mul)
    __truediv__, __rtruediv__ = _both("/", _ratio)
    __floordiv__, __rfloordiv__ = _both("//", operator.floordiv)
    __mod__, __rmod__ = _both("%", operator.mod)
    __pow__, __rpow__ = _both("^", _power)
    __eq__, __ne__ = _one("==", operator.eq), _one("!=", operator.ne)
    __lt__, __le__ = _one("<", operator.lt), _one("<=", operator.le)
    __gt__, __ge__ = _one(">", operator.gt), _one(">=", operator.ge)

    def __pos__(self) -> Any:
        return self

    def __neg__(self) -> Any:
        return 0 - self

    def __abs__(self) -> Any:
        return self if self >= 0 else -self

    def __floor__(self) -> Any:
        return self // 1

    def __ceil__(self) -> Any:
        return -(-self // 1)

    def __bool__(self) -> bool:
        return bool(self != 0)

    __hash__, __index__ = _kept(hash), _kept(operator.index)
    __int__ = __trunc__ = _kept(int)
    __float__, __round__ = _kept(float), _kept(round)
    __str__, __repr__, __format__ = _kept(str), _kept(repr), _kept(format)
    numerator, denominator = (property(_kept(operator.attrgetter(name))) for name in ("numerator", "denominator"))
    as_integer_ratio = _kept(operator.methodcaller("as_integer_ratio"))

    def _sympy_(self) -> sympy.Rational:
        number = self.kept()
        return sympy.Rational(number.numerator, number.denominator)


def is_traced(value: object) -> TypeGuard[Traced]:
    """Whether a value is a traced number, which passes for another class."""
    return type(value) is Traced


def is_condition(value: object) -> TypeGuard[Condition]:
    """Whether a truth is that of a comparison of traced numbers."""
    return type(value) is Condition


def untraced(value: Any) -> Any:
    """The number that is shown, without the condition that it stays: who calls this marks the place."""
    return value.number if is_traced(value) else value
