"""Homework 4's generation: standard decoding, and decoding assisted by a draft model, with its rounds counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from generators.errors import MeasureError
from generators.measuring.decoding.models import Loaded
from generators.measuring.decoding.sampling import padding

if TYPE_CHECKING:
    import torch


@dataclass
class Rounds:
    """Drafted and accepted tokens of each call of the target, in order."""

    drafted: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)

    @property
    def acceptance_rate(self) -> float | None:
        """Accepted drafts over drafts that were looked at: those up to and with the first rejected one of each call."""
        rejections = sum(accepted < drafted for drafted, accepted in zip(self.drafted, self.accepted, strict=True))
        looked_at = sum(self.accepted) + rejections
        return sum(self.accepted) / looked_at if looked_at else None

    @property
    def tokens_per_call(self) -> float:
        """Accepted drafts and the target's own token, mean over its calls."""
        return sum(self.accepted) / len(self.accepted) + 1


def refuse_mismatch(target: Loaded, assistant: Loaded) -> None:
    """Raise MeasureError unless both models read the same tokens."""
    if target.tokenizer.get_vocab() != assistant.tokenizer.get_vocab():
        raise MeasureError(f"assistant: must have the target's tokenizer (got {assistant.name} for {target.name})")


def prompt_ids(target: Loaded, assistant: Loaded, prompt: str, max_new_tokens: int, *, chat: bool = False) -> torch.Tensor:
    """The prompt's ids, (1, tokens); a bad length or one that does not fit both contexts raises MeasureError."""
    if max_new_tokens < 1:
        raise MeasureError(f"max_new_tokens: must be at least 1 (got {max_new_tokens})")
    ids = target.ids(prompt, "prompt", chat=chat)
    for loaded in (target, assistant):
        loaded.refuse_overflow("max_new_tokens", ids.shape[1], max_new_tokens)
    return ids


def generate(target: Loaded, ids: torch.Tensor, max_new_tokens: int, assistant: Loaded | None = None, **options: Any) -> Any:
    """Greedy ids, (1, prompt + new tokens), by the target alone or with the assistant's drafts."""
    import torch

    helped = {"assistant_model": assistant.model} if assistant else {}
    ends = target.model.generation_config.eos_token_id is not None  # else nothing needs padding
    arguments = {"do_sample": False, "max_new_tokens": max_new_tokens, "pad_token_id": padding(target) if ends else None}
    return target.model.generate(ids, attention_mask=torch.ones_like(ids), **helped, **(arguments | options))


def draft_constant(assistant: Loaded, draft_len: int) -> None:
    """Let the assistant draft `draft_len` tokens each time, however sure it is and however many were accepted."""
    config = assistant.model.generation_config
    config.num_assistant_tokens = draft_len
    config.num_assistant_tokens_schedule = "constant"
    config.assistant_confidence_threshold = 0.0


def draft_by_rule(assistant: Loaded) -> None:
    """Let the library choose again how many tokens the assistant drafts."""
    config = assistant.model.generation_config
    config.num_assistant_tokens = config.num_assistant_tokens_schedule = config.assistant_confidence_threshold = None


@dataclass
class Calls:
    """What the target was given at each call: tokens cached before it, and tokens of the call itself."""

    cached: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def rounds(self, prompt_len: int, total_len: int) -> Rounds:
        """Drafted and accepted tokens of one assisted run whose result has `total_len` tokens, prompt included.

        A call holds the last kept token (at first the prompt) and the drafts; how many were accepted shows in how
        many tokens are cached when the next call comes.
        """
        rounds = Rounds()
        decided = [max(cached + 1, prompt_len) for cached in self.cached] + [total_len]
        for index, (cached, tokens) in enumerate(zip(self.cached, self.tokens, strict=True)):
            rounds.drafted.append(cached + tokens - decided[index])
            rounds.accepted.append(decided[index + 1] - decided[index] - 1)
        return rounds


@contextmanager
def counted(target: Loaded) -> Iterator[Calls]:
    """Note every call of the target made inside the block."""
    calls = Calls()

    def note(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        calls.cached.append(int(kwargs["past_key_values"].get_seq_length()))
        calls.tokens.append(int(ids.shape[1]))

    hook = target.model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()
