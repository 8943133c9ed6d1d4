"""Distillation: the losses and gradients of a student trained on a teacher's softened distribution beside the labels.

Source: Hinton et al. 2015, arXiv 1503.02531. λ weighs the hard loss, 1 - λ the soft one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import sympy

Number: TypeAlias = Any
"""A fraction, a sympy expression or an array."""

LAMBDA, TAU = sympy.symbols("lamda tau", positive=True)


def softmax(logits: Sequence[sympy.Expr], temperature: sympy.Expr | int) -> list[sympy.Expr]:
    """The distribution of logits that are divided by a temperature."""
    weights = [sympy.exp(logit / temperature) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def hard_loss(logits: Sequence[sympy.Expr], label: int) -> sympy.Expr:
    """Cross-entropy with the label's class, -log softmax(ζ)_y."""
    return sympy.log(sum(sympy.exp(logit) for logit in logits)) - logits[label]


def soft_loss(teacher: Sequence[sympy.Expr], student: Sequence[sympy.Expr]) -> sympy.Expr:
    """Cross-entropy of two distributions, -Σ p log q."""
    return -sum(p * sympy.log(q) for p, q in zip(teacher, student, strict=True))


def mixed(label_weight: Number, hard: Number, soft: Number) -> Number:
    """Of the two losses, or of their gradients."""
    return label_weight * hard + (1 - label_weight) * soft


def soft_gradient(temperature: Number, student: Number, teacher: Number) -> Number:
    """By a logit, of τ² times the divergence: τ²·(q - p)/τ."""
    return temperature * (student - teacher)
