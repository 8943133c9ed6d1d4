"""Homework 3, question 3: time against output length, time and score against beams, spread against top-k and top-p."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from generators.measuring.decoding.models import Loaded, load
from generators.measuring.decoding.sampling import Settings, generate, log_probability, never_end, prompt_ids
from generators.measuring.machine import dtype_named
from generators.measuring.measurements.collect import Item, Model, seconds
from generators.measuring.timing import wall_seconds
from generators.recording import Output, Series


def measure_output_len(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """Seconds of a run for each output length."""
    loaded = _loaded(parameters, device)
    yield Model(loaded.name, loaded.card)
    for output_len in parameters["output_lens"]:
        settings = Settings(output_len=output_len, **_chosen(parameters, "beam_width", "top_k", "top_p"))
        yield from _timed(loaded, settings, parameters, {"output_len": output_len})


def measure_beam_width(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """Seconds of a run for each beam width, sampled as the course's program does and searched; and each result's score."""
    loaded = _loaded(parameters, device)
    yield Model(loaded.name, loaded.card)
    for do_sample in (True, False):
        for width in parameters["beam_widths"]:
            chosen = _chosen(parameters, "output_len", "top_k", "top_p")
            settings = Settings(beam_width=width, do_sample=do_sample, **chosen)
            at = {"beam_width": width, "do_sample": do_sample}
            yield from _timed(loaded, settings, parameters, at)
            yield from _scores(loaded, settings, parameters, at)


def _timed(loaded: Loaded, settings: Settings, parameters: Mapping[str, Any], at: dict[str, Any]) -> Iterator[Item]:
    """Seconds of a run at these settings, and the first sequence that it gave."""
    ids = prompt_ids(loaded, parameters["prompt"], settings, chat=parameters["chat"])
    found: list[torch.Tensor] = []

    def run() -> None:
        found[:] = generate(loaded, ids, settings, seed=parameters["seed"])

    samples = wall_seconds(run, loaded.device, warmup=parameters["warmup"], repeats=parameters["repeats"])
    length = found[0].shape[0] - ids.shape[1]
    if length != settings.output_len:  # the fit of time against length rests on it
        raise RuntimeError(f"{settings}: {length} tokens were generated")
    yield seconds(samples, **at)
    yield Output(at=at, text=_text(loaded, found[0], ids.shape[1]))


def _scores(loaded: Loaded, settings: Settings, parameters: Mapping[str, Any], at: dict[str, Any]) -> Iterator[Item]:
    """Log-probability, in nats, of the best sequence: one value for beam search, one a seed where beams are sampled."""
    ids = prompt_ids(loaded, parameters["prompt"], settings, chat=parameters["chat"])
    scores = []
    for number in range(parameters["repeats"] if settings.do_sample else 1):
        sequences = generate(loaded, ids, settings, seed=parameters["seed"] + number)
        scores.append(max(log_probability(loaded, sequence, ids.shape[1]) for sequence in sequences))
    yield Series(quantity="log_probability", unit="nat", at=at, samples=tuple(scores))


def measure_filter(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Item]:
    """What is kept and what comes out for each top-k, or for each top-p."""
    loaded = _loaded(parameters, device)
    yield Model(loaded.name, loaded.card)
    changed, fixed = ("top_k", "top_p") if "top_ks" in parameters else ("top_p", "top_k")
    for value in parameters[f"{changed}s"]:
        settings = Settings(**{changed: value}, **_chosen(parameters, "output_len", fixed))
        yield from _spread(loaded, settings, parameters, {changed: value})


def _spread(loaded: Loaded, settings: Settings, parameters: Mapping[str, Any], at: dict[str, Any]) -> Iterator[Item]:
    """Every text of a batch of samples; entropy and size of the kept distributions at the first step and over the others."""
    ids = prompt_ids(loaded, parameters["prompt"], settings, chat=parameters["chat"])
    result = generate(
        loaded, ids, settings, seed=parameters["seed"],
        num_return_sequences=parameters["sequences"], output_scores=True, return_dict_in_generate=True,
    )  # fmt: skip
    entropies, kept = zip(*(_kept(scores) for scores in result.scores), strict=True)
    for quantity, unit, steps in (("entropy", "nat", entropies), ("kept_tokens", "token", kept)):
        yield Series(quantity=f"first_{quantity}", unit=unit, at=at, samples=(float(steps[0][0]),))
        means = torch.stack(steps).double().mean(0).tolist()
        yield Series(quantity=quantity, unit=unit, at=at, samples=tuple(means))
    for number, sequence in enumerate(result.sequences):
        yield Output(at={**at, "sequence": number}, text=_text(loaded, sequence, ids.shape[1]))


def _kept(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Entropy, in nats, and number of tokens of each row's distribution; (sequences, vocabulary), -inf where cut off."""
    log_probabilities = scores.double().log_softmax(-1)
    probabilities = log_probabilities.exp()
    terms = torch.where(probabilities > 0, probabilities * log_probabilities, 0.0)
    return -terms.sum(-1), scores.isfinite().sum(-1)


def _loaded(parameters: Mapping[str, Any], device: torch.device) -> Loaded:
    loaded = load(parameters["model"], device, dtype_named(parameters["dtype"]), "model")
    never_end(loaded)
    return loaded


def _chosen(parameters: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: parameters[name] for name in names}


def _text(loaded: Loaded, sequence: torch.Tensor, prompt_len: int) -> str:
    text: str = loaded.tokenizer.decode(sequence[prompt_len:], skip_special_tokens=False)
    return text
