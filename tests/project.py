"""A copy of the project in a folder of its own, built from the command line as a user would."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.__main__ import ROOT, copy_project
from tests import forked

BUILT = ("site", "build/pdf")
"""What a user keeps: a refused build leaves it as it was."""


class Project:
    """A copy of the project; `run` runs one of its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def unbuilt(cls, folder: Path) -> Project:
        """Copy what a build reads."""
        folder.mkdir(parents=True, exist_ok=True)
        copy_project(folder)
        return cls(folder)

    def copy(self, folder: Path) -> Project:
        """Copy everything, what was built too; times stay, so nothing counts as changed."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Project(folder)

    def copy_tests(self) -> None:
        """Copy the tests beside what is there."""
        shutil.copytree(ROOT / "tests", self.path("tests"), dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "benchmarks", self.path("benchmarks"), dirs_exist_ok=True)

    def command(self, *arguments: str) -> list[str]:
        """The command line of `python -m generators`."""
        return [sys.executable, "-m", "generators", *arguments]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; both streams are kept as text.

        It runs in a fork unless `variables` of the environment, or what a test set there, must be seen as Python starts.
        """
        env = environment() | variables
        if any(name.startswith(("PYTHON", "LC_", "TZ")) for name, _ in env.items() ^ AS_STARTED.items()):
            return self._run(self.command(*arguments), env)
        return forked.run(arguments, self.folder, env)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python code in the project's folder."""
        return self._run([sys.executable, "-c", code], environment())

    def _run(self, command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)

    def path(self, name: str) -> Path:
        """A file by its path in the project."""
        return self.folder / name

    def made(self, question_id: str) -> dict[str, Any]:
        """What each step of a question made in the last build."""
        kept = json.loads(self.path(f"build/units/{question_id}.json").read_text(encoding="utf-8"))
        return {step: section["content"] for step, section in kept.items()}

    def parameters(self, slug: str, course: str = "comp4901y", **changes: Any) -> None:
        """Rewrite an entry of a course's params.yml with some fields changed."""
        path = self.path(f"generators/courses/{course}/params.yml")
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        table[slug] |= changes
        path.write_text(yaml.safe_dump(table, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace text that stands in a file once or more."""
        path = self.path(name)
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def kept(self) -> dict[str, str]:
        """SHA-256 of every file that a refused build must leave alone."""
        return digests(self.folder, *BUILT)


def environment() -> dict[str, str]:
    """The environment of commands: no colour, modules compiled once, no folder of this checkout, and no part of this test run."""
    ours = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"}
    return {name: value for name, value in os.environ.items() if name not in ours} | {"NO_COLOR": "1"}


AS_STARTED = environment()


def digests(folder: Path, *names: str) -> dict[str, str]:
    """SHA-256 of every file below some subfolders, by its path."""
    paths = [path for name in names for path in sorted((folder / name).rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


HOSTILE = (
    "<script>alert(1)</script>",
    r"$x$ | `code` #let *b* [a](b) {{ 7*7 }} \ " + '"quote"',
    r"\frac{1}{2} $$y$$ {% raw %}",
    "</svg><img src=x onerror=alert(2)>",
    "&lt;b&gt; &amp; &#42; __i__ ~~s~~",
    r"\N\G\l {a|b} <b>x</b> %s",
    '"); #panic() //',
    "http://evil.example/x.js",
    "# h", "- item", "1. one", "= head", "+", "...", "-5", "| cell |", "[TOC]", "[^1]: note", '!!! note "t"', "@ref <l>",
    "\\", "~", "\\(z\\)", "שלום", "مرحبا", "e\u0301→₁",
)  # fmt: skip
"""Text that means something to HTML, Markdown, TeX, Typst, DOT, jinja or Python, and text of other scripts."""


TAME = tuple(f"word{number}" for number in range(len(HOSTILE)))
"""As many texts that mean nothing to any language."""


def text_parameters(project: Project, texts: tuple[str, ...]) -> None:
    """Put `texts`, as many as HOSTILE has, wherever parameters are text."""
    project.parameters(
        "hw4_q2_tree_attention",
        candidates=[["t1", *texts[:9]], ["t1", *texts[9:18]], ["t1", *texts[18:]]],
        medusa={"root": texts[0], "heads": [list(texts[1:3]), list(texts[3:5])], "top_k": 2},
    )
    accelerators = [
        {"name": name, "source": source, "peak_tflops": 100 + 100 * i, "bandwidth_gb_per_s": 1000}
        for i, (name, source) in enumerate(zip(texts[:4], texts[4:8], strict=True))
    ]
    project.parameters("hw3_q1_arithmetic_intensity", accelerators=accelerators)


PROGRESS = re.compile(
    r"[a-z0-9_/]+: (\d+ values found again \(\d+\.\d s\)|(solved|drawn|rendered)(, (drawn|rendered))*)|recording left out of .*"
)


def refused(project: Project, *arguments: str, status: int = 2) -> str:
    """Run a command that must be refused, with everything built before still whole; return its one line."""
    before = project.kept()
    done = project.run(*arguments)
    lines = [line for line in done.stderr.splitlines() if line]
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert lines[-1] == errors[0]
    assert all(PROGRESS.fullmatch(line) for line in lines[:-1]), done.stderr
    assert done.returncode == status
    assert done.stdout == ""
    assert project.kept() == before
    return errors[0].removeprefix("error: ")
