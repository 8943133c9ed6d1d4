"""Homework 4, question 3: times, intervals, acceptance and gains read from recordings small enough to work out by hand."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from generators.answer import Answer
from generators.courses.comp4901y.hw4_q3_speculative_decoding.params import SpeculativeParams
from generators.courses.comp4901y.hw4_q3_speculative_decoding.runs import (
    Interval,
    acceptance_rate,
    gain_at,
    interval,
    tokens_per_call,
)
from generators.errors import RecordingError
from generators.measuring.decoding.models import MODELS
from generators.pipeline.catalog import load_params, load_question
from generators.pipeline.match import Findings, problems
from generators.pipeline.render import body
from generators.recording import Output, Recording, Series
from tests.conftest import worked_out
from tests.entries import ENTRIES, Far, id_of
from tests.page_text import without_addresses

PREFIX = "comp4901y/hw4_q3"
PROMPTS = ["Sing.", "Count."]
Setting = tuple[str, str, int | None]
STANDARD, RULE = ("standard", "transformers", None), ("speculative", "transformers", 0)
DRAFTS: dict[Setting, tuple[float, ...]] = {
    ("speculative", "fixed cache", length): times for length, times in ((1, (3, 3, 3)), (2, (1, 1, 1)), (3, (2, 2, 2)))
}
SECONDS: dict[Setting, tuple[float, ...]] = {
    STANDARD: (2, 4, 6), RULE: (1, 4, 2), ("draft alone", "transformers", None): (0.4, 0.4, 0.4),
    ("prompt lookup", "transformers", 2): (4, 4, 4), ("standard", "fixed cache", None): (3, 3, 3), **DRAFTS,
}  # fmt: skip
"""Seconds of three rounds by mode, launch and draft length, the same for both prompts."""


def series(quantity: str, *samples: float, **at: Any) -> Series:
    return Series(quantity=quantity, unit="1", at=at, samples=samples)


def made(kind: str = "cpu", seconds: Mapping[Setting, tuple[float, ...]] = SECONDS) -> Recording:
    """A recording whose drafts of two tokens are both kept in every second call."""
    found = [series("load", 0.5, when="before"), series("load", 1.25, when="after"), series("read_seconds", 0.5, bytes=8)]
    for (mode, by, length), times in seconds.items():
        at = {"mode": mode, "by": by} | ({} if length is None else {"draft_len": length})
        for prompt in PROMPTS:
            found += [series("seconds", *times, **at, prompt=prompt)]
            found += [] if mode == "draft alone" else [series("agreeing_tokens", 4, **at, prompt=prompt, of=4)]
            if length is not None:
                found += [series("drafted", 2, 2, **at, prompt=prompt), series("accepted", 2, 0, **at, prompt=prompt)]
        if mode == "speculative" and length:
            steps = (("propose", 0.2 * length), ("check", 1.0))
            found += [series("step_seconds", time, step=step, by=by, draft_len=length) for step, time in steps]
    if ("standard", "fixed cache", None) in seconds:
        found += [series("step_seconds", 1.0, step="single token", by="fixed cache")]
    parameters = {
        "target": "t", "assistant": "d", "prompts": PROMPTS, "draft_lens": [1, 2, 3], "lookup_lens": [2],
        "max_new_tokens": 4, "repeats": 3, "dtype": "float32", "chat": True,
    }  # fmt: skip
    texts = tuple(Output(at={"mode": "standard", "by": "transformers", "prompt": prompt}, text="La la.") for prompt in PROMPTS)
    return Recording(
        what="hw4_q3_speculative", parameters=parameters, command="make it", device=f"the {kind}", device_kind=kind,  # type: ignore[arg-type]
        driver=None, versions={"torch": "2", "transformers": "5"}, date="2026-01-01T00:00:00+00:00", series=tuple(found),
        outputs=texts, models={"t": {"label": "large", "parameters": 20}, "d": {"label": "little", "parameters": 3}},
    )  # fmt: skip


def given(*recordings: Recording, prompt: str = "Sing.") -> SpeculativeParams:
    """The entry's parameters beside recordings."""
    question_id = id_of(PREFIX)
    entry = {**ENTRIES[question_id], "prompt": prompt}
    params: Any = load_params(question_id, load_question(question_id), entry, recorded=False)
    params._measured = {one.device_kind: {"hw4_q3_speculative": one} for one in recordings}
    return params


def solved(*recordings: Recording) -> Answer:
    """The answer, all of it found again."""
    question, params = load_question(id_of(PREFIX)), given(*recordings)
    answer: Answer = question.solve(params)
    assert problems(answer, Findings.gathered(question.find(params))) == []
    return answer


def page(*recordings: Recording) -> str:
    """What a reader of the site sees."""
    question_id, params = id_of(PREFIX), given(*recordings)
    return html.unescape(without_addresses(body(question_id, params, solved(*recordings), {}, "site").text))


def test_the_interval_of_a_median_over_all_resamples() -> None:
    """Of 15 samples, more than half of 15 draws are among the lowest 3 with probability 0.004, among the lowest 4 with 0.03.

    So 0.025 lies at the 4th, which 0.0254 reaches, and from above at the 12th. Of 3 samples that of the lowest alone is 7/27
    already.
    """
    assert interval([float(one) for one in range(15, 0, -1)]) == Interval(8, 4, 12)
    assert interval([3.0, 1.0, 2.0]) == Interval(2, 1, 3)
    assert interval([5.0]) == Interval(5, 5, 5)


def test_a_call_rejects_at_most_one_token() -> None:
    """Three calls draft 2, 2 and 1 and keep 2, 0 and 1; the second one's second token is never looked at."""
    drafted, accepted = series("drafted", 2, 2, 1), series("accepted", 2, 0, 1)
    assert acceptance_rate(drafted, accepted) == 0.75  # 3 / (3 + 1)
    assert tokens_per_call(accepted) == 2  # (3 + 1 + 2) / 3
    assert acceptance_rate(series("drafted", 0), series("accepted", 0)) == 0  # nothing was guessed


def test_halves_of_the_calls() -> None:
    """Of two calls the first keeps both of its drafts, the second none: 2 / 2, and 0 of the 1 that the target looked at."""
    part = solved(made())["run_cpu"]
    assert (part["first_half"].value, part["second_half"].value) == (1, 0)


def test_expected_gain() -> None:
    """At α = 1/2, γ = 2 and c = 1/4, and for a draft that is never rejected, where the formula would divide by 0."""
    assert gain_at(0.5, 2, 0.25) == 1.17  # (1 + 1/2 + 1/4) / (2/4 + 1)
    assert gain_at(1.0, 4, 0.25) == 2.5  # 5 / (4/4 + 1)


def test_a_gain_compares_the_runs_of_one_round() -> None:
    """2/1, 4/4 and 6/2 have the median 2; the medians 4 and 2 of the runs would have given 2 too, but no interval of 1 to 3."""
    part = solved(made())["run_cpu"]
    assert [part[key].value for key in ("gain", "gain_low", "gain_high")] == [2, 1, 3]
    assert (bool(part["unclear"]), bool(part["faster"]), bool(part["slower"])) == (True, False, False)


def test_the_gain_without_the_prompt_that_gains_most() -> None:
    """Drafting takes twice as long for the second prompt: 2/2, 4/8 and 6/4 there, 2 as before for the first."""
    whole = made()
    series_of_both = tuple(
        replace(one, samples=tuple(2 * time for time in one.samples))
        if one.quantity == "seconds" and one.at["mode"] == "speculative" and one.at["prompt"] == "Count."
        else one
        for one in whole.series
    )
    part = solved(replace(whole, series=series_of_both))["on_cpu"]
    assert part["most"].value == "Sing."
    assert [part[key].value for key in ("rest_gain", "rest_low", "rest_high")] == [1, 0.5, 1.5]


def test_times_and_readings_of_standard_decoding() -> None:
    """Two prompts of 4 tokens take 2 · 4 s at the median, which is 1000 ms a token and twice the 500 ms of one reading."""
    answer = solved(made())
    row = answer["on_cpu/standard"].rows["library"]
    assert [row[key] for key in ("median", "low", "high", "reads")] == [1000, 500, 1500, 2]
    assert answer["3/times"].rows["cpu_standard"]["median"] == 4000  # the sheet's prompt alone


def test_what_theory_and_steps_expect() -> None:
    """Each prompt's calls draft 2 and keep 2, then none: α = 4 / (4 + 2), 2 tokens a call; c = 0.2 of timed steps.

    Steps: 2 tokens · 1 s over 0.4 s + 1 s. In the library c = 2 · 0.4 / (2 · 4), and a guess that is looked up costs nothing; as
    many calls guess fewer tokens there, no gain is expected.
    """
    answer = solved(made())
    row = answer["ours_cpu_fixed/gains"].rows["draft_2"]
    assert [row[key] for key in ("alpha", "cost", "tokens")] == [0.667, 0.2, 2]
    assert row["expected"] == 1.51  # (1 + 0.667 + 0.667²) / 1.4
    assert answer["ours_cpu_fixed/steps"].rows["2"]["by_steps"] == 1.43
    library = answer["library_cpu/gains"].rows
    assert [library["rule"][key] for key in ("cost", "expected")] == [0.1, None]
    assert [library["lookup_2"][key] for key in ("cost", "expected")] == [0, None]


@pytest.mark.parametrize(
    ("fastest", "best", "claimed"),
    [
        ({2: (1, 1, 1)}, 2, True),
        ({2: (1, 1, 3)}, 2, False),  # gains of 3, 3 and 1 reach down to the next one's 1.5
        ({3: (0.5, 0.5, 0.5)}, 3, False),  # a longer draft might be better still
    ],
)
def test_a_best_length_is_claimed_between_others_and_beyond_their_intervals(
    fastest: dict[int, tuple[float, ...]], best: int, claimed: bool
) -> None:
    seconds = SECONDS | {("speculative", "fixed cache", length): times for length, times in fastest.items()}
    part = solved(made(seconds=seconds))["ours_cpu_fixed"]
    assert (part["best"].value, bool(part["one_is_best"]), bool(part["none_is_best"])) == (best, claimed, not claimed)


def test_ours_is_compared_with_the_library() -> None:
    """Two drafted tokens take 1 s in each round, the library alone 2, 4 and 6 s."""
    part = solved(made())["ours_cpu_fixed"]
    assert [part[key].value for key in ("over_library", "over_low", "over_high")] == [4, 2, 6]


def test_the_machines_state_is_shown() -> None:
    """A processor's load; a GPU's clock and power limit besides, where they were recorded."""
    gpu = made("cuda")
    more = tuple(series(quantity, value, when=when) for quantity, value in (("clock", 1980), ("power_limit", 700))
                 for when in ("before", "after"))  # fmt: skip
    answer = solved(made(), replace(gpu, series=gpu.series + more))
    assert [answer["on_cpu/state"].rows["load"][when] for when in ("before", "after")] == [0.5, 1.25]
    assert answer["on_cuda/state"].rows["clock"]["after"] == 1980
    assert "Clock" not in page(made())


def test_near_ties_of_bfloat16_are_counted_apart() -> None:
    """One of two answers differs, where the logits are 0.25 apart; the answers in float32 are counted without them."""
    whole = made("cuda")
    rounded = [
        series("agreeing_tokens", kept, dtype="bfloat16", prompt=prompt, of=4)
        for prompt, kept in zip(PROMPTS, (4, 1), strict=True)
    ]
    answer = solved(replace(whole, series=(*whole.series, *rounded, series("gap", 0.25, dtype="bfloat16", prompt="Count."))))
    assert [answer[f"bfloat16_cuda/{key}"].value for key in ("same", "compared", "widest_gap")] == [1, 2, 0.25]
    assert (
        answer["on_cuda/compared"].value == answer["on_cuda/same"].value == 12
    )  # both answers of 6 ways beside standard decoding


def test_a_page_before_the_first_recording() -> None:
    """The question alone; no number and no command."""
    text = page()
    assert "Decode greedily" in text
    assert "Nothing is answered yet: no recording fits" in text
    assert " ms" not in text
    assert "python -m" not in text


def test_a_page_of_one_device_with_fewer_launches() -> None:
    """The page speaks of the launches and of the machine that it has."""
    few = {setting: times for setting, times in SECONDS.items() if setting[1] == "transformers"}
    text = page(made("cuda", few))
    assert "Gains on a GPU: the library, eager" in text
    assert "ours, eager" not in text
    assert "processor" not in text
    assert "ours, eager" in page(made())


@pytest.mark.parametrize(("prompt", "milliseconds", "tokens"), [("Sing.", 8000, 128), ("Count.", 4000, 4)])
def test_the_sheets_program_has_a_recording_of_its_own_for_its_prompt(prompt: str, milliseconds: float, tokens: int) -> None:
    """Twice the seconds and 128 tokens for one prompt; the other prompt's times are those of all ways."""
    whole = made()
    own = tuple(
        replace(one, samples=tuple(2 * time for time in one.samples)) if one.quantity == "seconds"
        else replace(one, samples=(128,), at={**one.at, "of": 128}) if one.quantity == "agreeing_tokens"
        else one
        for one in whole.series
        if one.at.get("prompt", "Sing.") == "Sing."
    )  # fmt: skip
    program = replace(whole, series=own, parameters={**whole.parameters, "prompts": ["Sing."], "max_new_tokens": 128})
    params = given(whole, prompt=prompt)
    params._measured = {"cpu": {**params.measured["cpu"], "hw4_q3_program": program}}
    question = load_question(id_of(PREFIX))
    answer = question.solve(params)
    assert problems(answer, Findings.gathered(question.find(params))) == []
    row = answer["3/times"].rows["cpu_standard"]
    assert (row["median"], row["new_tokens"], answer["run_cpu/most_new_tokens"].value) == (milliseconds, tokens, tokens)


def test_a_prompt_that_was_not_recorded_is_refused() -> None:
    """The recorded ones are named, and the command that records others."""
    with pytest.raises(RecordingError, match=r"prompt: must be one of .*'Count\.'.*`make measure` \(got 'Another\.'\)"):
        load_question(id_of(PREFIX)).solve(given(made(), prompt="Another."))


def test_the_recordings_are_of_the_draft_that_is_shipped_and_lose_no_token() -> None:
    card = json.loads((MODELS / "chat-draft" / "card.json").read_text())
    params: Any = worked_out(PREFIX)[1]
    recorded = [one["hw4_q3_speculative"] for one in params.measured.values()]
    assert [one.models["chat-draft"] for one in recorded] == [card] * len(recorded)
    lecture: Any = worked_out("utaustin/lecture25_distillation")[1]
    assert {**card["data"], **card["training"]} == lecture.measured["cuda"]["lecture25_distillation_draft"].parameters
    answer = worked_out(PREFIX)[2]
    assert answer["on_cpu/same"].value == answer["on_cpu/compared"].value


FAR = [  # other prompts that are recorded
    Far({"prompt": "Explain why the sky is blue."}, ("sky is blue",)),
    Far({"prompt": "Write a Python function that reverses a string."}, ("reverses a string",)),
    Far({"prompt": "List five fruits and the colour of each."}, ("five fruits",)),
]


def test_a_text_that_repeats_itself() -> None:
    """The recorded poem has six lines and then one that stands in it thirteen times."""
    run = worked_out(PREFIX)[2]["run_cpu"]
    assert (run["lines"].value, run["repeated"].value, run["repeats_itself"].holds) == (19, 12, True)
    assert (run["other_tokens"].value, run["other_gain"].value < 1) == (40, True)


REFUSED = [({"prompt": 3}, "prompt: must be a valid string (got 3)"), ({"top_k": 1}, "top_k: is not a known key (got 1)")]
