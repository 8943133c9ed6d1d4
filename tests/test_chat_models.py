"""The chat model that `make models` makes, and the draft that is distilled from one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from generators.errors import MeasureError
from generators.measuring import pretrained
from generators.measuring.decoding.fixed_cache import FixedCache, causal_forward
from generators.measuring.decoding.llama import Llama
from generators.measuring.decoding.models import CARD, PRETRAINED, Loaded, load
from generators.measuring.measurements import speculative
from generators.measuring.training import distil
from generators.measuring.training.__main__ import main as train
from generators.measuring.training.chats import Chat, frame, write
from generators.measuring.training.tokenizer import train as train_tokenizer
from tests.tiny_models import TEXTS, Pair

CPU = torch.device("cpu")
TEMPLATE = "{% for message in messages %}<{{ message['content'] }}>{% endfor %}{% if add_generation_prompt %}:{% endif %}"
made_here = pytest.mark.skipif(not (PRETRAINED / CARD).is_file(), reason="`make models` has not been run")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with a chat template, whose distributions are far from flat."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("chat") / "target"
    tokenizer = train_tokenizer(TEXTS, 300, 512)
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=512, initializer_range=0.3, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=0, pad_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loaded(target: Path) -> Loaded:
    return load(str(target), CPU, torch.float32, "target")


def test_a_chat_is_framed_as_the_template_says(target: Path) -> None:
    tokenizer = loaded(target).tokenizer
    assert frame(loaded(target)) == (tokenizer("<").input_ids, tokenizer(">:").input_ids)


def test_the_target_writes_users_turns_that_end_and_greedy_answers(target: Path) -> None:
    chats = write(loaded(target), batch=40, max_seconds=0.01, seed=1, without=(), tell=lambda line: None)
    again = write(loaded(target), batch=40, max_seconds=0.01, seed=1, without=(), tell=lambda line: None)
    assert chats == again
    assert chats != write(loaded(target), batch=40, max_seconds=0.01, seed=2, without=(), tell=lambda line: None)
    assert len({tuple(chat.ids[: chat.start]) for chat in chats}) == len(chats) > 1
    before, behind = frame(loaded(target))
    barred = loaded(target).tokenizer.decode(chats[0].ids[len(before) : chats[0].start - len(behind)])
    without = write(loaded(target), batch=40, max_seconds=0.01, seed=1, without=[barred], tell=lambda line: None)
    assert sorted(chat.ids for chat in without) == sorted(chat.ids for chat in chats[1:])
    for chat in chats:
        assert chat.ids[: len(before)] == before
        assert chat.ids[chat.start - len(behind) : chat.start] == behind
        assert 0 not in chat.ids[:-1]  # 0 ends a text
        with torch.inference_mode():
            likeliest = loaded(target).model(torch.tensor([chat.ids])).logits[0].argmax(-1).tolist()
        assert likeliest[chat.start - 1 : -1] == chat.ids[chat.start :]


def test_batches_hold_every_chat_once_and_chats_of_similar_length() -> None:
    chats = [Chat([1] * length, 1) for length in (100, 30_000, 200, 300)]
    found = distil.batches(chats)
    # The longest alone is 30000; with the next it would be 2 · 30000. Then 3 · 300 fit.
    assert [[len(chat.ids) for chat in batch] for batch in found] == [[30_000], [300, 200, 100]]


def test_distilling_brings_the_draft_nearer_to_the_target_and_the_card_says_how(target: Path, tmp_path: Path) -> None:
    train(["distil", "--target", str(target), "--out", str(tmp_path), "--batch", "60", "--max-seconds", "0.01", "1.5"])
    card = json.loads((tmp_path / CARD).read_text())
    first, *_, last = card["curve"]
    assert last["kl"] < first["kl"]
    assert last["overlap"] > first["overlap"]
    draft = load(str(tmp_path), CPU, torch.float32, "draft")
    assert draft.tokenizer.get_vocab() == loaded(target).tokenizer.get_vocab()
    assert "distilled here" in draft.card["label"]
    assert f"{100 * last['agreement']:.1f} %" in (tmp_path / "README.md").read_text()


def test_divergence_agreement_and_overlap() -> None:
    """Of (3/4, 1/4) from (2/5, 3/5): ¾·log(15/8) + ¼·log(5/12) = 0.2526 nats, another likeliest token, 2/5 + 1/4."""
    p, q = (torch.tensor([one]).log() for one in ([0.75, 0.25], [0.4, 0.6]))
    kl, same, overlap = distil.compared(p, q)
    assert kl.item() == pytest.approx(0.2526, abs=1e-4)
    assert same.tolist() == [False]
    assert overlap.item() == pytest.approx(0.65)


def test_a_draft_that_is_the_target_agrees_with_it(target: Path) -> None:
    """Equal distributions diverge by nothing and overlap whole."""
    same = loaded(target)
    chats = write(same, batch=40, max_seconds=0.01, seed=1, without=(), tell=lambda line: None)
    run = distil.Run(same, same.model, [], distil.batches(chats), 0)
    run._measure(0, 0.0, lambda line: None)
    assert {name: run.curve[0][name] for name in ("kl", "agreement", "overlap")} == {"kl": 0, "agreement": 1, "overlap": 1}


def test_only_answers_count(target: Path) -> None:
    """A chat of three tokens of prompt and two of answer: the places before the answer's tokens."""
    one = loaded(target)
    run = distil.Run(one, one.model, [], [], 0)
    with torch.inference_mode():
        p, _ = run._logits([Chat([5, 6, 7, 8, 9], 3), Chat([5, 6, 7, 8], 3)])
        whole = one.model(torch.tensor([[5, 6, 7, 8, 9]])).logits[0]
    assert torch.allclose(p, whole[[2, 3, 2]], atol=1e-5)


def test_our_step_of_a_llama_gives_the_logits_of_the_librarys_model(target: Path) -> None:
    """A prompt of 20 tokens, then 1 to 5 tokens a step over the cache, with fewer key-value heads than heads."""
    model = loaded(target).model
    ids = torch.randint(300, (36,), generator=torch.Generator().manual_seed(5))
    ours = Llama(model, 40)
    with torch.no_grad():
        expected = model(ids[None]).logits[0]
        cache, done, found = FixedCache(ours, 40), 0, []
        for tokens in (20, 1, 2, 3, 4, 5, 1):
            found.append(causal_forward(ours, cache, ids[done : done + tokens], torch.tensor([done])))
            done += tokens
    assert torch.allclose(torch.cat(found), expected, atol=1e-4)


def test_our_step_is_for_llamas_without_biases_only(tiny_models: Pair, target: Path) -> None:
    assert Llama.fits(loaded(target).model)
    assert not Llama.fits(load(str(tiny_models[0]), CPU, torch.float32, "model").model)
    with pytest.raises(MeasureError, match="fixed cache, fused is for Llamas only"):
        list(speculative._decoders(_pair(tiny_models), speculative.FUSED, [1]))


def _pair(folders: Pair) -> speculative.Pair:
    target, draft = (load(str(folder), CPU, torch.float32, "model") for folder in folders)
    return speculative.Pair(target, draft, {"a": torch.tensor([[5, 6]])}, {"a": [0, 0]})


def test_a_model_without_chats_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="chat: must be left out, as code-small has no chat template"):
        train(["distil", "--target", "code-small", "--out", str(tmp_path / "x")])


def test_another_file_than_the_published_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is made of it; a missing one names the command that installs it."""
    out = tmp_path / "made"
    with pytest.raises(MeasureError, match=r"cannot be read \(FileNotFoundError\); `make models` installs it"):
        pretrained.main(["--wheels", str(tmp_path), "--out", str(out)])
    (tmp_path / pretrained.FILE).parent.mkdir()
    (tmp_path / pretrained.FILE).write_bytes(b"other")
    with pytest.raises(MeasureError, match=r"must have the SHA-256 .*\(got d9298a10d1b0"):  # sha256sum of "other"
        pretrained.main(["--wheels", str(tmp_path), "--out", str(out)])
    assert not out.exists()
    out.mkdir()
    (out / CARD).write_text(json.dumps({"sha256": pretrained.SHA256}))
    pretrained.main(["--wheels", str(tmp_path), "--out", str(out)])
    assert "is up to date. Its license is Apache-2.0." in capsys.readouterr().out


@made_here
def test_the_pretrained_model_is_found_by_its_name_and_ends_its_turns() -> None:
    one: Any = load("smollm2-135m-instruct", CPU, torch.float32, "model")
    assert one.card["parameters"] == 134_515_008  # as published
    ids = one.ids("What is Apple?", "prompt", chat=True)
    assert one.tokenizer.decode(ids[0]).endswith("<|im_start|>user\nWhat is Apple?<|im_end|>\n<|im_start|>assistant\n")
    found = one.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=7)
    assert one.tokenizer.decode(found[0, ids.shape[1] :]) == "Apple is a multinational conglomerate"
    assert one.model.generation_config.eos_token_id == one.tokenizer.convert_tokens_to_ids("<|im_end|>")
