"""Homework 3, question 3: what output length, beam width, top-k and top-p change, from recorded runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any

from pydantic import Field

from generators.answer import Cell, Figure
from generators.params import Exact, MeasuredParams, PositiveInt, Text
from generators.pipeline.recorded import command_of
from generators.recording import Recording
from generators.self_verifying import SelfVerifying
from generators.steps import Answer, Check, Part, Step, Table
from generators.topics.measured import PER_SECOND_MS, in_ms, least_squares

PROGRAM = "python -m generators.measuring.hw3_generate"
CEILINGS = "hw3_q1_products"
PARTS = {
    "3.1": ("Output length", "hw3_q3_output_len"),
    "3.2": ("Beam width", "hw3_q3_beam_width"),
    "3.3": ("Top-k", "hw3_q3_top_k"),
    "3.4": ("Top-p", "hw3_q3_top_p"),
}
TIMED = ("3.1", "3.2", "runs")
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


class GenerationParams(MeasuredParams):
    """The course's arguments with its defaults; what the recorded runs were given stands in the recordings."""

    hf_model_name: Text
    prompt_seq: Text
    output_len: PositiveInt
    beam_width: PositiveInt
    top_k: Annotated[int, Field(ge=0)]
    top_p: Annotated[Exact, Field(gt=0, le=1)]

    def launch(self) -> str:
        """The launch that the sheet starts from."""
        return _launch({name: getattr(self, name) for name in type(self).model_fields})

    def to_record(self, device_kind: str) -> str:
        """The command that makes every recording of the page."""
        return command_of(" ".join(what for _, what in PARTS.values()), device_kind)


def _launch(arguments: dict[str, Any]) -> str:
    """A command line for a shell; an exact decimal is written as one."""
    words = (f"--{name} {shlex.quote(_word(value))}" for name, value in arguments.items())
    return f"{PROGRAM} {' '.join(words)}"


def _word(value: Any) -> str:
    return str(float(value)) if isinstance(value, Fraction) else str(value)


def solve(params: GenerationParams) -> Answer:
    """Medians, fit, scores, distinct outputs and entropies of the recordings there are; a part without one is empty.

    Of the other kind of device only what takes time is shown, in parts of its own.
    """
    parts, other = _parts(params), params.elsewhere
    if other:
        of_other = {label: part for label, part in _parts(other).items() if label in TIMED and (part.tables or part.steps)}
        parts |= {f"{other.device_kind}_{label}": part for label, part in of_other.items()}
    return Answer(parts)


def _parts(params: GenerationParams) -> dict[str, Part]:
    makers = {"3.1": _output_len, "3.2": _beam_width, "3.3": _top_k, "3.4": _top_p}
    parts = {}
    for label, (title, what) in PARTS.items():
        recording = params.recordings.get(what)
        parts[label] = makers[label](title, recording, params) if recording else Part(title=title)
    runs = _runs(params)
    return {**parts, "runs": runs} if runs else parts


def _runs(params: GenerationParams) -> Part | None:
    """Which recordings the page shows, and the machine and model that made them."""
    shown = [(label, params.recordings[what]) for label, (_, what) in PARTS.items() if what in params.recordings]
    if not shown:
        return None
    _, first = shown[0]
    versions = ", ".join(f"{name} {version}" for name, version in first.versions.items())
    card = next(iter(first.models.values()))
    steps = {"parameters": Step(what="parameters of the model", symbol="P", value=card["parameters"])}
    if "training" in card:
        loss = float(card["training"]["held_out_loss"])
        steps["held_out_loss"] = Step(what="held-out loss", symbol=r"\ell", value=loss, unit="nat/token")
    facts: tuple[tuple[Cell, ...], ...] = (
        ("Device", first.device),
        ("Driver", first.driver),
        ("Versions", versions),
        ("Model", str(card["label"])),
        ("Element type", str(first.parameters["dtype"])),
    )
    rows = tuple((label, recording.date, recording.command) for label, recording in shown)
    tables = {
        "machine": Table(header=("What", "Value"), rows=facts),
        "commands": Table(header=("Part", "Recorded", "Renewed by"), rows=rows),
    }
    return Part(title="Machine and model", steps=steps, tables=tables)


def _launches(recording: Recording, argument: str, rows: list[tuple[Cell, str]]) -> dict[str, Table]:
    """The launch command with its changed argument left open as N, and the text generated for each of its values."""
    taken = recording.parameters
    arguments = {"hf_model_name": taken["model"], "prompt_seq": taken["prompt"]}
    for name in ("output_len", "beam_width", "top_k", "top_p"):
        if name in taken:
            arguments[name] = taken[name]
    arguments |= {"seed": taken["seed"], "device": recording.device_kind, "dtype": taken["dtype"]}
    command = f"{_launch(arguments)} --{argument} N"
    outputs = tuple((value, ascii(text)) for value, text in rows)
    return {
        "launch": Table(header=("Launched with",), rows=((command,),)),
        "outputs": Table(header=("N", "Generated text, as a Python literal"), rows=outputs),
    }


def _output_len(title: str, recording: Recording, params: GenerationParams) -> Part:
    """Time against output length, and the line through the medians."""
    found = list(recording.find("seconds"))
    lengths = [int(series.at["output_len"]) for series in found]
    times = [in_ms(series) for series in found]
    line = least_squares(lengths, [median for median, _, _ in times])
    rows = tuple((n, *time, float(line.at(n))) for n, time in zip(lengths, times, strict=True))
    worst = max(abs(Fraction(median) - line.at(n)) for n, (median, _, _) in zip(lengths, times, strict=True))
    steps = {
        "per_token": Step(what="cost of one more token", symbol="b", value=float(line.slope), unit="ms"),
        "fixed": Step(what="cost that does not grow", symbol="a", value=float(line.intercept), unit="ms"),
        "worst": Step(what="largest distance of a median from the line", symbol=r"\max \vert t - a - b n \vert",
                      value=float(worst), unit="ms"),
        "rate": Step(what="tokens a second", symbol="1 / b", value=float(PER_SECOND_MS / line.slope), unit="token/s"),
        **_memory_bound(recording, params),
    }  # fmt: skip
    tables = {"times": Table(header=("Output length", "Median", "First quartile", "Third quartile", "Line"), rows=rows)}
    texts: list[tuple[Cell, str]] = [(int(output.at["output_len"]), output.text) for output in recording.outputs]
    return Part(title=title, steps=steps, tables={**tables, **_launches(recording, "output_len", texts)})


def _memory_bound(recording: Recording, params: GenerationParams) -> dict[str, Step]:
    """Time to read all weights once at the measured copy rate, where that was measured on the same device."""
    ceilings = params.recordings.get(CEILINGS)
    if ceilings is None:
        return {}
    copy = ceilings.one("seconds", ceiling="copy")
    size = next(iter(recording.models.values()))["parameters"] * BYTES[recording.parameters["dtype"]]
    bound = PER_SECOND_MS * size * copy.median / float(copy.at["bytes"])
    what = "reading every weight once at the measured copy rate"
    return {"memory_bound": Step(what=what, symbol=r"b_{\text{memory}}", value=bound, unit="ms")}


def _beam_width(title: str, recording: Recording, params: GenerationParams) -> Part:
    """Time and best score against beam width, of sampled beams and of searched ones."""
    tables = {}
    for name, sampled in (("sampled", True), ("searched", False)):
        rows = []
        for series in recording.find("seconds", do_sample=sampled):
            score = recording.one("log_probability", **series.at)
            rows.append((series.at["beam_width"], *in_ms(series), score.median, len(set(score.samples)), len(score.samples)))
        header = ("Beam width", "Median", "First quartile", "Third quartile", "Score", "Distinct scores", "Seeds")
        tables[name] = Table(header=header, rows=tuple(rows))
    texts: list[tuple[Cell, str]] = [
        (int(output.at["beam_width"]), output.text) for output in recording.outputs if output.at["do_sample"]
    ]
    times = [in_ms(series)[0] for series in recording.find("seconds", do_sample=True)]
    scores = {sampled: [one.median for one in recording.find("log_probability", do_sample=sampled)] for sampled in (True, False)}
    best = max(sample for series in recording.find("log_probability", do_sample=True) for sample in series.samples)
    ratio = "time of the widest beam over that of the narrowest"
    gain = "score of the widest beam less that of the narrowest"
    steps = {
        "time_ratio": Step(what=ratio, symbol=r"t_{\text{wide}} / t_{\text{narrow}}", value=times[-1] / times[0]),
        "gain": Step(what=gain, symbol=r"\Delta s", value=scores[True][-1] - scores[True][0], unit="nat"),
        "best_sampled": Step(what="best score of any sampled run", symbol=r"s_{\text{sampled}}", value=best, unit="nat"),
        "searched": Step(what="score of the widest search", symbol=r"s_{\text{searched}}", value=scores[False][-1], unit="nat"),
    }
    return Part(title=title, steps=steps, tables={**tables, **_launches(recording, "beam_width", texts)})


def _top_k(title: str, recording: Recording, params: GenerationParams) -> Part:
    return _kept(title, recording, "top_k", "Top-k")


def _top_p(title: str, recording: Recording, params: GenerationParams) -> Part:
    return _kept(title, recording, "top_p", "Top-p")


def _kept(title: str, recording: Recording, argument: str, name: str) -> Part:
    """Tokens kept, entropy of what is kept, and distinct outputs for each value of a filter."""
    rows: list[tuple[Cell, ...]] = []
    texts: list[tuple[Cell, str]] = []
    drift: list[float] = []
    for first in recording.find("first_entropy"):
        setting = first.at[argument]
        entropy = recording.one("entropy", **first.at)
        outputs = [output.text for output in recording.outputs if output.at[argument] == setting]
        value = setting if isinstance(setting, int) else Fraction(str(setting))
        kept = int(recording.one("first_kept_tokens", **first.at).median)
        rows.append((value, kept, first.median + 0.0, entropy.median + 0.0, len(set(outputs)), len(outputs)))
        texts.append((value, outputs[0]))
        drift += [abs(sample - first.median) for sample in entropy.samples]
    header = (name, "Kept", "First entropy", "Mean entropy", "Distinct outputs", "Outputs")
    what = "largest distance of a text's mean entropy from that of the first step"
    steps = {"drift": Step(what=what, symbol=r"\max \vert \bar H - H_1 \vert", value=max(drift), unit="nat")}
    tables = {"kept": Table(header=header, rows=tuple(rows)), **_launches(recording, argument, texts)}
    return Part(title=title, steps=steps, tables=tables)


def verify(params: GenerationParams, answer: Answer) -> Iterator[Check]:
    """Find medians and fit again with numpy from the raw samples, and filter next-token distributions beside Hugging Face."""
    from generators.oracles.generation import verify_generation

    return verify_generation(params, answer)


def draw(params: GenerationParams, answer: Answer) -> dict[str, Figure]:
    """A figure for each part that was measured."""
    from generators.figures.generation import generation_figures

    figures = generation_figures(answer, "")
    return figures | (generation_figures(answer, f"{params.elsewhere.device_kind}_") if params.elsewhere else {})


QUESTION = SelfVerifying(
    title="Generating text: length, beams, top-k and top-p",
    points=40,
    params=GenerationParams,
    solve=solve,
    verify=verify,
    draw=draw,
    recordings=(*(what for _, what in PARTS.values()), CEILINGS),
)
