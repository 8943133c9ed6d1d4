"""Homework 4, question 3: the time of standard decoding and of speculative decoding with a draft model.

python -m generators.measuring.hw4_speculative --chat --target smollm2-135m-instruct --assistant chat-draft
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from generators.errors import MeasureError
from generators.measuring.decoding import assisted
from generators.measuring.decoding.command import Parser, add_run_options, end_with, record, refuse_bad_runs, seconds_line, utf8
from generators.measuring.decoding.models import Loaded, is_local, load
from generators.measuring.machine import device_named, dtype_named
from generators.measuring.timing import wall_seconds
from generators.recording import Output, Scalar, Series

PROGRAM = "hw4_speculative"


def parser() -> Parser:
    """The course's program takes no arguments; the defaults are what it runs."""
    options = Parser(prog=f"python -m generators.measuring.{PROGRAM}", description=__doc__.splitlines()[0], allow_abbrev=False)
    options.add_argument("--target", default="EleutherAI/pythia-160m", help="a name on the Hugging Face hub or a folder")
    options.add_argument("--assistant", default="EleutherAI/pythia-14m", help="the draft model, with the same tokenizer")
    options.add_argument("--prompt", type=utf8, default="Write a poem about Spring.")
    options.add_argument("--max_new_tokens", type=int, default=128)
    options.add_argument(
        "--draft_len", type=int, default=0, help="tokens drafted each time; 0 leaves it to transformers, as the course does"
    )
    add_run_options(options)
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Load both models, decode both ways, print seconds, outputs and what was accepted."""
    arguments = parser().parse_args(argv)
    refuse_bad_runs(arguments)
    if arguments.draft_len < 0:
        raise MeasureError(f"draft_len: must be at least 0 (got {arguments.draft_len})")
    device, dtype = device_named(arguments.device), dtype_named(arguments.dtype)
    for name in (arguments.target, arguments.assistant):
        if not is_local(name):
            print(f"Loading {name} from the Hugging Face cache or hub", flush=True)
    target = load(arguments.target, device, dtype, "target")
    assistant = load(arguments.assistant, device, dtype, "assistant")
    assisted.refuse_mismatch(target, assistant)
    ids = assisted.prompt_ids(target, assistant, arguments.prompt, arguments.max_new_tokens, chat=arguments.chat)
    if arguments.draft_len:
        assisted.draft_constant(assistant, arguments.draft_len)
    series, outputs = _both_ways(arguments, target, assistant, ids)
    record(arguments, PROGRAM, device, {one.name: one.card for one in (target, assistant)}, series, outputs)


def _both_ways(arguments: Any, target: Loaded, assistant: Loaded, ids: Any) -> tuple[list[Series], list[Output]]:
    """Time standard decoding first, then speculative decoding, and print both."""
    series, outputs, results = [], [], {}
    for mode, helper in (("standard", None), ("speculative", assistant)):
        seconds, results[mode] = _timed(arguments, target, helper, ids)
        text = target.tokenizer.decode(results[mode], skip_special_tokens=True)
        print(f"{mode.capitalize()} decoding\n{text}\n{seconds_line(seconds)}\n", flush=True)
        series.append(Series(quantity="seconds", unit="s", at={"mode": mode}, samples=tuple(seconds)))
        outputs.append(Output(at={"mode": mode}, text=text))
    series += _acceptance(target, assistant, ids, arguments.max_new_tokens)
    print(f"Same tokens: {'yes' if results['standard'] == results['speculative'] else 'no'}")
    print(f"{target.card['label']}\n{assistant.card['label']}")
    return series, outputs


def _timed(arguments: Any, target: Loaded, helper: Loaded | None, ids: Any) -> tuple[list[float], list[int]]:
    """Seconds of each run, and the ids of the last one."""
    import torch

    found: list[Any] = []

    def run() -> None:
        torch.manual_seed(arguments.seed)
        found[:] = assisted.generate(target, ids, arguments.max_new_tokens, helper)

    seconds = wall_seconds(run, target.device, warmup=arguments.warmup, repeats=arguments.runs)
    return seconds, found[0].tolist()


def _acceptance(target: Loaded, assistant: Loaded, ids: Any, max_new_tokens: int) -> list[Series]:
    """Run once more, untimed, with the target's calls counted, and print what they accepted."""
    with assisted.counted(target) as calls:
        result = assisted.generate(target, ids, max_new_tokens, assistant)
    rounds = calls.rounds(ids.shape[1], result.shape[1])
    rate = rounds.acceptance_rate
    print(f"Target calls: {len(rounds.drafted)}, tokens a call: {rounds.tokens_per_call:.2f}")
    print(f"Acceptance rate: {'no draft was made' if rate is None else f'{rate:.3f}'}")
    at: dict[str, Scalar] = {"mode": "speculative"}
    return [
        Series(quantity=name, unit="token", at=at, samples=tuple(samples))
        for name, samples in (("drafted", rounds.drafted), ("accepted", rounds.accepted))
    ]


if __name__ == "__main__":
    end_with(main)
