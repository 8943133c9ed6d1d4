"""A new question: at most 60 lines in all, green as it is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import Project, digests, environment

NEW = ("mycourse/lab1_q1_pairs", "comp4901y/quiz2_q3_pairs")
"""In a new course, and as a new document of one that exists."""


def test_new_questions_build(tmp_path: Path) -> None:
    """Each is short, found again and shown, and keeps every standard."""
    project = Project.unbuilt(tmp_path / "project")
    for name in NEW:
        done = project.run("new", name)
        assert done.returncode == 0, done.stderr
        course, _, slug = name.partition("/")
        files = sorted(project.path(f"generators/courses/{name}").glob("*.py"))
        files += [project.path(f"templates/{course}/{slug}.md.j2"), project.path(f"tests/{course}/test_{slug}.py")]
        assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 60
        # P and its symbol are found; titles, n and its symbol are read again.
        assert project.run("verify", name).stdout == "2 values found again\n"
        assert "1.1/pairs = n*(n + 1)/2 = 6" in project.run("show", name).stdout
        printed = project.run("pdf", name)
        assert printed.returncode == 0, printed.stderr
    project.copy_tests()
    modules = [f"tests/{course}/test_{slug}.py" for course, slug in (name.split("/") for name in NEW)]
    chosen = [*modules, "tests/test_addressed.py", "-k", "lab1_q1_pairs or quiz2_q3_pairs"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    ran = subprocess.run(command, cwd=project.folder, env=environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pairs", "pairs: must be COURSE/DOCUMENT_qNUMBER_NOUN or COURSE/DOCUMENT_NOUN, as in course/lab1_q1_pairs"),
        ("comp4901y/Lab1_q1_pairs", "comp4901y/Lab1_q1_pairs: must be COURSE/DOCUMENT_qNUMBER_NOUN"),
        (
            "comp4901y/hw4_q2_tree_attention",
            "comp4901y/hw4_q2_tree_attention: exists (generators/courses/comp4901y/hw4_q2_tree_attention)",
        ),
    ],
)
def test_a_name_that_cannot_be_new(built: Project, name: str, message: str) -> None:
    done = built.run("new", name)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")


def test_a_bad_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A new document would else stand in course.yml without its question."""
    project = Project.unbuilt(tmp_path / "project")
    project.path("generators/courses/sydney/params.yml").write_bytes(b"a: \xff\n")
    before = digests(project.folder, "generators", "templates", "tests")
    done = project.run("new", "sydney/quiz1_q1_pairs")
    message = "error: generators/courses/sydney/params.yml: line 1, column 4: must be text in UTF-8 (got the byte 0xff)\n"
    assert (done.returncode, done.stderr) == (2, message)
    after = digests(project.folder, "generators", "templates", "tests")
    assert {path: digest for path, digest in after.items() if "__pycache__" not in path} == before
