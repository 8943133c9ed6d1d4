"""The shapes of the two small models of Python code, and how each is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

VOCAB_SIZE = 4096
CONTEXT_LEN = 512


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to build and train one model; times are a limit on the training loop, in seconds."""

    name: str
    label: str
    build: Callable[[], Any]
    learning_rate: float
    batch: int  # sequences of CONTEXT_LEN tokens a step
    steps: int
    warmup_steps: int = 200
    seed: int = 0


def _neox(layers: int, hidden: int, heads: int) -> Any:
    """A GPT-NeoX configuration: tied embeddings, a feed-forward layer four times as wide, rotary positions over a quarter."""
    from transformers import GPTNeoXConfig

    return GPTNeoXConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        vocab_size=VOCAB_SIZE,
        max_position_embeddings=CONTEXT_LEN,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
        tie_word_embeddings=True,
    )


RECIPES = {
    name: Recipe(name=name, label=f"{name}, trained here", build=partial(_neox, *shape), learning_rate=rate, batch=64, steps=9000)
    for name, shape, rate in (("code-small", (12, 192, 6), 2e-3), ("code-draft", (2, 128, 4), 4e-3))
}
"""Models of 6.1 and of 0.9 million parameters."""


def make(recipe: Recipe) -> Any:
    """The recipe's model with seeded random weights, in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(recipe.seed)
    return AutoModelForCausalLM.from_config(recipe.build())
