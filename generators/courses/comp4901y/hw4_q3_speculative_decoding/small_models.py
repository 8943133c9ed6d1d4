"""Speculative decoding run greedily on a small transformer."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from generators.measuring.decoding.speculative import Speculative

NEW_TOKENS = 20
DRAFT_LENS = (1, 4)


def small_pair() -> tuple[Any, Any]:
    """A float32 target of two layers with random weights, and a draft of one with the same embeddings and first layer."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        pair = []
        for layers in (2, 1):
            config = GPTNeoXConfig(
                vocab_size=64, hidden_size=32, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=64,
                max_position_embeddings=64, initializer_range=0.2, eos_token_id=None, pad_token_id=0,
            )  # fmt: skip
            pair.append(GPTNeoXForCausalLM(config).eval())
    target, draft = pair
    kept = draft.state_dict().keys()
    draft.load_state_dict({name: weight for name, weight in target.state_dict().items() if name in kept})
    with torch.no_grad():  # a weak second layer, so that drafts are accepted more often than not
        for weight in target.gpt_neox.layers[1].parameters():
            weight.mul_(0.5)
    return target, draft


@lru_cache(maxsize=1)
def unlike_greedy() -> int:
    """Tokens in which speculative decoding, as it was measured, and plain greedy decoding differ; drafts must be accepted."""
    target, draft = small_pair()
    unlike = accepted = 0
    for prompt in ([1, 2, 3], [40, 7, 7, 19, 5]):
        ids = torch.tensor([prompt])
        expected = target.generate(ids, max_new_tokens=NEW_TOKENS, do_sample=False, use_cache=False)[0].tolist()
        for draft_len in DRAFT_LENS:
            found, rounds = Speculative(target, draft, len(prompt) + NEW_TOKENS, draft_len).run(ids[0], NEW_TOKENS)
            unlike += sum(one != other for one, other in zip(found, expected, strict=True))
            accepted += sum(rounds.accepted)
    return unlike if accepted else NEW_TOKENS
