"""Models of transformers without storage, tuned with peft and torch modules, and their trainable values counted."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Shape:
    """A model's configuration."""

    kind: str
    n_layers: int
    d_model: int
    d_ff: int
    vocabulary: int
    positions: int
    segments: int


def built(shape: Shape) -> Any:
    """The architecture from transformers on meta tensors; one head, as heads change no count."""
    from transformers import BertConfig, BertModel, GPTNeoXConfig, GPTNeoXForCausalLM

    sizes = {"num_hidden_layers": shape.n_layers, "hidden_size": shape.d_model, "intermediate_size": shape.d_ff,
             "num_attention_heads": 1, "vocab_size": shape.vocabulary, "max_position_embeddings": shape.positions}  # fmt: skip
    with torch.device("meta"):
        if shape.kind == "bert":
            return BertModel(BertConfig(**sizes, type_vocab_size=shape.segments))
        return GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, tie_word_embeddings=False))


@lru_cache(maxsize=16)
def _untuned(shape: Shape) -> Any:
    """The same, to be looked at and never changed."""
    return built(shape)


@lru_cache(maxsize=64)
def plain(shape: Shape) -> tuple[int, int, int, int]:
    """Values, those in the layers, all biases, and those of the query and of the first feed-forward matrix."""
    named = {name: tensor.numel() for name, tensor in _untuned(shape).named_parameters()}
    biases = {name: count for name, count in named.items() if name.endswith("bias")}
    query = {"bert": "query.bias", "gpt_neox": "query_key_value.bias"}[shape.kind]
    third = 1 if shape.kind == "bert" else 3
    first = {"bert": "intermediate.dense.bias", "gpt_neox": "dense_h_to_4h.bias"}[shape.kind]
    some = _total(biases, query) // third + _total(biases, first)
    layers = sum(count for name, count in named.items() if _in_layers(name))
    return sum(named.values()), layers, sum(biases.values()), some


def _total(named: dict[str, int], ending: str) -> int:
    return sum(count for name, count in named.items() if name.endswith(ending))


@lru_cache(maxsize=64)
def adapters(shape: Shape, width: int, *, norms: bool) -> int:
    """Two bottlenecks a layer; with `norms`, the norms that stand in the model's layers."""
    with torch.device("meta"):
        bottleneck = nn.Linear(shape.d_model, width), nn.Linear(width, shape.d_model)
    added = 2 * shape.n_layers * sum(tensor.numel() for one in bottleneck for tensor in one.parameters())
    inside = [one for name, one in _untuned(shape).named_modules() if _in_layers(name) and isinstance(one, nn.LayerNorm)]
    return added + norms * sum(tensor.numel() for norm in inside for tensor in norm.parameters())


def _in_layers(name: str) -> bool:
    return ".layer." in name or ".layers." in name


@lru_cache(maxsize=64)
def lora(shape: Shape, rank: int, lora_on: tuple[str, ...]) -> int:
    """Trainable values that peft puts beside these matrices; GPT-NeoX has one for query, key and value."""
    from peft import LoraConfig, get_peft_model

    targets = list(lora_on) if shape.kind == "bert" else ["query_key_value"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks for an attribute that transformers renames
        tuned = get_peft_model(built(shape), LoraConfig(r=rank, target_modules=targets))
    return sum(tensor.numel() for tensor in tuned.parameters() if tensor.requires_grad)


@lru_cache(maxsize=64)
def pair(rows: int, columns: int, rank: int) -> int:
    """Trainable values that peft puts beside one matrix of torch."""
    from peft import LoraConfig, get_peft_model

    with torch.device("meta"):
        matrix = nn.Sequential(nn.Linear(columns, rows, bias=False))
    tuned = get_peft_model(matrix, LoraConfig(r=rank, target_modules=["0"]))
    return sum(tensor.numel() for tensor in tuned.parameters() if tensor.requires_grad)


@lru_cache(maxsize=1)
def merged() -> tuple[int, int, float]:
    """Values of a small layer before tuning and after merging, and by how much the merged output differs."""
    from peft import LoraConfig, get_peft_model

    torch_state = torch.get_rng_state()
    torch.manual_seed(25)
    base = nn.Sequential(nn.Linear(12, 12, bias=False)).double()
    before, x = sum(tensor.numel() for tensor in base.parameters()), torch.randn(4, 12, dtype=torch.float64)
    tuned = get_peft_model(base, LoraConfig(r=3, target_modules=["0"], init_lora_weights=False))
    tuned = tuned.double()
    with torch.no_grad():
        beside = tuned(x)
        whole = tuned.merge_and_unload()
        apart = float((whole(x) - beside).abs().max())
    torch.set_rng_state(torch_state)
    return before, sum(tensor.numel() for tensor in whole.parameters()), apart


@lru_cache(maxsize=64)
def rows_outside(shape: Shape) -> int:
    """Rows of embeddings and of an output head, which has no bias."""
    apart = [one for name, one in _untuned(shape).named_modules() if not _in_layers(name)]
    held = [one for one in apart if isinstance(one, nn.Embedding)]
    heads = [one for one in apart if isinstance(one, nn.Linear) and one.bias is None]
    return sum(len(one.weight) for one in [*held, *heads])
