"""Greedy standard and speculative decoding over fixed caches, in steps that never wait for the device.

The draft proposes `draft_len` tokens in one step, the target checks them together with the last kept token in another;
the host reads how far they are only where the answer may be whole. Hugging Face's own assisted generation refuses a static
cache. Where `prompt_len` is given, the prompt is cached by a step of so many tokens, of which those after the prompt are
never read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from generators.measuring.decoding.assisted import Rounds
from generators.measuring.decoding.fixed_cache import FixedCache, Wrap, as_is, causal_forward, fill


class Standard:
    """One token of the target a step."""

    def __init__(self, model: Any, size: int, wrap: Wrap = as_is, prompt_len: int | None = None) -> None:
        self.model, self.cache = model, FixedCache(model, size)
        device = self.cache.layers.device
        self.tokens = torch.zeros(size + 1, dtype=torch.long, device=device)
        self.length = torch.ones(1, dtype=torch.long, device=device)
        self.next: Callable[[], Any] = wrap(self._step)
        self.fill = _filling([(model, self.cache)], self.tokens, wrap, prompt_len)

    @torch.no_grad()
    def _step(self) -> None:
        """Read the last token, write the most likely one after it."""
        last = self.length - 1
        logits = causal_forward(self.model, self.cache, self.tokens[last], last)
        self.tokens.index_copy_(0, self.length, logits.argmax(-1))
        self.length += 1

    def prefill(self, ids: torch.Tensor) -> None:
        """Cache all tokens of ids (tokens,) but the last, which the first step reads."""
        self.tokens[: len(ids)] = ids
        self.length.fill_(len(ids))
        self.fill(ids[:-1])

    def run(self, ids: torch.Tensor, max_new_tokens: int) -> tuple[list[int], None]:
        """The prompt's ids (tokens,) and `max_new_tokens` more, past any end-of-text token; nothing was drafted."""
        with torch.no_grad():
            self.prefill(ids)
            for _ in range(max_new_tokens):
                self.next()
            found: list[int] = self.tokens[: len(ids) + max_new_tokens].tolist()
        return found, None


class Speculative:
    """A draft step of `draft_len` tokens and a step of the target that checks them, in turn."""

    def __init__(
        self, target: Any, draft: Any, size: int, draft_len: int, wrap: Wrap = as_is, prompt_len: int | None = None
    ) -> None:
        room = size + draft_len + 1
        self.target, self.draft, self.draft_len = target, draft, draft_len
        self.target_cache, self.draft_cache = FixedCache(target, room), FixedCache(draft, room)
        device = self.target_cache.layers.device
        self.tokens = torch.zeros(room + draft_len + 1, dtype=torch.long, device=device)
        self.length = torch.full((1,), 2, dtype=torch.long, device=device)
        self.accepted = torch.zeros_like(self.tokens)  # of each round, where its first token stands
        self.propose: Callable[[], Any] = wrap(self._propose)
        self.check: Callable[[], Any] = wrap(self._check)
        self.fill = _filling([(target, self.target_cache), (draft, self.draft_cache)], self.tokens, wrap, prompt_len)

    @torch.no_grad()
    def _propose(self) -> None:
        """Write the draft's greedy tokens after the last kept one.

        The first step reads two tokens: after a round in which all drafts were accepted, the draft has not yet seen
        the last of them.
        """
        block = self.tokens[self.length + torch.arange(-2, 0, device=self.length.device)]
        start = self.length - 2
        for number in range(self.draft_len):
            guess = causal_forward(self.draft, self.draft_cache, block, start)[-1:].argmax(-1)
            self.tokens.index_copy_(0, self.length + number, guess)
            block, start = guess, self.length + number

    @torch.no_grad()
    def _check(self) -> None:
        """Keep the drafts up to the first that differs from the target's greedy token, and that token."""
        last = self.length - 1
        ahead = torch.arange(self.draft_len + 1, device=last.device)
        block = self.tokens[last + ahead]
        chosen = causal_forward(self.target, self.target_cache, block, last).argmax(-1)
        accepted = (block[1:] == chosen[:-1]).long().cumprod(0).sum()
        self.accepted.index_copy_(0, self.length, accepted[None])
        self.tokens.index_copy_(0, self.length + ahead, chosen)
        self.length += accepted + 1

    def prefill(self, ids: torch.Tensor) -> None:
        """Cache all tokens of ids (tokens,) but the last, which the first check reads; ids has at least two."""
        self.tokens[: len(ids)] = ids
        self.length.fill_(len(ids))
        self.fill(ids[:-1])

    def run(self, ids: torch.Tensor, max_new_tokens: int) -> tuple[list[int], Rounds]:
        """The prompt's ids (tokens,) and `max_new_tokens` more, and the rounds; a last round's surplus is cut off."""
        length, end = len(ids), len(ids) + max_new_tokens
        with torch.no_grad():
            self.prefill(ids)
            while length < end:
                for _ in range(-(-(end - length) // (self.draft_len + 1))):  # at least so many rounds are still needed
                    self.propose()
                    self.check()
                length = int(self.length)
            found: list[int] = self.tokens[:end].tolist()
        return found, self._rounds(len(ids), end)

    def _rounds(self, length: int, end: int) -> Rounds:
        rounds, accepted = Rounds(), self.accepted[:end].tolist()
        while length < end:
            rounds.drafted.append(self.draft_len)
            rounds.accepted.append(accepted[length])
            length += accepted[length] + 1
        return rounds


def _filling(
    cached: list[tuple[Any, FixedCache]], tokens: torch.Tensor, wrap: Wrap, prompt_len: int | None
) -> Callable[[torch.Tensor], None]:
    """What caches the prompt's ids (tokens,): as they are, or by a replayable step over the first `prompt_len` of `tokens`."""

    @torch.no_grad()
    def step(ids: torch.Tensor) -> None:
        for model, cache in cached:
            fill(model, cache, ids)

    if prompt_len is None:
        return lambda ids: step(ids) if len(ids) else None
    replay = wrap(lambda: step(tokens[:prompt_len]))
    return lambda ids: replay()
