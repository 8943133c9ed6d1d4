"""Homework 4, question 3: ways to decode greedily, interleaved, over prompts, draft lengths and ways to launch."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from generators.errors import MeasureError
from generators.measuring.decoding import assisted
from generators.measuring.decoding.assisted import Rounds
from generators.measuring.decoding.fixed_cache import as_is
from generators.measuring.decoding.llama import Llama
from generators.measuring.decoding.models import Loaded, load
from generators.measuring.decoding.sampling import never_end
from generators.measuring.decoding.speculative import Speculative, Standard
from generators.measuring.machine import dtype_named, gpu_state
from generators.measuring.measurements.collect import Item, Model, SoFar
from generators.measuring.timing import captured, device_seconds, wall_seconds
from generators.recording import At, Output, Series

LIBRARY, COMPILED, FIXED, GRAPH, FUSED = (
    "transformers", "transformers, compiled", "fixed cache", "fixed cache, graph", "fixed cache, fused",
)  # fmt: skip
LEFT_TO_TRANSFORMERS = 0
"""A draft length of 0: the library decides, as in the course's program."""
READ_REPEATS = 10
STEP_REPEATS = 21


@dataclass(frozen=True)
class Pair:
    """Both models, and of every prompt its ids, (1, tokens), and the new tokens of the library's standard decoding."""

    target: Loaded
    assistant: Loaded
    prompts: dict[str, torch.Tensor]
    answers: dict[str, list[int]]

    @property
    def room(self) -> int:
        """The most tokens that a prompt and its answer have."""
        return max(ids.shape[1] + len(self.answers[prompt]) for prompt, ids in self.prompts.items())


Run = Callable[[torch.Tensor, int], tuple[list[int], Rounds | None]]
"""Decodes ids (1, tokens) and so many tokens more, and returns all, and what was drafted where it knows."""


@dataclass
class Way:
    """A way to decode: in which mode, launched how, with how many drafted tokens; and the seconds of its runs by prompt."""

    mode: str
    by: str
    run: Run
    draft_len: int | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def at(self) -> At:
        """The setting, as a recording keeps it."""
        at: At = {"mode": self.mode, "by": self.by}
        return at if self.draft_len is None else {**at, "draft_len": self.draft_len}

    def timed(self) -> Iterator[Series]:
        """The seconds so far, a series a prompt."""
        for prompt, seconds in self.seconds.items():
            yield Series(quantity="seconds", unit="s", at={**self.at, "prompt": prompt}, samples=tuple(seconds))


def measure(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """Every way runs once before the clock, then all ways of all prompts run in turn, in another order each round."""
    pair = _pair(parameters, device)
    for loaded in (pair.target, pair.assistant):
        yield Model(loaded.name, loaded.card)
    yield from _state("before", device)
    yield from _read(pair.target)
    ways, decoders = list(_library(pair, parameters)), {}
    for by in (FIXED, GRAPH, FUSED):
        if by in parameters["launches"]:
            try:
                decoders[by] = _decoders(pair, by, parameters["draft_lens"])
            except Exception as error:
                yield _failure({"by": by}, error)
            else:
                ways += _fixed(by, *decoders[by])
    ready: list[Way] = []
    yield from _warmed_up(pair, ways, ready)
    for number in range(parameters["repeats"]):
        _round(pair, random.Random(number).sample(ready, len(ready)))
        yield SoFar(f"round {number + 1} of {parameters['repeats']}", tuple(timed for way in ready for timed in way.timed()))
    working = {(way.by, way.draft_len) for way in ready}
    for by, (standard, speculative) in decoders.items():
        if (by, None) in working:
            yield from _steps(pair, by, standard, [one for one in speculative if (by, one.draft_len) in working])
    if parameters["bfloat16"]:
        yield from _in_bfloat16(pair, parameters["draft_lens"])
    yield from _state("after", device)


def _round(pair: Pair, ways: list[Way]) -> None:
    """Time each way on every prompt once."""
    for way in ways:
        for prompt, ids in pair.prompts.items():
            run = partial(way.run, ids, len(pair.answers[prompt]))
            way.seconds.setdefault(prompt, []).extend(wall_seconds(run, pair.target.device, warmup=0, repeats=1))


def _pair(parameters: Mapping[str, Any], device: torch.device) -> Pair:
    """Load both models; the target's own answers say how many tokens every way must give, and then nothing ends a run.

    Rounds of an even number raise MeasureError, as their median would be no sample.
    """
    if parameters["repeats"] % 2 == 0:
        raise MeasureError(f"repeats: must be odd (got {parameters['repeats']})")
    dtype = dtype_named(parameters["dtype"])
    target, assistant = (load(parameters[field], device, dtype, field) for field in ("target", "assistant"))
    assisted.refuse_mismatch(target, assistant)
    new, chat = parameters["max_new_tokens"], parameters["chat"]
    prompts = {one: assisted.prompt_ids(target, assistant, one, new, chat=chat) for one in parameters["prompts"]}
    answers = {one: assisted.generate(target, ids, new)[0, ids.shape[1] :].tolist() for one, ids in prompts.items()}
    never_end(target)
    never_end(assistant)
    return Pair(target, assistant, prompts, answers)


def _library(pair: Pair, parameters: Mapping[str, Any]) -> Iterator[Way]:
    """Hugging Face's generate: each model alone, drafts by the library's own rule, prompt lookup, and compiled."""

    def by_library(loaded: Loaded, ids: torch.Tensor, new: int, **options: Any) -> tuple[list[int], None]:
        return assisted.generate(loaded, ids, new, **options)[0].tolist(), None

    def by_rule(ids: torch.Tensor, new: int) -> tuple[list[int], None]:
        assisted.draft_by_rule(pair.assistant)  # which adapts itself while it runs
        return by_library(pair.target, ids, new, assistant=pair.assistant)

    yield Way("standard", LIBRARY, partial(by_library, pair.target))
    yield Way("draft alone", LIBRARY, partial(by_library, pair.assistant))
    yield Way("speculative", LIBRARY, by_rule, LEFT_TO_TRANSFORMERS)
    for draft_len in parameters["lookup_lens"]:
        run = partial(by_library, pair.target, prompt_lookup_num_tokens=draft_len)
        yield Way("prompt lookup", LIBRARY, run, draft_len)
    if COMPILED in parameters["launches"]:
        yield Way("standard", COMPILED, partial(by_library, pair.target, cache_implementation="static"))


def _decoders(pair: Pair, by: str, draft_lens: list[int]) -> tuple[Standard, list[Speculative]]:
    """Ours over fixed caches, launched as `by` says."""
    most = max(draft_lens)
    target, draft = (_ours(one, pair.room + 2 * most + 2, by) for one in (pair.target, pair.assistant))
    device, prompt_len = pair.target.device, None
    if by != FIXED and device.type == "cuda":
        prompt_len = max(ids.shape[1] for ids in pair.prompts.values())  # a graph's tokens are of one number
    wrap = as_is if by == FIXED else partial(captured, device=device)
    # Caches of one size for all draft lengths, so that fewer functions are compiled.
    speculative = [Speculative(target, draft, pair.room + most - one, one, wrap, prompt_len) for one in draft_lens]
    return Standard(target, pair.room, wrap, prompt_len), speculative


def _fused(layer: Callable[..., Any]) -> Any:
    """A layer as torch.compile makes it, once for each number of tokens of both models, which are more than torch expects."""
    import torch._dynamo

    torch._dynamo.config.recompile_limit = 64
    return torch.compile(layer, dynamic=False)


def _ours(loaded: Loaded, size: int, by: str) -> Any:
    """Our own step of a Llama; another model's step is the library's, which is not fused."""
    if Llama.fits(loaded.model):
        return Llama(loaded.model, size, _fused if by == FUSED else as_is)
    if by == FUSED:
        raise MeasureError(f"launches: {FUSED} is for Llamas only (got {loaded.name})")
    return loaded.model


def _fixed(by: str, standard: Standard, speculative: list[Speculative]) -> Iterator[Way]:
    def by_ours(decoder: Standard | Speculative, ids: torch.Tensor, new: int) -> tuple[list[int], Rounds | None]:
        return decoder.run(ids[0], new)

    yield Way("standard", by, partial(by_ours, standard))
    for one in speculative:
        yield Way("speculative", by, partial(by_ours, one), one.draft_len)


def _warmed_up(pair: Pair, ways: list[Way], ready: list[Way]) -> Iterator[Item]:
    """Run each way once on every prompt: what its tokens are, what was drafted and accepted; a way that fails is left out."""
    for prompt, answer in pair.answers.items():
        at: At = {"mode": "standard", "by": LIBRARY, "prompt": prompt}
        yield Output(at=at, text=pair.target.tokenizer.decode(answer))
    for way in ways:
        try:
            for prompt, ids in pair.prompts.items():
                start, answer = ids.shape[1], pair.answers[prompt]
                with assisted.counted(pair.target) as calls:
                    found, rounds = way.run(ids, len(answer))
                at = {**way.at, "prompt": prompt}
                if way.mode != "draft alone":
                    yield _agreeing(found[start:], answer, at)
                if way.draft_len is not None:
                    yield from _rounds(rounds or calls.rounds(start, len(found)), at)
        except Exception as error:
            yield _failure(way.at, error)
        else:
            ready.append(way)


def _failure(at: At, error: Exception) -> Output:
    """What the library or the device said where it refused; the rest must not be lost."""
    return Output(at={**at, "failed": True}, text=f"{type(error).__name__}: {' '.join(str(error).split())}"[:500])


def _agreeing(found: list[int], expected: list[int], at: At) -> Series:
    """New tokens before the first that differs from standard decoding's; all of them where none differs."""
    pairs = zip(found, expected, strict=True)
    agreed = next((number for number, (one, other) in enumerate(pairs) if one != other), len(expected))
    return Series(quantity="agreeing_tokens", unit="token", at={**at, "of": len(expected)}, samples=(agreed,))


def _rounds(rounds: Rounds, at: At) -> Iterator[Series]:
    """Drafted and accepted tokens of every call of the target."""
    for quantity, samples in (("drafted", rounds.drafted), ("accepted", rounds.accepted)):
        yield Series(quantity=quantity, unit="token", at=at, samples=tuple(samples))


def _steps(pair: Pair, by: str, standard: Standard, speculative: list[Speculative]) -> Iterator[Series]:
    """Seconds of the draft's step, of the target's check and of the target's single token, in turn, each from the same state."""
    ids = next(iter(pair.prompts.values()))[0]
    steps: list[tuple[At, Any, Callable[[], Any]]] = [({"step": "single token"}, standard, standard.next)]
    for one in speculative:
        steps += [({"step": "propose", "draft_len": one.draft_len}, one, one.propose)]
        steps += [({"step": "check", "draft_len": one.draft_len}, one, one.check)]
    samples: list[list[float]] = [[] for _ in steps]
    with torch.no_grad():
        standard.prefill(ids)
        for one in speculative:
            one.prefill(ids)
        for number in range(STEP_REPEATS):
            for place in random.Random(number).sample(range(len(steps)), len(steps)):
                _, decoder, step = steps[place]
                decoder.length.fill_(len(ids))
                samples[place] += device_seconds(step, pair.target.device, warmup=0, repeats=1)
    for (at, _, _), seconds in zip(steps, samples, strict=True):
        yield Series(quantity="step_seconds", unit="s", at={**at, "by": by}, samples=tuple(seconds))


def _in_bfloat16(pair: Pair, draft_lens: list[int]) -> Iterator[Item]:
    """How far ours agrees with standard decoding in bfloat16, and how far apart the logits of both tokens are where it does not.

    The logits are those of one pass over all tokens before that place.
    """
    for loaded in (pair.target, pair.assistant):
        loaded.model.to(torch.bfloat16)
    try:
        standard, speculative = _decoders(pair, FIXED, draft_lens)
    except Exception as error:
        yield _failure({"dtype": "bfloat16"}, error)
        return
    for prompt, ids in pair.prompts.items():
        start, new = ids.shape[1], len(pair.answers[prompt])
        expected, _ = standard.run(ids[0], new)
        for one in speculative:
            found, _ = one.run(ids[0], new)
            at: At = {"dtype": "bfloat16", "mode": "speculative", "by": FIXED, "draft_len": one.draft_len, "prompt": prompt}
            agreeing = _agreeing(found[start:], expected[start:], at)
            yield agreeing
            place = start + int(agreeing.samples[0])
            if place < len(expected):
                with torch.no_grad():
                    logits = pair.target.model(torch.tensor([expected[:place]], device=ids.device)).logits[0, -1].float()
                gap = abs(float(logits[expected[place]] - logits[found[place]]))
                yield Series(quantity="gap", unit="1", at=at, samples=(gap,))


def _read(target: Loaded) -> Iterator[Series]:
    """Seconds in which the device reads as many bytes as the target's weights have, from memory and not from a cache."""
    size = sum(weight.nbytes for weight in target.model.parameters())
    numbers = torch.ones(size // 4, device=target.device)
    samples = device_seconds(numbers.sum, target.device, warmup=2, repeats=READ_REPEATS)
    yield Series(quantity="read_seconds", unit="s", at={"bytes": size}, samples=tuple(samples))


def _state(when: str, device: torch.device) -> Iterator[Series]:
    """How busy the machine is: processes that want to run, a mean of the last minute; of a GPU its clock and power limit."""
    state = {"load": ("1", os.getloadavg()[0]), **(gpu_state() if device.type == "cuda" else {})}
    for quantity, (unit, value) in state.items():
        yield Series(quantity=quantity, unit=unit, at={"when": when}, samples=(value,))
