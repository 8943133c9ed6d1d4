"""The shapes of the models that are trained here: two small ones to ship, and three published ones to measure.

Shapes of opt-350m, pythia-160m and pythia-14m are those of the published models; only weights trained here are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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


def _neox(layers: int, hidden: int, heads: int, vocab_size: int, context_len: int, **options: Any) -> Any:
    """A GPT-NeoX configuration with a feed-forward layer four times as wide and rotary positions over a quarter."""
    from transformers import GPTNeoXConfig

    return GPTNeoXConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        vocab_size=vocab_size,
        max_position_embeddings=context_len,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
        **options,
    )


def code_small() -> Any:
    """12 layers of width 192 over 4096 tokens, tied embeddings: 6.1 million parameters."""
    return _neox(12, 192, 6, VOCAB_SIZE, CONTEXT_LEN, tie_word_embeddings=True)


def code_draft() -> Any:
    """2 layers of width 128 over the same tokens, tied embeddings: 0.9 million parameters."""
    return _neox(2, 128, 4, VOCAB_SIZE, CONTEXT_LEN, tie_word_embeddings=True)


def pythia_160m() -> Any:
    """12 layers of width 768, untied embeddings of 50304 tokens."""
    return _neox(12, 768, 12, 50304, 2048, tie_word_embeddings=False)


def pythia_14m() -> Any:
    """6 layers of width 128, untied embeddings of 50304 tokens."""
    return _neox(6, 128, 4, 50304, 2048, tie_word_embeddings=False)


def opt_350m() -> Any:
    """24 post-norm layers of width 1024 around token embeddings of width 512."""
    from transformers import OPTConfig

    return OPTConfig(
        num_hidden_layers=24,
        hidden_size=1024,
        word_embed_proj_dim=512,
        ffn_dim=4096,
        num_attention_heads=16,
        vocab_size=50272,
        max_position_embeddings=2048,
        do_layer_norm_before=False,
        dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
    )


def _architecture(name: str, build: Callable[[], Any], learning_rate: float, batch: int, steps: int) -> Recipe:
    label = f"the architecture of {name}, weights trained here"
    return Recipe(name=name, label=label, build=build, learning_rate=learning_rate, batch=batch, steps=steps)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="code-small", label="code-small, trained here", build=code_small, learning_rate=2e-3, batch=64, steps=9000),
        Recipe(name="code-draft", label="code-draft, trained here", build=code_draft, learning_rate=4e-3, batch=64, steps=9000),
        _architecture("pythia-160m", pythia_160m, 8e-4, 32, 1500),
        _architecture("pythia-14m", pythia_14m, 2e-3, 32, 3000),
        _architecture("opt-350m", opt_350m, 2e-4, 32, 1200),
    )
}


def make(recipe: Recipe) -> Any:
    """The recipe's model with seeded random weights, in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(recipe.seed)
    return AutoModelForCausalLM.from_config(recipe.build())
