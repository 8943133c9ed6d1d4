"""Which recordings a question shows."""

from dataclasses import replace
from pathlib import Path

import pytest

from generators.errors import RecordingError
from generators.pipeline.recorded import shown_recordings
from generators.recording import Recording, Series, save

ONE = Recording(
    what="one", parameters={}, command="make", device="GPU A", device_kind="cuda", driver=None, versions={},
    date="2026-01-01T00:00:00+00:00", models={}, series=(Series(quantity="seconds", unit="s", at={}, samples=(1.0,)),),
)  # fmt: skip


def test_a_gpu_comes_before_a_cpu(tmp_path: Path) -> None:
    save(ONE, tmp_path / "one.cuda.json")
    save(replace(ONE, device="CPU", device_kind="cpu"), tmp_path / "one.cpu.json")
    first, second = shown_recordings(tmp_path, ("one", "two"))
    assert first["one"].device == "GPU A"
    assert second["one"].device == "CPU"


def test_the_kind_with_most_recordings_comes_first(tmp_path: Path) -> None:
    """Never one of each: what the first kind lacks is absent from it."""
    save(ONE, tmp_path / "one.cuda.json")
    for name in ("two", "three"):
        save(replace(ONE, device="CPU", device_kind="cpu"), tmp_path / f"{name}.cpu.json")
    assert [set(found) for found in shown_recordings(tmp_path, ("one", "two", "three"))] == [{"two", "three"}, {"one"}]


def test_nothing_measured(tmp_path: Path) -> None:
    assert shown_recordings(tmp_path, ("one",)) == ({}, {})


def test_two_devices_are_not_mixed(tmp_path: Path) -> None:
    save(ONE, tmp_path / "one.cuda.json")
    save(replace(ONE, device="GPU B"), tmp_path / "two.cuda.json")
    with pytest.raises(RecordingError, match=r"one device \(got GPU A; GPU B\); renew all with .* --only one two"):
        shown_recordings(tmp_path, ("one", "two"))
