"""Homework 3, question 3: generate text with a causal language model, with the course's arguments, and time it.

python -m generators.measuring.hw3_generate --hf_model_name smollm2-135m-instruct --chat --output_len 40
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from generators.measuring.decoding.command import Parser, add_run_options, end_with, record, refuse_bad_runs, seconds_line, utf8
from generators.measuring.decoding.models import is_local, load
from generators.measuring.decoding.sampling import Settings, generate, new_tokens, prompt_ids
from generators.measuring.machine import device_named, dtype_named
from generators.measuring.timing import wall_seconds
from generators.recording import Output, Series

PROGRAM = "hw3_generate"


def parser() -> Parser:
    """The course's arguments with its defaults, then ours."""
    options = Parser(prog=f"python -m generators.measuring.{PROGRAM}", description=__doc__.splitlines()[0], allow_abbrev=False)
    options.add_argument("--hf_model_name", default="facebook/opt-350m", help="a name on the Hugging Face hub or a folder")
    options.add_argument("--prompt_seq", type=utf8, default="What is Apple?")
    options.add_argument("--output_len", type=int, default=20, help="new tokens")
    options.add_argument("--top_k", type=int, default=50, help="most likely tokens kept; 0 keeps all")
    options.add_argument("--top_p", type=float, default=0.9, help="probability that the kept tokens reach together")
    options.add_argument("--beam_width", type=int, default=1, help="beams; above 1 they are sampled, and all are returned")
    add_run_options(options)
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Load, generate, print ids and texts as the course's program does, then seconds per run."""
    arguments = parser().parse_args(argv)
    refuse_bad_runs(arguments)
    settings = Settings(
        output_len=arguments.output_len, beam_width=arguments.beam_width, top_k=arguments.top_k, top_p=arguments.top_p
    )
    device, dtype = device_named(arguments.device), dtype_named(arguments.dtype)
    if not is_local(arguments.hf_model_name):
        print(f"Loading {arguments.hf_model_name} from the Hugging Face cache or hub", flush=True)
    loaded = load(arguments.hf_model_name, device, dtype, "hf_model_name")
    ids = prompt_ids(loaded, arguments.prompt_seq, settings, chat=arguments.chat)
    sequences: list[Any] = []

    def run() -> None:
        sequences[:] = generate(loaded, ids, settings, seed=arguments.seed)

    seconds = wall_seconds(run, device, warmup=arguments.warmup, repeats=arguments.runs)
    print(f"Prompt ids: {ids[0].tolist()}\nOutput shape: {[len(sequences), len(sequences[0])]}")
    outputs, lengths = [], []
    for number, sequence in enumerate(sequences, 1):
        text = loaded.tokenizer.decode(sequence[ids.shape[1] :], skip_special_tokens=True)
        print(f"\nSequence {number}\nIds: {sequence.tolist()}\nPrompt: {arguments.prompt_seq}\nGenerated: {text}")
        outputs.append(Output(at={"sequence": number}, text=text))
        lengths.append(new_tokens(loaded, sequence, ids.shape[1]))
    print(f"\n{loaded.card['label']}\n{seconds_line(seconds)}")
    series = [
        Series(quantity="seconds", unit="s", at=settings.at, samples=tuple(seconds)),
        Series(quantity="new_tokens", unit="token", at=settings.at, samples=tuple(lengths)),
    ]
    record(arguments, PROGRAM, device, {loaded.name: loaded.card}, series, outputs)


if __name__ == "__main__":
    end_with(main)
