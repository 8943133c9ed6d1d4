"""Homework 4, question 3: standard against speculative decoding, over prompts, draft lengths and ways to launch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from generators.measuring.decoding import assisted
from generators.measuring.decoding.assisted import Rounds
from generators.measuring.decoding.fixed_cache import as_is
from generators.measuring.decoding.models import Loaded, load
from generators.measuring.decoding.sampling import never_end
from generators.measuring.decoding.speculative import Speculative, Standard
from generators.measuring.machine import dtype_named
from generators.measuring.measurements.collect import Item, Model, seconds
from generators.measuring.timing import captured, device_seconds, wall_seconds
from generators.recording import At, Output, Series

LEFT_TO_TRANSFORMERS = 0
"""A draft length of 0: the library decides, as in the course's program."""


@dataclass(frozen=True)
class Pair:
    """Both models, the prompts' ids (1, tokens) by text, and how many runs are timed after one that is not."""

    target: Loaded
    assistant: Loaded
    prompts: dict[str, torch.Tensor]
    max_new_tokens: int
    repeats: int


def measure(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """Hugging Face's own decoding first, then ours over fixed caches, launched by kernel or as graphs."""
    pair = _pair(parameters, device)
    for loaded in (pair.target, pair.assistant):
        yield Model(loaded.name, loaded.card)
    expected: dict[str, list[int]] = {}
    yield from _alone(pair, expected)
    yield from _assisted(pair, expected, LEFT_TO_TRANSFORMERS)
    for draft_len in parameters["draft_lens"]:
        assisted.draft_constant(pair.assistant, draft_len)
        yield from _assisted(pair, expected, draft_len)
    if device.type == "cuda":
        graph = "fixed cache, graph"
        yield from _attempted(graph, _fixed(pair, expected, graph, parameters["draft_lens"]))
        yield from _attempted("transformers, compiled", _compiled(pair, expected))
    yield from _fixed(pair, expected, "fixed cache", parameters["draft_lens"])
    yield from _attempted("transformers, static cache, assisted", _assisted_static(pair))


def _attempted(by: str, items: Iterator[Item]) -> Iterator[Item]:
    """What is made; where the libraries or the device refuse, what they say, so that the rest is not lost."""
    try:
        yield from items
    except Exception as error:
        yield Output(at={"by": by, "failed": True}, text=f"{type(error).__name__}: {' '.join(str(error).split())}"[:500])


def _pair(parameters: Mapping[str, Any], device: torch.device) -> Pair:
    """Load both models; neither stops at its end-of-text token, so that all runs have one length."""
    dtype = dtype_named(parameters["dtype"])
    target, assistant = (load(parameters[field], device, dtype, field) for field in ("target", "assistant"))
    assisted.refuse_mismatch(target, assistant)
    never_end(target)
    never_end(assistant)
    new = parameters["max_new_tokens"]
    prompts = {prompt: assisted.prompt_ids(target, assistant, prompt, new) for prompt in parameters["prompts"]}
    return Pair(target, assistant, prompts, new, parameters["repeats"])


def _timed(run: Callable[[], list[int]], pair: Pair, warmup: int = 1) -> tuple[list[float], list[int]]:
    """Seconds of each run, and the ids that the last one gave."""
    found: list[int] = []

    def once() -> None:
        found[:] = run()

    samples = wall_seconds(once, pair.target.device, warmup=warmup, repeats=pair.repeats)
    return samples, found


def _by_transformers(loaded: Loaded, pair: Pair, ids: torch.Tensor, **options: Any) -> list[int]:
    found: list[int] = assisted.generate(loaded, ids, pair.max_new_tokens, **options)[0].tolist()
    return found


def _same(found: list[int], expected: list[int], at: At) -> Series:
    """How many tokens come before the first that differs from standard decoding's; all of them where none differs."""
    pairs = zip(found, expected, strict=True)
    agreed = next((number for number, (one, other) in enumerate(pairs) if one != other), len(expected))
    return Series(quantity="agreeing_tokens", unit="token", at={**at, "of": len(expected)}, samples=(agreed,))


def _alone(pair: Pair, expected: dict[str, list[int]]) -> Iterator[Item]:
    """Each model by itself: the target's tokens are what all other ways must give, the draft's time is what a draft costs."""
    for prompt, ids in pair.prompts.items():
        for name, loaded in (("standard", pair.target), ("draft alone", pair.assistant)):
            samples, found = _timed(partial(_by_transformers, loaded, pair, ids), pair)
            at: At = {"prompt": prompt, "mode": name, "by": "transformers"}
            yield seconds(samples, **at)
            if name == "standard":
                expected[prompt] = found
                yield Output(at=at, text=pair.target.tokenizer.decode(found[ids.shape[1] :]))


def _assisted(pair: Pair, expected: dict[str, list[int]], draft_len: int) -> Iterator[Item]:
    """Hugging Face's assisted generation, with a constant draft length or its own rule."""
    for prompt, ids in pair.prompts.items():
        at: At = {"prompt": prompt, "mode": "speculative", "by": "transformers", "draft_len": draft_len}
        run = partial(_by_transformers, pair.target, pair, ids, assistant=pair.assistant)
        with assisted.counted(pair.target) as calls:  # counting costs time, so the run that warms up is counted
            run()
        samples, found = _timed(run, pair, warmup=0)
        yield seconds(samples, **at)
        yield _same(found, expected[prompt], at)
        yield from _rounds(calls.rounds(ids.shape[1], len(found)), at)


def _rounds(rounds: Rounds, at: At) -> Iterator[Series]:
    """Drafted and accepted tokens of every call of the target."""
    for quantity, samples in (("drafted", rounds.drafted), ("accepted", rounds.accepted)):
        yield Series(quantity=quantity, unit="token", at=at, samples=tuple(samples))


def _fixed(pair: Pair, expected: dict[str, list[int]], by: str, draft_lens: list[int]) -> Iterator[Item]:
    """Our own decoding over fixed caches: standard, then speculative with each draft length and its steps' seconds."""
    device = pair.target.device
    wrap = partial(captured, device=device) if by.endswith("graph") else as_is
    size = max(ids.shape[1] for ids in pair.prompts.values()) + pair.max_new_tokens
    standard = Standard(pair.target.model, size, wrap)
    for prompt, ids in pair.prompts.items():
        at: At = {"prompt": prompt, "mode": "standard", "by": by}
        samples, found = _timed(partial(standard.run, ids[0], pair.max_new_tokens), pair)
        yield seconds(samples, **at)
        yield _same(found, expected[prompt], at)
    for draft_len in draft_lens:
        speculative = Speculative(pair.target.model, pair.assistant.model, size, draft_len, wrap)
        yield from _fixed_speculative(pair, expected, by, speculative)
        yield from _steps(pair, standard, speculative, by)


def _fixed_speculative(pair: Pair, expected: dict[str, list[int]], by: str, speculative: Speculative) -> Iterator[Item]:
    """Speculative decoding of every prompt, and what was accepted."""
    for prompt, ids in pair.prompts.items():
        at: At = {"prompt": prompt, "mode": "speculative", "by": by, "draft_len": speculative.draft_len}
        kept: list[Rounds] = []
        samples, found = _timed(partial(_tokens_of, speculative, ids[0], pair.max_new_tokens, kept), pair)
        yield seconds(samples, **at)
        yield _same(found, expected[prompt], at)
        yield from _rounds(kept[-1], at)


def _tokens_of(speculative: Speculative, ids: torch.Tensor, max_new_tokens: int, kept: list[Rounds]) -> list[int]:
    found, rounds = speculative.run(ids, max_new_tokens)
    kept.append(rounds)
    return found


def _steps(pair: Pair, standard: Standard, speculative: Speculative, by: str) -> Iterator[Series]:
    """Seconds of the draft's step, of the target's check and of the target's single token, each from the same state."""
    ids = next(iter(pair.prompts.values()))[0]
    steps: list[tuple[str, Any, Callable[[], Any]]] = [
        ("propose", speculative, speculative.propose),
        ("check", speculative, speculative.check),
        ("single token", standard, standard.next),
    ]
    for name, decoder, step in steps:
        with torch.inference_mode():
            decoder.prefill(ids)

            def run(decoder: Any = decoder, step: Callable[[], Any] = step) -> None:
                decoder.length.fill_(len(ids))
                step()

            samples = device_seconds(run, pair.target.device, warmup=3, repeats=20)
        at: At = {"step": name, "by": by, "draft_len": speculative.draft_len}
        yield Series(quantity="step_seconds", unit="s", at=at, samples=tuple(samples))


def _compiled(pair: Pair, expected: dict[str, list[int]]) -> Iterator[Item]:
    """Hugging Face's standard decoding with a static cache, which it compiles; the longest prompt sets the cache's size."""
    for prompt, ids in sorted(pair.prompts.items(), key=lambda item: -item[1].shape[1]):
        at: At = {"prompt": prompt, "mode": "standard", "by": "transformers, compiled"}
        run = partial(_by_transformers, pair.target, pair, ids, cache_implementation="static")
        samples, found = _timed(run, pair, warmup=2)  # the first compiles
        yield seconds(samples, **at)
        yield _same(found, expected[prompt], at)


def _assisted_static(pair: Pair) -> Iterator[Item]:
    """Whether Hugging Face's assisted generation takes a static cache; it did not when this was written."""
    prompt, ids = next(iter(pair.prompts.items()))
    run = partial(_by_transformers, pair.target, pair, ids, assistant=pair.assistant, cache_implementation="static")
    samples, _ = _timed(run, pair)
    yield seconds(samples, prompt=prompt, mode="speculative", by="transformers, static cache")
