"""The program of homework 4, question 3, on models made here."""

import shutil
from pathlib import Path

import pytest

from generators.errors import MeasureError
from generators.measuring.hw4_speculative import main, parser
from generators.recording import load
from tests.tiny_models import Pair


def run(tiny_models: Pair, *options: object) -> None:
    target, draft = map(str, tiny_models)
    main(["--target", target, "--assistant", draft, "--max_new_tokens", "12", "--runs", "2", *map(str, options)])


def test_defaults_are_what_the_courses_program_runs() -> None:
    arguments = vars(parser().parse_args([]))
    expected = {
        "target": "EleutherAI/pythia-160m", "assistant": "EleutherAI/pythia-14m",
        "prompt": "Write a poem about Spring.", "max_new_tokens": 128, "device": "cpu", "dtype": "float32", "draft_len": 0,
    }  # fmt: skip
    assert {name: arguments[name] for name in expected} == expected


@pytest.mark.parametrize("draft_len", [0, 1, 4])
def test_speculative_decoding_gives_the_tokens_of_standard_decoding(
    tiny_models: Pair, capsys: pytest.CaptureFixture[str], tmp_path: Path, draft_len: int
) -> None:
    run(tiny_models, "--draft_len", draft_len, "--record", tmp_path / "one.json")
    out = capsys.readouterr().out
    assert out.index("Standard decoding") < out.index("Speculative decoding")
    assert "Same tokens: yes" in out
    recording = load(tmp_path / "one.json")
    standard, speculative = (recording.one("seconds", mode=mode) for mode in ("standard", "speculative"))
    assert len(standard.samples) == len(speculative.samples) == 2
    assert len({output.text for output in recording.outputs}) == 1
    drafted, accepted = recording.one("drafted").samples, recording.one("accepted").samples
    assert all(0 <= kept <= offered for kept, offered in zip(accepted, drafted, strict=True))
    if draft_len:
        assert max(drafted) == draft_len


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max_new_tokens", "0"), "max_new_tokens: must be at least 1 (got 0)"),
        (("--max_new_tokens", "96"), "max_new_tokens: prompt and output must fit"),
        (("--prompt", ""), "prompt: must not be empty (got '')"),
        (("--draft_len", "-1"), "draft_len: must be at least 0 (got -1)"),
        (("--runs", "0"), "runs: must be at least 1 (got 0)"),
        (("--target", "EleutherAI/pythia-160m"), "target: EleutherAI/pythia-160m is no folder here"),
        (("--assistant", "EleutherAI/pythia-14m"), "assistant: EleutherAI/pythia-14m is no folder here"),
    ],
)
def test_bad_values_are_refused(tiny_models: Pair, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(MeasureError) as refused:
        run(tiny_models, *options)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_an_assistant_with_another_tokenizer_is_refused(tiny_models: Pair, tmp_path: Path) -> None:
    from generators.measuring.training.tokenizer import train

    other = tmp_path / "other"
    shutil.copytree(tiny_models[1], other)
    train(["x = 1\n"] * 9, 270, 96).save_pretrained(other)
    with pytest.raises(MeasureError, match="assistant: must have the target's tokenizer"):
        run(tiny_models, "--assistant", other)
