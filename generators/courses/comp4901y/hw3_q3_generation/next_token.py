"""The next token's distribution, filtered in a few lines of numpy, beside the one Hugging Face's generate samples from."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

SETTINGS = ((1, 1.0), (5, 1.0), (50, 0.9), (0, 0.1), (0, 0.5), (0, 0.9), (20, 0.7), (500, 1.0))
"""Top-k (0 keeps all) and top-p, each alone and both together."""
STEPS = 4


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
def unlike_greedy() -> int:
    """Steps of a generation at which the most likely token is not the one that was chosen."""
    tokens, logits, _ = _generated(do_sample=False)
    return int((logits.argmax(-1) != tokens).sum())


@lru_cache(maxsize=1)
def farthest() -> tuple[int, float]:
    """Of every setting and step the largest difference in tokens kept, and in any token's probability."""
    kept, distance = 0, 0.0
    for top_k, top_p in SETTINGS:
        _, logits, theirs = _generated(do_sample=True, temperature=1.0, top_k=top_k, top_p=top_p)
        ours = np.stack([filtered(row, top_k, top_p) for row in logits])
        kept = max(kept, int(abs((ours > 0).sum(1) - (theirs > 0).sum(1)).max()))
        distance = max(distance, float(abs(ours - theirs).max()))
    return kept, distance


def _generated(**options: Any) -> tuple[Any, Any, Any]:
    """Tokens, raw logits and the probabilities that generate drew from, a row a step."""
    import torch

    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        result = _model().generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=STEPS, output_scores=True,
                                   output_logits=True, return_dict_in_generate=True, pad_token_id=0, **options)  # fmt: skip
    logits, scores = torch.cat(result.logits).double(), torch.cat(result.scores).double()
    return result.sequences[0, ids.shape[1] :].numpy(), logits.numpy(), scores.softmax(-1).numpy()


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
