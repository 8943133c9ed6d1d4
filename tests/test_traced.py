"""Numbers that keep how they follow from parameters: whatever is done with them, nothing is forgotten."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import sympy

from generators.cells import at, exact, rational
from generators.depending import count, greatest, least
from generators.traced import CURRENT, Trace, Traced, alone, is_condition, is_traced

N = sympy.Symbol("n", positive=True)


def worked(trace: Trace, place: int, given: dict[str, Fraction | int]) -> Any:
    """The value of a node, by another reading of the operations than the page's script."""
    sign, *of = trace.nodes[place]
    if sign in "#p":
        return Fraction(of[0]) if sign == "#" else Fraction(given[of[0]])
    values = [worked(trace, one, given) for one in of]
    done: dict[str, Callable[..., Any]] = {
        "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
        "%": operator.mod, "min": min, "max": max, "floor": math.floor, "ceil": math.ceil,
        "^": lambda base, exponent: base ** int(exponent), "==": operator.eq, "!=": operator.ne,
        "truth": int, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    }  # fmt: skip
    return done[sign](*values)


FOLLOWED: list[Callable[[Any], Any]] = [
    lambda n: n + 1, lambda n: 1 + n, lambda n: n - Fraction(1, 3), lambda n: Fraction(1, 3) - n, lambda n: 2 * n * n,
    lambda n: n / Fraction(3), lambda n: Fraction(3) / n, lambda n: n // 3, lambda n: 7 // n, lambda n: n % 4, lambda n: 30 % n,
    lambda n: n**3, lambda n: 2**n, lambda n: -n, lambda n: +n, lambda n: abs(-n), lambda n: sum([n, n]),
    lambda n: math.floor(n / Fraction(2)), lambda n: math.ceil(n / Fraction(2)), lambda n: least(n, 5), lambda n: greatest(5, n),
    lambda n: count([n > 3, n < 9, True]),
    rational, exact, lambda n: at(N * (N + 1) / 2, {N: n}), lambda n: at(sympy.floor(N / 4), {N: n}),
    lambda n: at(sympy.ceiling(N / 4) + sympy.Min(N, 9), {N: n}), lambda n: at(2**N - N ** (N - 3), {N: n}),
]  # fmt: skip


@pytest.mark.parametrize("number", [4, 9, 16])
@pytest.mark.parametrize("way", range(len(FOLLOWED)))
def test_what_follows(way: int, number: int) -> None:
    """A number traced at 6 gives, at another, what Python gives of that."""
    trace = Trace()
    found = FOLLOWED[way](trace.parameter("n", 6))
    plain = FOLLOWED[way](6)
    assert is_traced(found)
    assert found.number == plain
    assert isinstance(found, type(plain)) or found.number == int(found.number)
    assert worked(trace, found.node, {"n": number}) == FOLLOWED[way](number)
    assert all(worked(trace, node, {"n": number}) == holds for node, holds in trace.conditions)


KEPT: list[Callable[[Any], Any]] = [
    int, float, str, repr, hash, range, round, math.trunc, "{:d}".format, "{}".format, lambda n: [0] * n, lambda n: "abcdefgh"[n],
    lambda n: n.numerator, lambda n: n.as_integer_ratio(), Fraction, sympy.sympify, lambda n: n + 0.5, lambda n: n * N,
    lambda n: {n: 1}, math.isqrt, lambda n: divmod(n, 4), lambda n: at(sympy.sqrt(N), {N: n}), lambda n: f"{n}",
]  # fmt: skip


@pytest.mark.parametrize("way", range(len(KEPT)))
def test_what_only_holds_for_the_number_itself(way: int) -> None:
    """Then it must stay: another number breaks the condition."""
    trace = Trace()
    assert KEPT[way](trace.parameter("n", 6)) == KEPT[way](6)
    assert not all(worked(trace, node, {"n": 7}) == holds for node, holds in trace.conditions)


DECIDED: list[Callable[[Any], Any]] = [
    lambda n: "few" if n < 5 else "many", lambda n: max(n, 5), lambda n: min(3, n), lambda n: sorted([7, n, 2]),
    lambda n: n in (4, 6),    bool, lambda n: n or 3, lambda n: [one for one in (2, 5, 9) if one >= n],
    lambda n: n != 6, lambda n: not n <= 8,
]  # fmt: skip


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("way", range(len(DECIDED)))
def test_what_was_decided_holds_while_its_conditions_do(way: int, number: int) -> None:
    """Where they hold for another number, what was found for the first is worked out for it as Python decides."""
    trace = Trace()
    found = DECIDED[way](trace.parameter("n", 6))
    if all(worked(trace, node, {"n": number}) == holds for node, holds in trace.conditions):
        several = found if isinstance(found, list) else [found]
        now = [worked(trace, one.node, {"n": number}) if is_traced(one) or is_condition(one) else one for one in several]
        wanted = DECIDED[way](number)
        assert now == (wanted if isinstance(wanted, list) else [wanted])


def test_a_number_is_itself() -> None:
    """No condition is kept of what no number can change."""
    trace = Trace()
    n = trace.parameter("n", 6)
    assert n == n  # noqa: PLR0124
    assert n <= n  # noqa: PLR0124
    assert trace.conditions == {}


def test_parts_rest_on_what_was_decided_before_them_but_alone() -> None:
    """What a function that stands alone decides concerns its part only."""
    trace = Trace()
    n = trace.parameter("n", 6)

    @alone
    def build() -> None:
        assert n > 1
        trace.part_ends("b")

    token = CURRENT.set(trace)
    assert n < 9
    trace.part_ends("a")
    build()
    assert n != 3
    trace.part_ends("c")
    CURRENT.reset(token)
    assert trace.parts == {"a": [0], "b": [0, 1], "c": [0, 2]}


def test_traced_numbers_pass_for_what_they_are() -> None:
    """An int where it is one, so that solvers treat them alike."""
    trace = Trace()
    n: Traced = trace.parameter("n", 6)
    assert isinstance(n, int)
    assert isinstance(n / Fraction(4), Fraction)
    assert not isinstance(n / Fraction(4), int)
