"""The program of homework 3, question 3, on a model made here."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from generators.errors import MeasureError
from generators.measuring.decoding import models
from generators.measuring.decoding.models import load as load_model
from generators.measuring.hw3_generate import main, parser
from generators.pipeline.catalog import ROOT
from generators.recording import load
from tests.test_decoding import CPU, greedy
from tests.tiny_models import Pair


def run(tiny_models: Pair, *options: object) -> None:
    main(["--hf_model_name", str(tiny_models[0]), "--runs", "2", *map(str, options)])


def test_arguments_and_defaults_are_the_courses() -> None:
    arguments = vars(parser().parse_args([]))
    expected = {
        "hf_model_name": "facebook/opt-350m", "prompt_seq": "What is Apple?", "output_len": 20,
        "top_k": 50, "top_p": 0.9, "beam_width": 1,
    }  # fmt: skip
    assert {name: arguments[name] for name in expected} == expected
    assert (arguments["device"], arguments["dtype"], arguments["seed"]) == ("cpu", "float32", 0)


@pytest.mark.parametrize(("beam_width", "output_len"), [(1, 1), (1, 6), (3, 5), (8, 2)])
def test_it_prints_ids_shape_texts_and_seconds(
    tiny_models: Pair, capsys: pytest.CaptureFixture[str], beam_width: int, output_len: int
) -> None:
    run(tiny_models, "--beam_width", beam_width, "--output_len", output_len, "--prompt_seq", "class Stack:")
    out = capsys.readouterr().out
    assert "Prompt ids: [" in out
    assert out.count("\nGenerated: ") == beam_width
    assert f"Output shape: [{beam_width}, " in out
    assert "seconds per run: " in out
    assert "median of 2 runs" in out


def test_the_same_seed_gives_the_same_text_and_another_seed_another(tiny_models: Pair, tmp_path: Path) -> None:
    def texts(seed: int) -> list[str]:
        path = tmp_path / f"{seed}.json"
        run(tiny_models, "--seed", seed, "--top_p", 1, "--top_k", 0, "--record", path)
        return [output.text for output in load(path).outputs]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_top_k_1_is_greedy(tiny_models: Pair, tmp_path: Path) -> None:
    run(tiny_models, "--top_k", 1, "--output_len", 8, "--record", tmp_path / "one.json", "--prompt_seq", "import sys")
    loaded = load_model(str(tiny_models[0]), CPU, torch.float32, "model")
    ids = loaded.tokenizer("import sys").input_ids
    expected = loaded.tokenizer.decode(greedy(loaded, ids, 8)[len(ids) :], skip_special_tokens=True)
    assert load(tmp_path / "one.json").outputs[0].text == expected


def test_a_record_holds_every_sample_and_how_to_renew_it(tiny_models: Pair, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    run(tiny_models, "--record", path, "--prompt_seq", "it's $HOME")
    recording = load(path)
    assert recording.what == "hw3_generate"
    assert len(recording.one("seconds").samples) == 2
    assert recording.one("new_tokens").samples[0] <= 20
    assert recording.parameters["prompt_seq"] == "it's $HOME"
    assert "--prompt_seq 'it'\"'\"'s $HOME'" in recording.command
    assert recording.device_kind == "cpu"
    assert recording.models[str(tiny_models[0])]["parameters"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--top_p", "0"), "top_p: must be above 0 and at most 1 (got 0.0)"),
        (("--top_p", "1.01"), "top_p: must be above 0 and at most 1 (got 1.01)"),
        (("--top_p", "nan"), "top_p: must be above 0 and at most 1 (got nan)"),
        (("--output_len", "0"), "output_len: must be at least 1 (got 0)"),
        (("--beam_width", "0"), "beam_width: must be at least 1 (got 0)"),
        (("--beam_width", "1000"), "beam_width: must be at most the vocabulary's size (got 1000)"),
        (("--top_k", "-1"), "top_k: must be at least 0, where 0 keeps every token (got -1)"),
        (("--prompt_seq", ""), "prompt_seq: must not be empty (got '')"),
        (("--prompt_seq", " \n"), "prompt_seq: must not be empty (got ' \\n')"),
        (("--output_len", "96"), "context of 96 tokens (got "),
        (("--runs", "0"), "runs: must be at least 1 (got 0)"),
        (("--warmup", "-1"), "warmup: must be at least 0 (got -1)"),
        (("--seed", "-1"), "seed: must be from 0 to 2^63 - 1 (got -1)"),
        (("--device", "tpu"), "device: must be cpu, cuda or cuda:N (got tpu)"),
        (("--device", "cuda:99"), "device: must exist, and torch finds"),
        (("--record", "/no/such/folder/x.json"), "record: must be a file in a folder that exists"),
    ],
)  # fmt: skip
def test_bad_values_are_refused(tiny_models: Pair, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(MeasureError) as refused:
        run(tiny_models, *options)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["facebook/opt-350m", "no/such/folder", "../nothing", "a b", "tests"])
def test_a_model_that_cannot_be_had_offline_is_refused_naming_local_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "code-small").mkdir()
    (tmp_path / "code-small" / "config.json").write_text("{}")
    monkeypatch.setattr(models, "MODELS", tmp_path)
    monkeypatch.setattr(models, "MADE", tmp_path / "made")
    monkeypatch.setattr(models, "PRETRAINED", ROOT / "build" / "x")
    with pytest.raises(MeasureError) as refused:
        main(["--hf_model_name", name])
    assert str(refused.value).startswith(f"hf_model_name: {name} is no folder ")
    assert str(refused.value).endswith(f"local models: {tmp_path / 'code-small'}; `make models` makes build/x")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--top_p", "2"], "error: top_p: must be above 0 and at most 1 (got 2.0)\n"),
        (["--output_len", "many"], "error: argument --output_len: invalid int value: 'many'\n"),
        (["--prompt_seq", "\udcff"], "error: argument --prompt_seq: must be text in UTF-8\n"),
        (["--nothing"], "error: unrecognized arguments: --nothing\n"),
    ],
)
def test_a_refusal_is_one_line_and_status_2(options: list[str], line: str) -> None:
    command = [sys.executable, "-m", "generators.measuring.hw3_generate", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
