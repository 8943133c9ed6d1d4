"""What speculative decoding is expected to give where each drafted token is kept at one rate.

Source: Leviathan, Kalman and Matias 2023, arXiv 2211.17192.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

import sympy

ALPHA, GAMMA, COST_RATIO = sympy.symbols("alpha gamma c", positive=True)

N = TypeVar("N", Fraction, sympy.Expr)


def expected_tokens(rate: N, n_drafted: int | sympy.Symbol) -> N:
    """Tokens a target call gives on average, where each drafted token is kept at the rate α < 1 whatever went before."""
    tokens: N = (1 - rate ** (n_drafted + 1)) / (1 - rate)
    return tokens


def walltime_gain(rate: N, n_drafted: int | sympy.Symbol, cost_ratio: N) -> N:
    """Expected tokens in the time of one target call.

    A draft call takes `cost_ratio` of that time, and checking all drafted tokens at once takes one.
    """
    gain: N = expected_tokens(rate, n_drafted) / (n_drafted * cost_ratio + 1)
    return gain
