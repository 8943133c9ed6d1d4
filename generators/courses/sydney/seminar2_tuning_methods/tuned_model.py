"""Tunes a transformer of Hugging Face with peft, and counts trainable values, FLOPs of its passes and bytes of its cache."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from generators.oracles.finetuning import Adapter
from generators.oracles.products import ProductRecorder

DTYPES = {2: torch.float16, 4: torch.float32}


@dataclass(frozen=True)
class Sizes:
    """Layers, widths, virtual tokens, tokens of the prompt, and heads."""

    n_layers: int
    width: int
    rank: int
    virtual: int
    tokens: int
    heads: int


@dataclass(frozen=True)
class Counts:
    """What a tuned model was seen to train, to compute, and to hold in its cache after the pass; its matrices, if not tuned."""

    values: int
    model_values: int
    pass_flops: int
    token_flops: int
    cached_bytes: int

    def plus(self, other: Counts, times: int) -> Counts:
        """The sum of this and `times` as much of another."""
        return Counts(*(getattr(self, one.name) + times * getattr(other, one.name) for one in fields(self)))

    def minus(self, other: Counts) -> Counts:
        """What this has more than another."""
        return self.plus(other, -1)


def transformer(sizes: Sizes) -> Any:
    """An OPT model without biases, its feed-forward layers four times as wide, and nothing trainable."""
    from transformers import OPTConfig, OPTModel

    config = OPTConfig(
        hidden_size=sizes.width, word_embed_proj_dim=sizes.width, ffn_dim=4 * sizes.width, num_hidden_layers=sizes.n_layers,
        num_attention_heads=sizes.heads, vocab_size=8, max_position_embeddings=sizes.tokens + sizes.virtual + 8,
        enable_bias=False, dropout=0.0, attn_implementation="eager",
    )  # fmt: skip
    return OPTModel(config).requires_grad_(False).eval()


def tuned(method: str, sizes: Sizes) -> Any:
    """The model with what the method adds; adapters stand behind attention and behind the feed-forward network."""
    import peft

    model, kind = transformer(sizes), "FEATURE_EXTRACTION"
    if method == "adapters":
        for layer in model.decoder.layers:
            for place, name in ((layer.self_attn, "out_proj"), (layer, "fc2")):
                setattr(place, name, nn.Sequential(getattr(place, name), Adapter(sizes.width, sizes.rank, biases=False)))
        return model
    if method in ("lora", "merged"):
        config = peft.LoraConfig(task_type=kind, r=sizes.rank, target_modules=["q_proj", "k_proj", "v_proj"])
    elif method == "prefix":
        config = peft.PrefixTuningConfig(task_type=kind, num_virtual_tokens=sizes.virtual)
    elif method == "prompt":
        config = peft.PromptTuningConfig(task_type=kind, num_virtual_tokens=sizes.virtual)
    else:
        return model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads an attribute that transformers renamed
        model = peft.get_peft_model(model, config)
    return model.merge_and_unload() if method == "merged" else model


@lru_cache(maxsize=64)
def run(method: str, sizes: Sizes, element: int) -> Counts:
    """Pass a prompt through the tuned model, then one more token with the cache that this left."""
    with torch.device("meta"), torch.no_grad():
        model = tuned(method, sizes).to(DTYPES[element])
        with ProductRecorder() as first:
            out = model(**_tokens(sizes.tokens, sizes.tokens), use_cache=True)
        cache = out.past_key_values
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        inner = model.base_model if method in ("prefix", "prompt") else model  # peft would put the prompt in again
        with ProductRecorder() as second:
            inner(**_tokens(1, cache.get_seq_length() + 1), past_key_values=cache)
    trained = sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad)
    linear = (one for one in model.modules() if isinstance(one, nn.Linear))
    matrices = sum(one.weight.numel() for one in linear) if method == "none" else 0
    return Counts(trained, matrices, first.flops, second.flops, held)


def _tokens(count: int, attended: int) -> dict[str, torch.Tensor]:
    ones = torch.ones(1, attended, dtype=torch.long)
    return {"input_ids": torch.zeros(1, count, dtype=torch.long), "attention_mask": ones}


@lru_cache(maxsize=32)
def extended(method: str, sizes: Sizes, element: int) -> Counts:
    """Count on meta tensors with one and two layers, and let every further layer add what the second adds."""
    one, two = (run(method, replace(sizes, n_layers=count), element) for count in (1, 2))
    return one.plus(two.minus(one), sizes.n_layers - 1)
