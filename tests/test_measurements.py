"""Every measuring run at small size, and that what it records can be trusted."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from generators.errors import MeasureError, ParameterError
from generators.measuring.decoding.speculative import Speculative
from generators.measuring.measure_all import main
from generators.measuring.measurements import plan, speculative, tree_batch
from generators.measuring.measurements.collect import Item, SoFar, recorded, seconds
from generators.measuring.measurements.plan import NAMES, RECORDINGS, measure_of, parameters_of, path_of
from generators.measuring.measurements.products import shapes
from generators.recording import Output, Recording, Series, load
from tests.tiny_models import Pair

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def made(tiny_models: Pair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """All recordings at small size."""
    folder = tmp_path_factory.mktemp("recordings")
    main(["--small", "--out", str(folder), "--models", *map(str, tiny_models)])
    return {what: load(path_of(what, "cpu", folder)) for what in NAMES}


def test_every_recording_is_made_and_none_is_left_in_part(made: dict[str, Recording], tmp_path: Path) -> None:
    assert sorted(made) == sorted(NAMES)
    for what, recording in made.items():
        assert recording.what == what
        assert recording.command == f"python -m generators.measuring.measure_all --device cpu --only {what}"


def test_the_products_timed_are_the_sheets() -> None:
    found = {(shape.phase, shape.product): (shape.batch, shape.m, shape.k, shape.n) for shape in shapes(4096, 4096, 32)}
    assert found["prefill", "score"] == (32, 4096, 128, 4096)  # Q_i (L×H) times K_iᵀ (H×L), one a head
    assert found["decode", "score"] == (32, 1, 128, 4097)  # one query against L + 1 keys
    assert found["decode", "weighting"] == (32, 1, 4097, 128)
    assert found["prefill", "down"] == (1, 4096, 16384, 4096)
    assert len(found) == 10


def test_products_were_computed_and_ceilings_measured(made: dict[str, Recording]) -> None:
    recording = made["hw3_q1_products"]
    assert len(list(recording.find("seconds", ceiling="copy"))) == 1
    assert len(list(recording.find("seconds", phase="decode"))) == 5
    for series in recording.find("relative_difference"):
        assert series.median < 1e-5


def test_allocated_bytes_are_those_of_the_methods_shapes(made: dict[str, Recording]) -> None:
    recording, parameters = made["hw4_q1_allocation"], made["hw4_q1_allocation"].parameters
    layers, top, d, r = (parameters[name] for name in ("n_layers", "n_top_layers", "d_model", "rank"))
    expected = {
        "full": 2 * layers * 12 * d * d,  # 4 D² of attention and 8 D² of the feed-forward layer, 2 bytes each
        "freezing": 2 * top * 12 * d * d,
        "adapters": 2 * layers * 4 * d * r,  # two adapters of D×R and R×D
        "lora": 2 * layers * 6 * d * r,  # D×R and R×D beside each of three matrices
        "vera": 2 * layers * 3 * (d + r),  # a vector of R and one of D beside each
    }
    for method, size in expected.items():
        for kind in ("parameters", "gradients"):
            assert recording.one("bytes", method=method, kind=kind, counted_by="storage").samples == (size,)


def test_the_tree_gives_the_logits_of_every_candidate_alone(made: dict[str, Recording]) -> None:
    for series in made["hw4_q2_tree_batch"].find("logit_difference"):
        assert series.median < 1e-5


def test_a_tree_without_its_mask_gives_other_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above could not fail."""
    monkeypatch.setattr(
        tree_batch, "ancestor_mask", lambda tree: [[int(i <= j) for j in range(len(tree))] for i in range(len(tree))]
    )
    items = tree_batch.measure(parameters_of("hw4_q2_tree_batch", "cpu", small=True), CPU)
    wrong = [
        item for item in items if isinstance(item, Series) and item.quantity == "logit_difference" and item.at["way"] == "tree"
    ]
    assert all(series.median > 1e-3 for series in wrong)
    assert len(wrong) == 2


def test_top_k_and_top_p_keep_what_they_say(made: dict[str, Recording]) -> None:
    for series in made["hw3_q3_top_k"].find("kept_tokens"):
        assert max(series.samples) <= float(series.at["top_k"])
    assert made["hw3_q3_top_k"].one("entropy", top_k=1).median == pytest.approx(0, abs=1e-12)
    narrow, wide = (made["hw3_q3_top_p"].one("first_entropy", top_p=top_p).median for top_p in (0.5, 1.0))
    assert 0 < narrow < wide


def test_beam_search_is_deterministic_and_scored_once_where_sampling_is_scored_a_seed(made: dict[str, Recording]) -> None:
    recording = made["hw3_q3_beam_width"]
    assert len(recording.one("log_probability", beam_width=2, do_sample=False).samples) == 1
    assert len(recording.one("log_probability", beam_width=2, do_sample=True).samples) == recording.parameters["repeats"]
    assert all(series.median < 0 for series in recording.find("log_probability"))


def test_all_ways_to_decode_speculatively_give_the_tokens_of_standard_decoding(made: dict[str, Recording]) -> None:
    recording = made["hw4_q3_speculative"]
    agreeing = [one for one in recording.find("agreeing_tokens") if "dtype" not in one.at]  # bfloat16 may have near ties
    assert {series.at["by"] for series in agreeing} == {"transformers", "fixed cache"}
    for series in agreeing:
        assert series.samples == (series.at["of"],)


def test_calls_account_for_every_token(made: dict[str, Recording]) -> None:
    """A call gives what it accepted and one token of the target's; only the last may give more than is asked for."""
    recording = made["hw4_q3_speculative"]
    accepted = list(recording.find("accepted"))
    assert {(one.at["by"], one.at["mode"]) for one in accepted} == {
        ("transformers", "speculative"), ("transformers", "prompt lookup"), ("fixed cache", "speculative"),
    }  # fmt: skip
    for one in accepted:
        (float32,) = (same for same in recording.find("agreeing_tokens", **one.at) if "dtype" not in same.at)
        tokens = int(float32.at["of"])
        given = [number + 1 for number in one.samples]
        assert sum(given[:-1]) < tokens <= sum(given)
        drafted = recording.one("drafted", **one.at).samples
        assert all(kept <= guessed for kept, guessed in zip(one.samples, drafted, strict=True))


def with_models(pair: Pair) -> dict[str, Any]:
    """What homework 4, question 3 is measured with at small size, with models made here."""
    return {**parameters_of("hw4_q3_speculative", "cpu", small=True), "target": str(pair[0]), "assistant": str(pair[1])}


def test_every_way_runs_once_a_round_in_changing_order(tiny_models: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rounds of two ways of the library and two of ours, a prompt each; before them each way runs once."""
    order: list[str] = []

    def timed(run: Any, device: torch.device, *, warmup: int, repeats: int) -> list[float]:
        order.append(repr(run.func))
        return [1.0] * repeats

    monkeypatch.setattr(speculative, "wall_seconds", timed)
    items = list(speculative.measure({**with_models(tiny_models), "prompts": ["def f("], "draft_lens": [2], "repeats": 3}, CPU))
    rounds = [order[start : start + 6] for start in range(0, 18, 6)]
    assert len(order) == 18  # standard, draft alone, own rule and prompt lookup of the library; standard and speculative of ours
    assert all(sorted(one) == sorted(rounds[0]) for one in rounds)
    assert rounds[0] != rounds[1] or rounds[1] != rounds[2]
    assert [len(item.series) for item in items if isinstance(item, SoFar)] == [6, 6, 6]
    assert [{len(one.samples) for one in item.series} for item in items if isinstance(item, SoFar)] == [{1}, {2}, {3}]


def test_series_that_grow_are_saved_as_they_are_and_stand_once(tmp_path: Path) -> None:
    def measure(parameters: Any, device: Any) -> Iterator[Item]:
        for number in (1, 2):
            yield SoFar(f"round {number}", (seconds([1.0] * number, mode="a"), seconds([2.0] * number, mode="b")))
            saved = load(tmp_path / "hw4_q3_speculative.cpu.partial.json")
            assert [one.samples for one in saved.series] == [(1.0,) * number, (2.0,) * number]

    said: list[str] = []
    path = recorded("hw4_q3_speculative", measure, {}, CPU, tmp_path, "make it", said.append)
    assert said == ["hw4_q3_speculative: round 1", "hw4_q3_speculative: round 2"]
    assert [one.at for one in load(path).series] == [{"mode": "a"}, {"mode": "b"}]


def test_an_even_number_of_rounds_is_refused(tiny_models: Pair) -> None:
    with pytest.raises(MeasureError, match=r"repeats: must be odd \(got 4\)"):
        list(speculative.measure({**with_models(tiny_models), "repeats": 4}, CPU))


def test_a_launch_that_is_refused_is_recorded_in_its_own_words(tiny_models: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other launches are measured all the same."""

    def refuses(*_: Any) -> None:
        raise RuntimeError("no graph\nhere")

    monkeypatch.setattr(speculative, "Standard", refuses)
    items = list(speculative.measure({**with_models(tiny_models), "repeats": 1}, CPU))
    assert Output(at={"by": "fixed cache", "failed": True}, text="RuntimeError: no graph here") in items
    assert {one.at["by"] for item in items if isinstance(item, SoFar) for one in item.series} == {"transformers"}


def test_steps_are_timed_of_ways_that_run_only(tiny_models: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails at its first launch, as one that is compiled may, loses neither the other ways nor the recording."""

    def refuses(self: Any) -> None:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(Speculative, "_check", refuses)
    items = list(speculative.measure({**with_models(tiny_models), "repeats": 1, "bfloat16": False}, CPU))
    failed = [one.at["draft_len"] for one in items if isinstance(one, Output) and "failed" in one.at]
    assert failed == [1, 3]
    assert {one.at["step"] for one in items if isinstance(one, Series) and one.quantity == "step_seconds"} == {"single token"}


def test_a_measurement_that_breaks_off_leaves_what_it_had(tmp_path: Path) -> None:
    def breaks(parameters: Mapping[str, Any], device: torch.device) -> Iterator[Series | Output]:
        yield Series(quantity="seconds", unit="s", at={}, samples=(1.0,))
        yield Output(at={}, text="x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorded("hw3_q1_products", breaks, {}, CPU, tmp_path, "command", print)
    assert [path.name for path in tmp_path.iterdir()] == ["hw3_q1_products.cpu.partial.json"]
    assert load(tmp_path / "hw3_q1_products.cpu.partial.json").series[0].samples == (1.0,)


def test_one_failure_does_not_lose_the_others_and_is_named(tmp_path: Path, tiny_models: Pair) -> None:
    options = ["--small", "--out", str(tmp_path), "--models", "no/model", str(tiny_models[1])]
    with pytest.raises(MeasureError, match=r"not recorded: hw3_q3_output_len$"):
        main([*options, "--only", "hw3_q3_output_len", "hw4_q1_allocation"])
    assert load(path_of("hw4_q1_allocation", "cpu", tmp_path)).series


@pytest.mark.parametrize("options", [["--small"], ["--small", "--out", str(RECORDINGS)]])
def test_small_recordings_never_replace_the_ones_that_pages_show(options: list[str]) -> None:
    with pytest.raises(MeasureError, match="must not replace"):
        main(options)


def test_other_models_are_refused_where_pages_would_show_them() -> None:
    with pytest.raises(MeasureError, match="for --small only"):
        main(["--models", "a", "b"])


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
@pytest.mark.parametrize("what", NAMES)
def test_parameters_are_the_questions_where_nothing_else_is_said(what: str, kind: str) -> None:
    parameters = parameters_of(what, kind)
    assert callable(measure_of(what))
    if what == "hw3_q1_products":
        assert parameters["seq_len"] == (4096 if kind == "cuda" else 512)
    if what == "hw4_q2_tree_batch":
        assert parameters["candidates"][0] == ["t1", "t2", "t3", "t4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hw3_q1_products: 5\n", "measurements.yml: hw3_q1_products: must be a mapping (got 5)"),
        (
            "hw3_q1_products: {take: {hw3_q1_none: [rank]}}\n",
            "take.hw3_q1_none: must name fields of this entry in params.yml (got rank)",
        ),
        (
            "hw3_q1_products: {take: {hw4_q1_finetuning_memory: [none]}}\n",
            "must name fields of this entry in params.yml (got none)",
        ),
        ("hw3_q1_products: {all: [1]}\n", "measurements.yml: hw3_q1_products: all: must be a mapping (got [1])"),
        ("hw3_q1_products: {every: {}}\n", "measurements.yml: hw3_q1_products: every: is not a known key (got {})"),
    ],
)
def test_a_bad_entry_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str) -> None:
    """File, entry, field, rule and value."""
    (tmp_path / "measurements.yml").write_text(content, encoding="utf-8")
    monkeypatch.setattr(plan, "MEASUREMENTS", tmp_path / "measurements.yml")
    with pytest.raises((MeasureError, ParameterError), match=f"{re.escape(message)}$"):
        parameters_of("hw3_q1_products", "cpu")


def test_an_unknown_recording_is_refused() -> None:
    with pytest.raises(MeasureError, match="must be one of"):
        parameters_of("hw9_nothing", "cpu")
