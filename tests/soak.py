"""How long tests of faults, of random input and of states of pages run: shortly with `make test`, at length with `make soak`."""

import os

import pytest
from hypothesis import settings

SOAK = bool(os.environ.get("SOAK"))

soak = pytest.mark.soak
"""Marks a test that `make soak` runs too, and that runs longer there."""

fuzz = settings(max_examples=2000 if SOAK else 200, deadline=None, derandomize=not SOAK)
"""How many random inputs are tried; without SOAK they are the same in each run."""
