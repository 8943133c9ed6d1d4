"""Builds a git revision in a folder of its own, and keeps what it says."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from generators.errors import RenderError
from generators.pipeline.build import Tell, Worked, units
from generators.pipeline.catalog import ROOT, QuestionId, entries, shown
from generators.pipeline.diff import snapshot
from generators.pipeline.diff.builds import LAST
from generators.pipeline.diff.changes import Change, changes
from generators.pipeline.diff.snapshot import Snapshot
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.kept import BUILD, Section, current, keep, load
from generators.pipeline.pdf import printed_check
from generators.pipeline.pdf.student import STUDENT

_BUILDS = BUILD / "diff"
_READ = (Path(snapshot.__file__), Path(printed_check.__file__), ROOT / "requirements.lock", STUDENT)
"""What the snapshot of a commit depends on besides the commit."""
_KEPT = 5
"""Commits of which snapshots are kept."""
_CARRIED = ("units", "typst", "theme", "pdf", "*.json")
"""What may be taken of the kept results; stamps and snapshots are of this folder alone."""


def commit_of(name: str) -> str:
    """The commit that a git name means; one that git does not know raises RenderError."""
    return _git(name, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").decode().strip()


def changes_since(name: str, commit: str, tell: Tell) -> list[Change]:
    """What differs between the site that a commit builds with the packages of this machine and the site that stands here.

    A commit is built once. One that cannot be built or compared raises RenderError.
    """
    now = snapshot.of_site(ROOT, units(entries(), tell).values(), snapshot.read(LAST) or {})
    path, key = _BUILDS / f"{commit}.json", digest_of([commit, digests(_READ)])
    held = current(load(path).get("snapshot"), key)
    if held is None:
        tell(f"building {name} ({commit[:10]})")
        held = Section(key, _built(name, commit, now))
        keep(path, {"snapshot": held})
        for old in sorted(_BUILDS.glob("*.json"), key=lambda one: one.stat().st_mtime)[:-_KEPT]:
            old.unlink()
    return changes(snapshot.from_json(held.content), now)


def _git(name: str, *arguments: str) -> bytes:
    """Run git; `name` is the revision that is meant."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise RenderError(f"{name}: git is needed to compare with a revision, but not installed") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").split("\n")[0].removeprefix("fatal: ")
        raise RenderError(f"{name}: must be a revision that git knows here ({reason})") from error


def _built(name: str, commit: str, earlier: Snapshot) -> Snapshot:
    folder = _BUILDS / f"{commit}.new"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with zipfile.ZipFile(io.BytesIO(_git(name, "archive", "--format=zip", commit))) as archive:
            archive.extractall(folder)
        # A kept step names all that it read in its key, so that it is taken only where the revision reads the same.
        _carry(folder / "build")
        if STUDENT.is_file():
            shutil.copyfile(STUDENT, folder / STUDENT.name)
        _build(name, folder)
        return _snapshot(name, folder, earlier)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build(name: str, folder: Path) -> None:
    command = [sys.executable, "-m", "generators", "site"]
    env = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or f"status {done.returncode}").split("\n")[-1]
        raise RenderError(f"{name}: cannot be built in {shown(folder)}: {last.removeprefix('error: ')}")


def _carry(build: Path) -> None:
    build.mkdir()
    for path in {path for pattern in _CARRIED for path in BUILD.glob(pattern)} - set(BUILD.glob("*.stamp.json")):
        if path.is_dir():
            shutil.copytree(path, build / path.name)
        elif not path.name.startswith("snapshot"):
            shutil.copyfile(path, build / path.name)


def _snapshot(name: str, folder: Path, earlier: Snapshot) -> Snapshot:
    """What a build of the folder says."""
    courses, kept = folder / "generators" / "courses", folder / "build" / "units"
    ids = [QuestionId(*path.parent.relative_to(courses).parts) for path in sorted(courses.glob("*/*/__init__.py"))]
    try:
        return snapshot.of_site(folder, [Worked.of(one, load(kept / f"{one}.json")) for one in ids], earlier)
    except (KeyError, TypeError) as error:
        raise RenderError(f"{name}: cannot be compared: it keeps what a build made in another form") from error
