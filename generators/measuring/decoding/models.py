"""Loads a causal language model and its tokenizer by hub name or from a folder."""

from __future__ import annotations

import json
import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generators.errors import MeasureError
from generators.pipeline.catalog import ROOT, shown

if TYPE_CHECKING:
    import torch

MODELS = ROOT / "models"
MADE = ROOT / "build" / "models"
PRETRAINED = MADE / "smollm2-135m-instruct"
"""What `make models` makes: a chat model with pretrained weights."""
CARD = "card.json"

_UNREADABLE = (OSError, ValueError, KeyError)  # what the libraries raise on names and folders they cannot read


@dataclass(frozen=True)
class Loaded:
    """A model ready to decode, with the name it was asked for and what is known of its weights."""

    name: str
    model: Any
    tokenizer: Any
    card: dict[str, Any]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def context_len(self) -> int:
        """The most tokens, prompt and output together, that the model can attend to."""
        return int(self.model.config.max_position_embeddings)

    def ids(self, prompt: str, field: str, *, chat: bool = False) -> torch.Tensor:
        """The prompt as token ids, (1, tokens), in a chat as a user's turn; one without a token raises MeasureError."""
        if not prompt.strip():
            raise MeasureError(f"{field}: must not be empty (got {prompt!r})")
        text = self.turn(prompt) if chat else prompt
        ids: torch.Tensor = self.tokenizer(text, return_tensors="pt", add_special_tokens=not chat).input_ids
        if not ids.numel():
            raise MeasureError(f"{field}: must hold at least one token of {self.name} (got {prompt!r})")
        return ids.to(self.device)

    def turn(self, prompt: str) -> str:
        """The prompt between the texts that the model was trained to see around a user's turn."""
        if not getattr(self.tokenizer, "chat_template", None):
            raise MeasureError(f"chat: must be left out, as {self.name} has no chat template")
        turns = [{"role": "user", "content": prompt}]
        text: str = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return text

    def refuse_overflow(self, field: str, prompt_tokens: int, new_tokens: int) -> None:
        """Raise MeasureError where prompt and output do not fit the context."""
        if prompt_tokens + new_tokens > self.context_len:
            raise MeasureError(
                f"{field}: prompt and output must fit {self.name}'s context of {self.context_len} tokens "
                f"(got {prompt_tokens} + {new_tokens})"
            )


def local_models() -> list[str]:
    """The model folders that the project ships and those that were made, as the command line takes them."""
    return [shown(path.parent) for folder in (MODELS, MADE) for path in sorted(folder.glob("*/config.json"))]


def load(name: str, device: torch.device, dtype: torch.dtype, field: str) -> Loaded:
    """Load a folder or a hub name for decoding; what cannot be had raises MeasureError naming `field`.

    A hub name that is not in the local cache is downloaded; without a network it is refused.
    """
    folder = _folder(name)
    quieten()
    try:
        tokenizer, model = _read(str(folder) if folder else name, dtype, local=True)
    except _UNREADABLE as error:
        if folder or not _hub_answers():
            raise MeasureError(_unavailable(name, folder, error, field)) from error
        tokenizer, model = _downloaded(name, dtype, field)
    model.to(device).eval()
    return Loaded(name, model, tokenizer, _card(folder, name, model))


def _read(source: str, dtype: torch.dtype, *, local: bool) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
    return tokenizer, AutoModelForCausalLM.from_pretrained(source, dtype=dtype, local_files_only=local)


def _downloaded(name: str, dtype: torch.dtype, field: str) -> tuple[Any, Any]:
    try:
        return _read(name, dtype, local=False)
    except _UNREADABLE as error:
        raise MeasureError(_unavailable(name, None, error, field)) from error


def _hub_answers() -> bool:
    """Whether the hub may be asked and answers within seconds; the libraries themselves retry for a minute."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(urllib.request.Request(hub, method="HEAD"), timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it answered, whatever it thought of the question
    except (OSError, ValueError):
        return False


def is_local(name: str) -> bool:
    """Whether the name is a folder here rather than a name on the hub."""
    return _folder(name) is not None


def _folder(name: str) -> Path | None:
    """A folder as given, or below the project's root or its folders of models, so that a name works from anywhere."""
    for path in (Path(name), ROOT / name, MODELS / name, MADE / name):
        if name and path.is_dir():
            return path
    return None


def _unavailable(name: str, folder: Path | None, error: Exception, field: str) -> str:
    others = [other for other in local_models() if other != name]
    made = "" if (PRETRAINED / CARD).is_file() else f"; `make models` makes {shown(PRETRAINED)}"
    instead = f"; local models: {', '.join(others)}{made}"
    if folder:
        reason = " ".join(str(error).split())[:160]
        return f"{field}: {name} is no folder of a causal language model ({type(error).__name__}: {reason}){instead}"
    return f"{field}: {name} is no folder here, not in the local cache, and the Hugging Face hub did not give it{instead}"


def _card(folder: Path | None, name: str, model: Any) -> dict[str, Any]:
    """What the model's own card says, or that its weights are the hub's."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    path = folder / CARD if folder else None
    if path and path.is_file():
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**known, "parameters": parameters}
    return {"label": f"{name}, weights as loaded", "architecture": model.config.model_type, "parameters": parameters}


def shape_of(model: Any) -> dict[str, Any]:
    """What a card says of a model's size."""
    return {
        "architecture": model.config.model_type,
        "layers": model.config.num_hidden_layers,
        "hidden_size": model.config.hidden_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def quieten() -> None:
    """Keep progress bars, hints and retry warnings of the loading libraries out of a one-line refusal."""
    from transformers.utils import logging as theirs

    theirs.disable_progress_bar()
    for name in ("transformers", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
