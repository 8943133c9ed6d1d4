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
NAMES = {"query": r"self\.query", "key": r"self\.key", "value": r"self\.value", "output": r"attention\.output\.dense",
         "up": r"intermediate\.dense", "down": r"\d\.output\.dense"}  # fmt: skip
"""How the names of the linear layers end."""


def _built(model: Model) -> Any:
    """The architecture from transformers on meta tensors; one head, as heads change no count."""
    from transformers import BertConfig, BertModel

    sizes = {"num_hidden_layers": model.n_layers, "hidden_size": model.d_model, "intermediate_size": model.d_ff,
             "num_attention_heads": 1, "vocab_size": model.vocabulary_size,
             "max_position_embeddings": model.n_positions}  # fmt: skip
    with torch.device("meta"):
        return BertModel(BertConfig(**sizes, type_vocab_size=model.n_segments))


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
        """Rows of embeddings."""
        return sum(len(one.weight) for one in self.apart if isinstance(one, nn.Embedding))

    def biases(self) -> Tensors:
        """Every bias, shifts of norms among them."""
        return [tensor for key, tensor in self.named.items() if key.endswith("bias")]

    def adapters(self, width: int, *, norms: bool) -> Tensors:
        """Two bottlenecks a layer; with `norms`, the norms that stand in the layers."""
        with torch.device("meta"):
            added = 2 * self.model.n_layers * list(Adapter(self.model.d_model, width, biases=True).parameters())
        inside = [one for one in self.layers.values() if isinstance(one, nn.LayerNorm) and norms]
        return [*added, *(tensor for one in inside for tensor in one.parameters())]

    def lora(self, rank: int, on: Sequence[str]) -> Tensors:
        """A and B beside these matrices."""
        wanted = re.compile(".*(" + "|".join(NAMES[one] for one in on) + ")")
        matrices = [one for name, one in self.layers.items() if wanted.fullmatch(name)]
        return [tensor for one in matrices for tensor in low_rank(one, rank)]


def _in_layers(name: str) -> bool:
    return ".layer." in name
