"""Builds at once, killed builds, full disks, missing and damaged files: the earlier site stays, or the new one is whole."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from tests.project import PROGRESS, Project, environment
from tests.soak import SOAK, soak

PARAMS = "generators/courses/comp4901y/params.yml"
TREE_PDF = "build/pdf/comp4901y/hw4/question2.pdf"


def started(project: Project, *arguments: str) -> subprocess.Popen[str]:
    """A command that runs on."""
    command = project.command(*arguments)
    return subprocess.Popen(command, cwd=project.folder, env=environment(), stderr=subprocess.PIPE, text=True)


def toggle(project: Project) -> None:
    """Change one parameter to the other of its two values."""
    text = project.path(PARAMS).read_text(encoding="utf-8")
    now, other = ("ancestors", "queries") if "rows: ancestors" in text else ("queries", "ancestors")
    project.replace(PARAMS, f"rows: {now}", f"rows: {other}")


@pytest.fixture(scope="module")
def clean(small: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    """What builds alone make of both values of the parameter."""
    other = small.copy(tmp_path_factory.mktemp("other"))
    toggle(other)
    assert other.run("site").returncode == 0
    return small.kept(), other.kept()


def parts(kept: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Site and PDFs, each of which is replaced as a whole or file by file."""
    return ({path: sha for path, sha in kept.items() if path.startswith("site/")},
            {path: sha for path, sha in kept.items() if not path.startswith("site/")})  # fmt: skip


def is_whole(project: Project, clean: Sequence[dict[str, str]]) -> bool:
    """Whether site and PDFs are each those of a build alone, or the PDFs are on their way from one to the other."""
    site, pdfs = parts(project.kept())
    sites, printed = zip(*map(parts, clean), strict=True)
    return (
        site in sites
        and pdfs.keys() == printed[0].keys()
        and all(sha in {one[path] for one in printed} for path, sha in pdfs.items())
    )


COMMANDS = (["site"], ["pdf"], ["site", "--no-wait"], ["pdf", "comp4901y/hw4_q2"])


@soak
@pytest.mark.parametrize("seed", range(20 if SOAK else 1))
def test_builds_at_once_take_turns(project: Project, clean: Sequence[dict[str, str]], seed: int) -> None:
    """Two to four begin together: one works, the others wait and find nothing to do, or are refused."""
    toggle(project)
    dice = random.Random(seed)
    chosen = [dice.choice(COMMANDS) for _ in range(dice.randint(2, 4))] if seed else COMMANDS
    with FileLock(project.path("build/lock")):
        builds = [started(project, *arguments) for arguments in chosen]
        first = [build.stderr.readline() for build in builds if build.stderr]
    said = [line + build.communicate()[1] for line, build in zip(first, builds, strict=True)]
    for arguments, build, one in zip(chosen, builds, said, strict=True):
        if "--no-wait" in arguments:
            assert (build.returncode, one.count("\n")) == (2, 1)
            assert one.startswith("error: build/: ")
        else:
            assert build.returncode == 0, one
            assert one.startswith("waiting for the end of another command, which works here\n")
    waited = sum("--no-wait" not in arguments for arguments in chosen)
    assert sum("values found again" in one for one in said) == min(waited, 1)
    assert project.run("site").returncode == 0
    assert project.kept() == clean[1]
    assert project.run("site").stderr == "site/ is up to date\n"


def killed(project: Project, after_s: float) -> bool:
    """Start a build and kill it with all its processes after some time; tell whether it was still running."""
    process = subprocess.Popen(
        project.command("site"), cwd=project.folder, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(after_s)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


@soak
def test_killed_builds_leave_whole_sites(project: Project, clean: Sequence[dict[str, str]]) -> None:
    """Site and PDFs are the earlier or the new ones, never a mixture, and the next build mends."""
    dice, kills = random.Random(1), 0
    start = time.perf_counter()
    toggle(project)
    assert project.run("site").returncode == 0
    whole_s = time.perf_counter() - start
    for _ in range(30 if SOAK else 4):
        toggle(project)
        kills += killed(project, dice.uniform(0.1, whole_s))
        assert is_whole(project, clean)
    assert kills > 1
    assert project.run("site").returncode == 0
    assert project.kept() in clean
    assert project.run("site").stderr == "site/ is up to date\n"
    assert [path.name for path in project.folder.rglob(".*.old")] == []


FULL_DISK = {"IMPORTED_FIRST": "tests.full_disk"}


@soak
def test_a_write_that_fails(project: Project, clean: Sequence[dict[str, str]], tmp_path: Path) -> None:
    """On a full disk and in a read-only folder: one line names a place, nothing is half-written, and the next build makes all."""
    toggle(project)
    writes = tmp_path / "writes.txt"
    counted = project.copy(tmp_path / "counted")
    assert counted.run("site", **FULL_DISK, WRITES=str(writes)).returncode == 0
    written = writes.read_text(encoding="utf-8").splitlines()
    assert len(written) > 50
    of_pdf = next(place for place, name in enumerate(written) if "/build/pdf/" in name)
    of_site = next(place for place, name in enumerate(written) if "/.site.new/" in name)
    everywhere = [(place, fault) for fault in ("ENOSPC", "EROFS") for place in range(len(written))]
    for place, fault in everywhere if SOAK else [(of_pdf, "ENOSPC"), (of_site, "EROFS")]:
        one = project.copy(tmp_path / f"write {place}")
        done = one.run("site", **FULL_DISK, FAILING_WRITE=str(place), FAULT=fault)
        said = [line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line)]
        errors = [line for line in said if not line.startswith("wrote ") and "`python -m generators diff` shows" not in line]
        assert done.returncode == 2, place
        assert re.fullmatch(
            rf"error: \S+: cannot be (read or )?written \({os.strerror(getattr(errno, fault))}\)", "\n".join(errors)
        )
        assert is_whole(one, clean)
        assert one.run("site").returncode == 0
        assert one.kept() == clean[1]
        shutil.rmtree(one.folder)


def test_a_build_that_may_not_wait_is_refused(project: Project) -> None:
    """It says what works there, and what to do; nothing to do needs no turn."""
    before = project.kept()
    project.path("build/lock.holder").write_text("`site` (process 1)", encoding="utf-8")
    with FileLock(project.path("build/lock")):
        assert project.run("site", "--no-wait").stderr == "site/ is up to date\n"
        project.replace(PARAMS, "rows: ancestors", "rows: queries")
        done = project.run("site", "--no-wait")
    message = "error: build/: `site` (process 1) works here; wait for its end, or leave --no-wait out\n"
    assert (done.returncode, done.stderr) == (2, message)
    assert project.kept() == before


def test_a_build_folder_on_another_file_system(project: Project) -> None:
    """As a cache volume is; renames do not cross from it."""
    cache = Path("/dev/shm")
    if not cache.is_dir() or cache.stat().st_dev == project.folder.stat().st_dev:
        pytest.skip("there is no second file system")
    place = Path(tempfile.mkdtemp(dir=cache))
    volume = place / "build"
    before = project.kept()
    try:
        shutil.move(project.path("build"), volume)
        project.path("build").symlink_to(volume)
        project.replace(PARAMS, "rows: ancestors", "rows: queries")
        done = project.run("site")
        assert done.returncode == 0, done.stderr
        after = project.kept()
        assert TREE_PDF in {path for path in after if after[path] != before[path]}
    finally:
        shutil.rmtree(place)


def test_a_style_sheet_that_is_missing(project: Project) -> None:
    """Pages would ask for it in vain; mkdocs itself does not look."""
    before = project.kept()
    shutil.rmtree(project.path("docs/assets"))
    done = project.run("site")
    error = "error: mkdocs.yml: docs/assets/answers.css: there is no such file"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, error)
    assert project.kept() == before


@soak
@pytest.mark.parametrize("first", range(3 if SOAK else 1))
def test_kept_files_that_are_damaged(project: Project, first: int) -> None:
    """Cut, changed by a bit or exchanged: each is made again as it was, and so is the site."""
    files = sorted(path for path in project.path("build").rglob("*.json") if "stamp" not in path.name)
    files += sorted(project.path("build/theme").iterdir())
    before, contents = project.kept(), [path.read_bytes() for path in files]
    for place, (path, content) in enumerate(zip(files, contents, strict=True)):
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes((content[:middle], flipped, contents[place - 1])[(first + place) % 3])
    project.path("build/site.stamp.json").unlink()
    shutil.rmtree(project.path("build/pdf"))  # so that what is kept for PDFs is read
    done = project.run("site")
    assert done.returncode == 0, done.stderr
    assert project.kept() == before
    assert all(_same(path, content) for path, content in zip(files, contents, strict=True))


def _same(path: Path, content: bytes) -> bool:
    """Whether a kept file is as it was; JSON may be written in another order."""
    return path.read_bytes() == content or (path.suffix == ".json" and json.loads(path.read_bytes()) == json.loads(content))
