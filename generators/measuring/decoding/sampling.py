"""Homework 3's generation: sampling with top-k and top-p, by beams where the width is above one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from generators.errors import MeasureError
from generators.measuring.decoding.models import Loaded

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The course's arguments; a value outside its range raises MeasureError.

    As in the course's program it always samples at temperature 1, so a `beam_width` above 1 samples beams;
    `do_sample=False` is for comparison only. `top_k` 0 keeps every token.
    """

    output_len: int = 20
    beam_width: int = 1
    top_k: int = 50
    top_p: float = 0.9
    do_sample: bool = True

    def __post_init__(self) -> None:
        if self.output_len < 1:
            raise MeasureError(f"output_len: must be at least 1 (got {self.output_len})")
        if self.beam_width < 1:
            raise MeasureError(f"beam_width: must be at least 1 (got {self.beam_width})")
        if self.top_k < 0:
            raise MeasureError(f"top_k: must be at least 0, where 0 keeps every token (got {self.top_k})")
        if not 0 < self.top_p <= 1:
            raise MeasureError(f"top_p: must be above 0 and at most 1 (got {self.top_p})")

    @property
    def at(self) -> dict[str, Any]:
        """The settings by name, as a recording keeps them."""
        return asdict(self)


def prompt_ids(loaded: Loaded, prompt: str, settings: Settings, *, chat: bool = False) -> torch.Tensor:
    """The prompt's ids, (1, tokens); one that leaves no room for the output in the model's context is refused."""
    ids = loaded.ids(prompt, "prompt_seq", chat=chat)
    loaded.refuse_overflow("output_len", ids.shape[1], settings.output_len)
    if settings.beam_width > loaded.model.config.vocab_size:
        raise MeasureError(f"beam_width: must be at most the vocabulary's size (got {settings.beam_width})")
    return ids


def generate(loaded: Loaded, ids: torch.Tensor, settings: Settings, *, seed: int, **options: Any) -> Any:
    """Run Hugging Face's generate, torch seeded just before; `options` go to it as they are.

    Returns token ids, (beam_width, prompt + new tokens), or what `options` make generate return.
    """
    import torch

    arguments: dict[str, Any] = {
        "max_new_tokens": settings.output_len,
        "num_beams": settings.beam_width,
        "num_return_sequences": settings.beam_width,
        "do_sample": settings.do_sample,
        "pad_token_id": padding(loaded),
    }
    if settings.do_sample:
        arguments |= {"temperature": 1.0, "top_k": settings.top_k, "top_p": settings.top_p}
    torch.manual_seed(seed)
    return loaded.model.generate(ids, attention_mask=torch.ones_like(ids), **(arguments | options))


def padding(loaded: Loaded) -> int:
    """The id that fills finished sequences: the tokenizer's padding, else its end-of-text, else 0."""
    for token in (loaded.tokenizer.pad_token_id, loaded.tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def new_tokens(loaded: Loaded, sequence: torch.Tensor, prompt_len: int) -> int:
    """Tokens generated after the prompt, an end-of-text token counted and what pads the sequence behind it not."""
    generated = sequence[prompt_len:].tolist()
    end = loaded.model.generation_config.eos_token_id
    ends = set(end) if isinstance(end, list) else {end}
    for count, token in enumerate(generated, 1):
        if token in ends:
            return count
    return len(generated)


def never_end(loaded: Loaded) -> None:
    """Let the model generate past its end-of-text token, so that every timed run has the length asked for.

    Without an end of text, the library would take a prompt's tokens that are also the padding for padding.
    """
    for config in (loaded.model.generation_config, loaded.model.config):
        config.eos_token_id = config.pad_token_id = None


def log_probability(loaded: Loaded, sequence: torch.Tensor, prompt_len: int) -> float:
    """Sum of the model's own log-probabilities, in nats, of every token after the prompt; (tokens,) ids."""
    import torch

    with torch.inference_mode():
        logits = loaded.model(sequence[None]).logits[0, prompt_len - 1 : -1].double()
    chosen = sequence[prompt_len:, None]
    return float(logits.log_softmax(-1).gather(1, chosen).sum())
