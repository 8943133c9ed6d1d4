"""Speculative decoding run: greedy on a small transformer, sampled on a small vocabulary."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from generators.measuring.decoding.speculative import Speculative

NEW_TOKENS = 20
DRAFT_LENS = (1, 4)
DRAWS = 60_000


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


def small_tables(seed: int, vocabulary: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Next-token probabilities (vocabulary, vocabulary) of a target and of a draft, a row a last token."""
    chance = np.random.default_rng(seed)
    target = chance.dirichlet(np.ones(vocabulary), size=vocabulary)
    return target, 0.5 * target + 0.5 * chance.dirichlet(np.ones(vocabulary), size=vocabulary)


def drawn(rows: np.ndarray[Any, Any], chance: np.random.Generator) -> np.ndarray[Any, Any]:
    """One token of each row of probabilities, (n, vocabulary)."""
    tokens: np.ndarray[Any, Any] = np.minimum((rows.cumsum(1) < chance.random((len(rows), 1))).sum(1), rows.shape[1] - 1)
    return tokens


def first_two(target: Any, draft: Any, chance: np.random.Generator, draws: int, *, keep_all: bool = False) -> Any:
    """The first two tokens after token 0 of `draws` runs, (draws, 2), with two drafted tokens a call.

    A rejected token is drawn again from what the target has beyond the draft; `keep_all` rejects none, which is wrong.
    """
    last = np.zeros(draws, dtype=int)
    going, found = np.ones(draws, dtype=bool), np.empty((draws, 2), dtype=int)
    for place in range(2):
        guess = drawn(draft[last], chance)
        p, q = target[last, guess], draft[last, guess]
        kept = going & ((chance.random(draws) * q < p) | keep_all)
        beyond = np.maximum(target[last] - draft[last], 0)
        again = drawn(beyond / beyond.sum(1, keepdims=True), chance)
        fresh = drawn(draft[last], chance)  # behind a rejection a new round starts: draft, then try
        tried = chance.random(draws) * draft[last, fresh] < target[last, fresh]
        own = np.where(going, again, np.where(tried | keep_all, fresh, again))
        found[:, place] = np.where(kept, guess, own)
        going, last = kept, found[:, place]
    return found


def chi_square_distance(target: Any, found: Any) -> float:
    """Pearson's statistic of the pairs against the target's own probabilities, in standard errors beyond its mean."""
    size = len(target)
    expected = (target[0][:, None] * target).ravel() * len(found)
    counted = np.bincount(found[:, 0] * size + found[:, 1], minlength=size * size)
    statistic = float(((counted - expected) ** 2 / expected).sum())
    degrees = size * size - 1
    return float((statistic - degrees) / (2 * degrees) ** 0.5)


@lru_cache(maxsize=1)
def distance_of_samples() -> float:
    """How far the first two tokens of sampled speculative decoding lie from the target's distribution."""
    target, draft = small_tables(seed=5, vocabulary=5)
    return chi_square_distance(target, first_two(target, draft, np.random.default_rng(11), DRAWS))
