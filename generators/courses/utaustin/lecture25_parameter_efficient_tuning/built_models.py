"""Models of transformers without storage, and the tensors in them and beside them that each method trains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from generators.courses.utaustin.lecture25_parameter_efficient_tuning.params import Model
from generators.oracles.finetuning import Adapter, LowRank

Tensors = list[torch.Tensor]
FUSED = r"attention\.query_key_value"
NAMES = {
    "bert": {"query": r"self\.query", "key": r"self\.key", "value": r"self\.value", "output": r"attention\.output\.dense",
             "up": r"intermediate\.dense", "down": r"\d\.output\.dense"},
    "gpt_neox": {"query": FUSED, "key": FUSED, "value": FUSED, "output": r"attention\.dense", "up": "dense_h_to_4h",
                 "down": "dense_4h_to_h"},
}  # fmt: skip
"""How the names of the linear layers end."""


def _built(model: Model) -> Any:
    """The architecture from transformers on meta tensors; one head, as heads change no count."""
    from transformers import BertConfig, BertModel, GPTNeoXConfig, GPTNeoXForCausalLM

    sizes = {"num_hidden_layers": model.n_layers, "hidden_size": model.d_model, "intermediate_size": model.d_ff,
             "num_attention_heads": 1, "vocab_size": model.vocabulary_size,
             "max_position_embeddings": model.n_positions}  # fmt: skip
    with torch.device("meta"):
        if model.kind == "bert":
            return BertModel(BertConfig(**sizes, type_vocab_size=model.n_segments))
        return GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, tie_word_embeddings=False))


def values(tensors: Iterable[torch.Tensor]) -> int:
    """The values of all of them."""
    return sum(tensor.numel() for tensor in tensors)


def low_rank(matrix: nn.Linear, rank: int) -> Tensors:
    """A and B beside a matrix."""
    with torch.device("meta"):
        return [tensor for tensor in LowRank(matrix, rank).parameters() if tensor.requires_grad]


def pair(rows: int, columns: int, rank: int) -> int:
    """The values of A and B beside one matrix of torch."""
    return values(low_rank(nn.Linear(columns, rows, bias=False, device="meta"), rank))


class Network:
    """A model, its parameters by name, and its modules by name, in the layers and apart from them."""

    def __init__(self, model: Model) -> None:
        built = _built(model)
        self.model = model
        self.named: dict[str, torch.Tensor] = dict(built.named_parameters())
        self.layers = {name: one for name, one in built.named_modules() if _in_layers(name)}
        self.apart = [one for name, one in built.named_modules() if not _in_layers(name)]

    def rows_outside(self) -> int:
        """Rows of embeddings and of an output head, which has no bias."""
        heads = [one for one in self.apart if isinstance(one, nn.Linear) and one.bias is None]
        return sum(len(one.weight) for one in [*heads, *(one for one in self.apart if isinstance(one, nn.Embedding))])

    def biases(self) -> Tensors:
        """Every bias, shifts of norms among them."""
        return self._ending("bias")

    def some_biases(self) -> Tensors:
        """Those of the query, which GPT-NeoX holds with key and value, and of the first feed-forward matrix."""
        if self.model.kind == "bert":
            return [*self._ending("query.bias"), *self._ending("intermediate.dense.bias")]
        return [*(one.chunk(3)[0] for one in self._ending("query_key_value.bias")), *self._ending("dense_h_to_4h.bias")]

    def adapters(self, width: int, *, norms: bool) -> Tensors:
        """Two bottlenecks a layer; with `norms`, the norms that stand in the layers."""
        with torch.device("meta"):
            added = 2 * self.model.n_layers * list(Adapter(self.model.d_model, width, biases=True).parameters())
        inside = [one for one in self.layers.values() if isinstance(one, nn.LayerNorm) and norms]
        return [*added, *(tensor for one in inside for tensor in one.parameters())]

    def lora(self, rank: int, on: Sequence[str]) -> Tensors:
        """A and B beside these matrices."""
        wanted = re.compile(".*(" + "|".join(NAMES[self.model.kind][one] for one in on) + ")")
        matrices = [one for name, one in self.layers.items() if wanted.fullmatch(name)]
        return [tensor for one in matrices for tensor in low_rank(one, rank)]

    def _ending(self, name: str) -> Tensors:
        return [tensor for key, tensor in self.named.items() if key.endswith(name)]


def _in_layers(name: str) -> bool:
    return ".layer." in name or ".layers." in name
