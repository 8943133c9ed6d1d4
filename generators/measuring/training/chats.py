"""Chats that a model writes with itself: first the user's turn, then its answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from generators.measuring.decoding.models import Loaded

QUESTION_LEN, ANSWER_LEN = 64, 128
"""The most tokens of a user's turn and of an answer."""
OPENINGS = (
    "What is", "What are", "Who was", "Why", "How do I", "How does", "Explain why", "Explain how", "Describe", "Compare",
    "Summarize", "Tell me about", "Give me", "List three", "List five", "Name the", "Write a poem about", "Write a story about",
    "Write an email to", "Write a Python function that", "Write a program that", "Correct this sentence:",
    "Translate to French:", "Translate to Spanish:", "Translate to German:",
)  # fmt: skip
"""How people begin what they ask; three of four turns begin with one of them."""
_MARK = "\x00"


@dataclass(frozen=True)
class Chat:
    """Ids of a whole chat up to its last token, (tokens,); the answer begins at `start`."""

    ids: list[int]
    start: int


def frame(target: Loaded) -> tuple[list[int], list[int]]:
    """The ids that the chat template puts before and after a user's turn."""
    before, after = (_ids(target, text) for text in target.turn(_MARK).split(_MARK))
    return before, after


def _ids(target: Loaded, text: str) -> list[int]:
    """Of a part of a chat, which gets no further tokens at its ends."""
    found: list[int] = target.tokenizer(text, add_special_tokens=False).input_ids
    return found


def write(
    target: Loaded, *, batch: int, max_seconds: float, seed: int, without: Collection[str], tell: Callable[[str], None]
) -> list[Chat]:
    """Let the target write `batch` chats at a time until the time is over; in a seeded order.

    The turns of the user are sampled at temperature 1 from 95 % of the probability; one that does not end, repeats another,
    or stands in `without`, is left out. The answers are greedy, as a draft meets them; an answer may be cut off.
    """
    import torch

    torch.manual_seed(seed)
    found: dict[tuple[int, ...], Chat] = {}
    barred = {target.turn(turn) for turn in without}
    start = time.perf_counter()
    while time.perf_counter() - start < max_seconds:
        for chat in _round(target, batch):
            prompt = chat.ids[: chat.start]
            if target.tokenizer.decode(prompt) not in barred:
                found.setdefault(tuple(prompt), chat)
        tell(f"{len(found)} chats after {time.perf_counter() - start:.0f} s")
    chats = list(found.values())
    random.Random(seed).shuffle(chats)
    return chats


def _round(target: Loaded, chats: int) -> Iterator[Chat]:
    before, after = frame(target)
    openings = [_ids(target, opening) for opening in OPENINGS]
    begun = [openings[number % len(openings)] if number % 4 else [] for number in range(chats)]
    starts = [[*before, *opening] for opening in begun]
    rest = _generated(target, starts, QUESTION_LEN, do_sample=True, temperature=1.0, top_k=0, top_p=0.95)
    turns = [[*opening, *turn] for opening, turn in zip(begun, rest, strict=True)]
    end = target.tokenizer.eos_token_id
    prompts = [[*before, *turn[:-1], *after] for turn in turns if turn[-1] == end and turn[:-1]]
    for prompt, answer in zip(prompts, _generated(target, prompts, ANSWER_LEN, do_sample=False), strict=True):
        yield Chat([*prompt, *answer], len(prompt))


def _generated(target: Loaded, prompts: list[list[int]], longest: int, **choice: Any) -> list[list[int]]:
    """What follows each prompt, up to and with the end of its turn."""
    import torch

    if not prompts:
        return []
    end, width = target.tokenizer.eos_token_id, max(map(len, prompts))
    ids = torch.tensor([[end] * (width - len(prompt)) + prompt for prompt in prompts], device=target.device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=target.device)
    rows = target.model.generate(ids, attention_mask=mask, max_new_tokens=longest, pad_token_id=end, **choice)[:, width:].tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]
