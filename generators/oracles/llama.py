"""Decoders of Llama's kind from transformers, without storage, whose linear layers and other values can be counted."""

from __future__ import annotations

from typing import Any

import torch


def llama(run: Any, n_layers: int) -> Any:
    """A model with a shape's widths and heads, an output head of its own, and so many layers.

    A shape has d_model, d_ff, vocabulary_size and n_heads; n_kv_heads and head_dim may be None.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=run.vocabulary_size, hidden_size=run.d_model, intermediate_size=run.d_ff, num_hidden_layers=n_layers,
        num_attention_heads=run.n_heads, num_key_value_heads=run.n_kv_heads or run.n_heads,
        head_dim=run.head_dim or run.d_model // run.n_heads, tie_word_embeddings=False, pad_token_id=None,
    )  # fmt: skip
    with torch.device("meta"):
        return LlamaForCausalLM(config)


def linear_layers(model: Any) -> list[torch.nn.Linear]:
    """All of them but the output head."""
    return [one for name, one in model.named_modules() if isinstance(one, torch.nn.Linear) and name != "lm_head"]
