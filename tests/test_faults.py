"""Builds at once, other file systems, missing and damaged files: the earlier site stays, or the new one is whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from tests.project import Project, environment

PARAMS = "generators/courses/comp4901y/params.yml"
TREE_PDF = "build/pdf/comp4901y/hw4/question2.pdf"


def started(project: Project, *arguments: str) -> subprocess.Popen[str]:
    """A command that runs on."""
    command = project.command(*arguments)
    return subprocess.Popen(command, cwd=project.folder, env=environment(), stderr=subprocess.PIPE, text=True)


def test_builds_at_once_take_turns(project: Project, tmp_path: Path) -> None:
    """Site and PDFs are those of one build alone, and only one has work to do."""
    project.replace(PARAMS, "rows: ancestors", "rows: queries")
    alone = project.copy(tmp_path / "alone")
    with FileLock(project.path("build/lock")):
        builds = [started(project, *arguments) for arguments in (["site"], ["pdf"], ["site"], ["pdf", "comp4901y/hw4_q2"])]
        waiting = [build.stderr.readline() for build in builds if build.stderr]
    said = [build.communicate()[1] for build in builds]
    assert [build.returncode for build in builds] == [0] * len(builds), said
    assert waiting == ["waiting for the end of another command, which works here\n"] * len(builds)
    assert sum("values found again" in one for one in said) == 1
    assert alone.run("site").returncode == 0
    assert project.kept() == alone.kept()
    assert project.run("site").stderr == "site/ is up to date\n"


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


def test_kept_files_that_are_damaged(project: Project) -> None:
    """Cut, changed by a bit or exchanged: each is made again as it was, and so is the site."""
    files = sorted(path for path in project.path("build").rglob("*.json") if "stamp" not in path.name)
    before, contents = project.kept(), [path.read_bytes() for path in files]
    for place, (path, content) in enumerate(zip(files, contents, strict=True)):
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes((content[:middle], flipped, contents[place - 1])[place % 3])
    project.path("build/site.stamp.json").unlink()
    done = project.run("site")
    assert done.returncode == 0, done.stderr
    assert project.kept() == before
    assert [json.loads(path.read_bytes()) for path in files] == [json.loads(content) for content in contents]
