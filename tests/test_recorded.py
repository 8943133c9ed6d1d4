"""Which recordings a question shows."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from generators.errors import RecordingError
from generators.pipeline.recorded import fitting, left_out
from generators.question import Recorded
from generators.recording import Recording, Series, save

ONE = Recording(
    what="one", parameters={}, command="make", device="GPU A", device_kind="cuda", driver=None, versions={},
    date="2026-01-01T00:00:00+00:00", models={}, series=(Series(quantity="seconds", unit="s", at={}, samples=(1.0,)),),
)  # fmt: skip


NAMES = {"one": Recorded(cuda=("d_model",)), "two": Recorded(cuda=("d_model",), cpu=("rank",))}
AT = {"d_model": 8, "rank": 2}


def made(folder: Path, name: str, kind: Literal["cuda", "cpu"], device: str, **parameters: float) -> None:
    save(replace(ONE, device=device, device_kind=kind, parameters=parameters), folder / f"{name}.{kind}.json")


def test_recordings_fit_where_their_fields_agree(tmp_path: Path) -> None:
    """Each kind of device has fields of its own that must be the entry's."""
    made(tmp_path, "one", "cuda", "GPU A", d_model=8)
    made(tmp_path, "two", "cuda", "GPU A", d_model=9)
    made(tmp_path, "one", "cpu", "CPU", d_model=3)
    made(tmp_path, "two", "cpu", "CPU", rank=2)
    found = fitting(tmp_path, NAMES, AT)
    assert {kind: set(ones) for kind, ones in found.items()} == {"cuda": {"one"}, "cpu": {"one", "two"}}
    assert found["cuda"]["one"].device == "GPU A"


def test_a_kind_without_a_fitting_recording_is_absent(tmp_path: Path) -> None:
    made(tmp_path, "one", "cuda", "GPU A", d_model=9)
    assert fitting(tmp_path, NAMES, AT) == {}


def test_what_does_not_fit_is_named_with_the_reason(tmp_path: Path) -> None:
    """Each field that must agree and does not; what fits and what does not exist is not named."""
    made(tmp_path, "one", "cuda", "GPU A", d_model=9)
    made(tmp_path, "two", "cuda", "GPU A", d_model=8)
    made(tmp_path, "one", "cpu", "CPU", d_model=3)
    made(tmp_path, "two", "cpu", "CPU", d_model=8)
    assert left_out(tmp_path, NAMES, AT) == {"one.cuda.json": "d_model was 9, is 8", "two.cpu.json": "rank was absent, is 2"}


@pytest.mark.parametrize(("end", "other"), [("x", "y"), ("", "b")])
def test_long_values_are_shown_where_they_differ(tmp_path: Path, end: str, other: str) -> None:
    """Ten characters before that place are shown too."""
    whole: Any = "a" * 50 + end
    made(tmp_path, "one", "cuda", "GPU A", d_model=whole)
    reasons = left_out(tmp_path, {"one": NAMES["one"]}, {"d_model": "a" * 50 + other})
    before = "..." + "a" * 10
    assert reasons == {"one.cuda.json": f"d_model was {before}{end}, is {before}{other}"}


def test_an_exact_decimal_fits_the_recorded_one(tmp_path: Path) -> None:
    made(tmp_path, "one", "cuda", "GPU A", top_p=0.9)
    of_top_p = {"one": Recorded(cuda=("top_p",))}
    assert left_out(tmp_path, of_top_p, {"top_p": "9/10"}) == {}
    assert left_out(tmp_path, of_top_p, {"top_p": "4/5"}) == {"one.cuda.json": "top_p was 0.9, is 4/5"}


def test_two_devices_are_not_mixed(tmp_path: Path) -> None:
    made(tmp_path, "one", "cuda", "GPU A", d_model=8)
    made(tmp_path, "two", "cuda", "GPU B", d_model=8)
    with pytest.raises(RecordingError, match=r"one device \(got GPU A; GPU B\); renew all with .* --only one two"):
        fitting(tmp_path, NAMES, AT)
