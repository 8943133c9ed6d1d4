"""The training script on a corpus made here."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from generators.errors import MeasureError
from generators.measuring.training import corpus
from generators.measuring.training.__main__ import main
from generators.measuring.training.architectures import RECIPES, make
from generators.measuring.training.card import as_markdown, card, save
from generators.measuring.training.tokenizer import encode, train
from generators.measuring.training.train import held_out_loss
from generators.measuring.training.train import train as train_model
from tests.tiny_models import TEXTS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train(TEXTS, 300, 512)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for number in range(7):
        path = tmp_path / "lib" / f"{number % 2}" / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"x{number} = {number}\n")
    (tmp_path / "lib" / "again.py").write_text("x3 = 3\n")
    (tmp_path / "lib" / "empty.py").write_text("")
    (tmp_path / "lib" / "latin.py").write_bytes(b"# \xe9\n")
    (tmp_path / "lib" / "table.py").write_text("1\n" * corpus.MAX_FILE_BYTES)
    (tmp_path / "lib" / "notes.txt").write_text("no code")
    return tmp_path / "lib"


def test_the_corpus_is_every_distinct_small_text_once_in_a_seeded_order(tree: Path) -> None:
    found = corpus.read([tree], seed=1)
    assert sorted(found.training + found.held_out) == [f"x{number} = {number}\n" for number in range(7)]
    assert found == corpus.read([tree, tree], seed=1)
    assert found.training != corpus.read([tree], seed=2).training
    assert found.facts["files"] == 6
    assert found.facts["files_held_out"] == 1


def test_the_corpus_can_be_cut_off(tree: Path) -> None:
    found = corpus.read([tree], max_bytes=8)  # a text has 7 characters, so the second passes the limit
    assert len(found.training) + len(found.held_out) == 2


def test_the_running_interpreter_has_a_corpus() -> None:
    roots = corpus.folders()
    assert roots
    assert any((root / "json" / "decoder.py").is_file() for root in roots)


@pytest.mark.parametrize("text", ["def f(x):\n\treturn  x\r\n", "é → 日本 \x00", "<|not special|>", ""])
def test_any_text_comes_back_from_its_ids(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_texts_end_with_the_end_of_text_token_and_never_hold_padding(tokenizer: Any) -> None:
    ids = encode(tokenizer, TEXTS)
    assert ids.dtype == np.uint16
    assert (ids == tokenizer.eos_token_id).sum() == len(TEXTS)
    assert tokenizer.pad_token_id not in ids
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # 12 D² a layer with its biases and norms, and one table of 4096 tokens
        ("code-small", 12 * (12 * 192**2 + 13 * 192) + 4096 * 192 + 2 * 192),
        ("code-draft", 2 * (12 * 128**2 + 13 * 128) + 4096 * 128 + 2 * 128),
    ],
)
def test_shapes_have_as_many_parameters_as_said(name: str, parameters: dict[str, Any]) -> None:
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(RECIPES[name].build())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_the_shipped_pair_fits_in_16_mb() -> None:
    sizes = [2 * (12 * layers * width**2 + 4096 * width) for layers, width in ((12, 192), (2, 128))]
    assert sum(sizes) < 15_000_000  # which leaves a megabyte for two tokenizers


def test_training_lowers_the_loss_and_the_card_says_how(tokenizer: Any, tmp_path: Path) -> None:
    data = encode(tokenizer, TEXTS)
    data = np.concatenate([data] * 5)
    recipe = replace(RECIPES["code-draft"], batch=2, warmup_steps=2)
    model = make(recipe)
    before = held_out_loss(model, data, 2, most=1)
    told: list[str] = []
    trained = train_model(model, recipe, data, data, CPU, steps=12, max_seconds=60, tell=told.append)
    assert trained.steps == 12
    assert trained.tokens_seen == 12 * 2 * 512
    assert trained.held_out_loss < before - 1
    facts = card(recipe, model, {**corpus.Corpus(TEXTS, TEXTS).facts, "tokens": len(data), "vocab_size": 300}, trained, CPU)
    save(model, tokenizer, facts, tmp_path / "code-draft", as_markdown(facts))
    assert json.loads((tmp_path / "code-draft" / "card.json").read_text()) == facts
    for fact in (trained.tokens_seen, trained.held_out_loss, torch.__version__, facts["date"], "seed 0"):
        assert str(fact) in as_markdown(facts)


def test_a_saved_model_is_loaded_with_its_card_and_its_weights_in_half_precision(tokenizer: Any, tmp_path: Path) -> None:
    from generators.measuring.decoding.models import load

    recipe = RECIPES["code-draft"]
    model = make(recipe).eval()
    save(model, tokenizer, {"label": "l", "name": "n", **_facts()}, tmp_path / "m", "text")
    loaded = load(str(tmp_path / "m"), CPU, torch.float32, "model")
    assert loaded.card["label"] == "l"
    weights = dict(loaded.model.named_parameters())
    for name, weight in make(recipe).named_parameters():
        assert torch.equal(weights[name], weight.half().float())


def _facts() -> dict[str, Any]:
    data = {"source": "s", "files": 1, "bytes": 1, "tokens": 1, "vocab_size": 1, "files_held_out": 1}
    names = ("tokens_seen", "steps", "batch", "context_len", "seed", "training_loss", "held_out_loss", "seconds")
    machine = {"architecture": "a", "layers": 1, "hidden_size": 1, "parameters": 1, "device": "d", "driver": None}
    return {"data": data, "training": dict.fromkeys(names, 1), "versions": {}, "date": "d", **machine}


def test_training_ends_at_its_time_limit(tokenizer: Any) -> None:
    data = encode(tokenizer, TEXTS)
    recipe = replace(RECIPES["code-draft"], batch=1)
    trained = train_model(make(recipe), recipe, data, data, CPU, steps=10**9, max_seconds=0.5, tell=print)
    assert 1 <= trained.steps < 10**4


@pytest.mark.parametrize("limits", [["1", "2", "3"], ["0", "1"]])
def test_bad_time_limits_are_refused(limits: list[str]) -> None:
    with pytest.raises(MeasureError, match="max-seconds: must be one positive number, or one for each of 2 models"):
        main(["pair", "--max-seconds", *limits])
