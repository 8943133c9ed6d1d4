"""The next token's distribution, filtered in a few lines of numpy, beside the one Hugging Face's generate samples from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from generators.steps import Check

BY = "numpy, the filters in a few lines"
SETTINGS = ((1, 1.0), (5, 1.0), (50, 0.9), (0, 0.1), (0, 0.5), (0, 0.9), (20, 0.7), (500, 1.0))
"""Top-k (0 keeps all) and top-p, each alone and both together."""
STEPS = 4
TOLERANCE = 1e-6


def filtered(logits: Any, top_k: int, top_p: float) -> Any:
    """Keep the top_k most likely tokens, of these the fewest that reach top_p together, and renormalise; (vocabulary,)."""
    order = np.argsort(-logits, kind="stable")
    order = order[: top_k or len(order)]
    weights = np.exp(logits[order] - logits[order[0]])
    weights /= weights.sum()
    before = np.cumsum(weights) - weights
    weights[before >= top_p] = 0
    found = np.zeros_like(logits)
    found[order] = weights / weights.sum()
    return found


@lru_cache(maxsize=1)
def check_next_token() -> tuple[Check, ...]:
    """Greedy choice and filtered distributions at every step of a generation by a small model with random weights."""
    return (_greedy(), *_filters())


def _greedy() -> Check:
    tokens, logits, _ = _generated(None)
    ours = [int(np.argmax(row)) for row in logits]
    return Check(what=f"greedy choice at {STEPS} steps of a random model", published=str(tokens), found=str(ours), by=BY,
                 passed=ours == tokens)  # fmt: skip


def _filters() -> Iterator[Check]:
    for top_k, top_p in SETTINGS:
        _, logits, theirs = _generated((top_k, top_p))
        ours = [filtered(row, top_k, top_p) for row in logits]
        supports = [int((row > 0).sum()) for row in ours]
        kept = [int((row > 0).sum()) for row in theirs]
        distance = max(float(abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
        yield Check(
            what=f"next-token distribution of generate at top_k = {top_k or 'all'}, top_p = {top_p}, {STEPS} steps",
            published=f"{kept} tokens kept",
            found=f"{supports} tokens kept, probabilities within {1e-6:g}"
            if distance < TOLERANCE
            else f"{supports}, off by {distance:.2g}",
            by=BY,
            passed=supports == kept and distance < TOLERANCE,
        )


def _generated(sampling: tuple[int, float] | None) -> tuple[list[int], list[Any], list[Any]]:
    """Tokens, raw logits and the probabilities that generate drew from, a row a step."""
    import torch

    model = _model()
    options: dict[str, Any] = {"do_sample": False}
    if sampling:
        options = {"do_sample": True, "temperature": 1.0, "top_k": sampling[0], "top_p": sampling[1]}
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        result = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=STEPS, output_scores=True,
                                output_logits=True, return_dict_in_generate=True, pad_token_id=0, **options)  # fmt: skip
    tokens = result.sequences[0, ids.shape[1] :].tolist()
    logits = [row[0].double().numpy() for row in result.logits]
    return tokens, logits, [row[0].double().softmax(-1).numpy() for row in result.scores]


@lru_cache(maxsize=1)
def _model() -> Any:
    """OPT's architecture at one small layer, with weights large enough that the distributions are far from flat."""
    import torch
    from transformers import OPTConfig, OPTForCausalLM

    config = OPTConfig(vocab_size=600, hidden_size=16, num_hidden_layers=1, ffn_dim=32, num_attention_heads=2,
                       max_position_embeddings=32, word_embed_proj_dim=16, init_std=0.8, eos_token_id=None)  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return OPTForCausalLM(config).eval()
