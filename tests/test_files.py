"""Files and folders are written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from generators.errors import RenderError
from generators.pipeline.files import put_in_place, restore, write_whole


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A new and an old folder of one file each."""
    for name in ("new", "old"):
        write_whole(tmp_path / name / "page.html", name.encode())
    yield tmp_path / "new", tmp_path / "old"
    shutil.rmtree(tmp_path)


def content(folder: Path) -> bytes:
    return (folder / "page.html").read_bytes()


def fail_at(moment: int, failure: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first, second ... rename fail."""
    calls, rename = count(1), Path.replace

    def replace(path: Path, target: Path) -> Path:
        if next(calls) == moment:
            raise failure
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("moment", [1, 2])
def test_a_kill_between_renames_loses_nothing(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Whichever rename is the last, the old folder is there or comes back."""
    new, old = folders
    fail_at(moment, Killed(), monkeypatch)
    with pytest.raises(Killed):
        put_in_place(new, old)
    monkeypatch.undo()
    restore(old)
    assert content(old) == b"old"
    put_in_place(new, old)
    assert content(old) == b"new"
    assert not new.exists()


@pytest.mark.parametrize("moment", [1, 2])
def test_a_rename_that_fails_leaves_the_old_folder(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """And one line names it."""
    new, old = folders
    fail_at(moment, PermissionError(13, "Permission denied"), monkeypatch)
    with pytest.raises(RenderError, match=r"old: cannot be replaced \(Permission denied\)$"):
        put_in_place(new, old)
    assert content(old) == b"old"


def test_a_folder_is_put_in_place(folders: tuple[Path, Path]) -> None:
    """Also where an earlier kill left the folder before last, and where there was none."""
    new, old = folders
    write_whole(old.with_name(".old.old") / "page.html", b"older")
    put_in_place(new, old)
    assert content(old) == b"new"
    assert [path.name for path in old.parent.iterdir()] == ["old"]
    put_in_place(old, old.with_name("third"))
    assert content(old.with_name("third")) == b"new"


def test_a_file_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill before the rename leaves the old content."""
    path = tmp_path / "a" / "file.json"
    write_whole(path, b"old")

    def replace(path: Path, target: Path) -> Path:
        raise Killed

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(Killed):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
