"""Models small enough to be made in a test, saved as the training script saves its own."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

TEXTS = [
    "def add(a, b):\n    return a + b\n",
    "class Stack:\n    def push(self, item):\n        self.items.append(item)\n",
    "import sys\n\nfor name in sys.argv:\n    print(name)\n",
] * 20
CONTEXT_LEN = 96

Pair: TypeAlias = tuple[Path, Path]
"""Folders of a target and of a draft."""


def make_pair(folder: Path) -> Pair:
    """A target and a draft that shares its embeddings and first layer, so that some drafts are accepted."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    from generators.measuring.training.tokenizer import train

    tokenizer = train(TEXTS, 300, CONTEXT_LEN)
    tokenizer.chat_template = "{% for message in messages %}# {{ message['content'] }}\n{% endfor %}"
    torch.manual_seed(3)
    models = {}
    for name, layers in (("target", 3), ("draft", 1)):
        config = GPTNeoXConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=64,
            max_position_embeddings=CONTEXT_LEN, initializer_range=0.2, bos_token_id=0, eos_token_id=0, pad_token_id=1,
        )  # fmt: skip
        models[name] = GPTNeoXForCausalLM(config)
    models["draft"].load_state_dict({k: v for k, v in models["target"].state_dict().items() if ".layers." not in k}, strict=False)
    for name, model in models.items():
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder / "target", folder / "draft"
