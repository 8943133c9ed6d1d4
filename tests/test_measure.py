"""Recordings: what they hold, what is refused, and that measuring needs nothing beyond torch and transformers."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import torch

from generators.errors import RecordingError
from generators.measuring.timing import device_seconds, wall_seconds
from generators.recording import Output, Recording, Series, as_json, load, save, schema

SERIES = Series(quantity="seconds", unit="s", at={"output_len": 20, "do_sample": True}, samples=(0.5, 0.25, 4.0, 1.0))
RECORDING = Recording(
    what="hw3_q3_output_len",
    parameters={"prompt": "for name in", "output_lens": [20]},
    command="python -m generators.measuring.measure_all --device cpu --only hw3_q3_output_len",
    device="a processor, 2 threads",
    device_kind="cpu",
    driver=None,
    versions={"torch": "2.13.0"},
    date="2026-11-23T22:00:00+00:00",
    models={"models/code-small": {"label": "trained here"}},
    series=(SERIES,),
    outputs=(Output(at={"output_len": 20}, text="<b>é\n</b>"),),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "recordings" / "one.cpu.json"
    save(RECORDING, path)
    return path


def changed(path: Path, **fields: Any) -> Path:
    """Rewrite a saved recording with other fields; a field set to None is left out."""
    content = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not ...}))
    return path


def test_a_recording_comes_back_as_it_was_saved(saved: Path) -> None:
    assert load(saved) == RECORDING
    assert not list(saved.parent.glob("*.tmp"))


def test_medians_and_quartiles_follow_from_the_samples() -> None:
    assert SERIES.median == 0.75  # (0.5 + 1.0) / 2
    # sorted 0.25 0.5 1 4: a quarter of the way through the 3 gaps is 0.75, so 0.25 + 0.75·0.25, and 1 + 0.25·3
    assert SERIES.spread == (0.4375, 1.75)
    assert replace(SERIES, samples=(2.0,)).spread == (2.0, 2.0)


def test_no_median_is_stored(saved: Path) -> None:
    text = saved.read_text()
    assert "median" not in text
    assert "0.75" not in text


def test_a_saved_recording_keeps_to_the_published_schema(saved: Path) -> None:
    jsonschema.validate(json.loads(saved.read_text()), schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(changed(saved, device_kind="tpu").read_text()), schema())


def test_a_series_stands_on_one_line() -> None:
    lines = [line for line in as_json(RECORDING).splitlines() if '"samples"' in line]
    assert len(lines) == 1
    assert json.loads(lines[0])["samples"] == [0.5, 0.25, 4.0, 1.0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"device_kind": "tpu"}, "device_kind: Input should be 'cpu' or 'cuda'"),
        ({"extra": 1}, "extra: Unexpected keyword argument"),
        ({"versions": ...}, "versions: Field required"),
        ({"driver": 580}, "driver: Input should be a valid string"),
        ({"series": [{"quantity": "seconds", "unit": "s", "at": {}, "samples": []}]}, "series.0: samples: seconds at {} must"),
        ({"series": [{"quantity": "s", "unit": "s", "at": {}, "samples": ["1"]}]}, "series.0.samples.0: Input should be a"),
        ({"series": [{"quantity": "s", "unit": "s", "at": {"k": [1]}, "samples": [1]}]}, "series.0.at.k"),
    ],
)  # fmt: skip
def test_a_recording_that_breaks_a_rule_is_refused_by_field(saved: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordingError) as refused:
        load(changed(saved, **fields))
    assert str(refused.value).startswith(f"{saved}: {message}")
    assert "\n" not in str(refused.value)


def test_samples_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        Series(quantity="seconds", unit="s", at={}, samples=(float("nan"),))


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(RecordingError, match="Invalid JSON"):
        load(tmp_path / "bad.json")


def test_one_series_is_found_by_its_setting() -> None:
    assert RECORDING.one("seconds", output_len=20) is SERIES
    for setting in ({"output_len": 21}, {"beam_width": 1}):
        with pytest.raises(RecordingError, match="must stand once in the recording"):
            RECORDING.one("seconds", **setting)


@pytest.mark.parametrize("timed", [wall_seconds, device_seconds])
def test_runs_that_warm_up_are_not_among_the_samples(timed: Callable[..., list[float]]) -> None:
    runs = []
    samples = timed(lambda: runs.append(1), torch.device("cpu"), warmup=2, repeats=5)
    assert len(runs) == 7
    assert len(samples) == 5
    assert all(sample >= 0 for sample in samples)


def test_measuring_and_training_import_nothing_that_a_bare_machine_lacks() -> None:
    """On a machine with torch and transformers alone, pydantic and the site's packages are missing."""
    code = """
import sys
for name in ("pydantic", "click", "typst", "mkdocs", "matplotlib", "jinja2.ext", "peft", "hypothesis"):
    sys.modules[name] = None
import generators.measuring.measure_all, generators.measuring.training.__main__
import generators.measuring.hw3_generate, generators.measuring.hw4_speculative
from generators.measuring.measurements.plan import NAMES, measure_of, parameters_of
for what in NAMES:
    measure_of(what), parameters_of(what, "cuda"), parameters_of(what, "cpu", small=True)
import generators.oracles.finetuning
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
